"""Whisper tiny.en itself, against what CTranslate2 4.8 computes from the same file.

Skipped unless RAYSEARCH_WHISPER names it, or ``make real-weights`` has put it into .cache.
"""

# Axis letters name tensor shapes.

import os
from pathlib import Path

import numpy as np
import pytest
import torch

from raysearch.features.ssl import Ssl, SslConfig
from raysearch.features.ssl_encoder import SslEncoder
from raysearch.features.ssl_weights import load_weights

CACHED = Path(__file__).parents[2] / ".cache/whisper-tiny.en"
WEIGHTS = Path(os.environ.get("RAYSEARCH_WHISPER", CACHED))
pytestmark = pytest.mark.skipif(
    not WEIGHTS.exists(), reason="no Whisper weights: make real-weights, or set RAYSEARCH_WHISPER"
)

# The first six values of some frames of the tone in 30 s, and the norm of its own 50 frames.
EXPECTED = {
    0: [-0.4401, -0.7584, 0.9493, -0.8015, 0.141, -0.4869],
    20: [0.9874, 0.8552, 0.3418, 0.859, -0.004, -0.6933],
    49: [-0.0267, -0.1068, -0.6752, -0.2945, 0.3097, -1.2488],
    1499: [-0.0901, -0.0898, -0.4216, 0.7098, -1.7922, -0.5115],
}
NORM = 154.47954


def tone():
    """A second that rises from 200 to 500 Hz."""
    time_N = np.arange(16_000) / 16_000
    return (0.3 * np.sin(2 * np.pi * (200 * time_N + 150 * time_N**2))).astype(np.float32)


def test_a_clip_in_30_s_is_encoded_as_ctranslate2_does():
    settings = SslConfig(weights=str(WEIGHTS))
    encoder = SslEncoder(settings.plan()).eval()
    encoder.load(load_weights(settings.path))
    padded_N = torch.zeros(480_000)
    padded_N[:16_000] = torch.tensor(tone())
    with torch.inference_mode():
        found_TF = encoder(padded_N[None])[0][0]
        alone_TF = encoder(padded_N[None, :16_000])[0][0]
        attended_TF = encoder(padded_N[None], torch.tensor([16_000]))[0][0, :50]
    assert found_TF.shape == (1500, 384)
    for frame, values in EXPECTED.items():
        np.testing.assert_allclose(found_TF[frame, :6], values, atol=2e-4)
    assert found_TF[:50].norm().item() == pytest.approx(NORM, rel=1e-5)
    # Alone, it is the filled-up run whose attention leaves the silence out, not the plain one.
    torch.testing.assert_close(alone_TF, attended_TF, rtol=1e-4, atol=1e-4)
    cosine_T = torch.cosine_similarity(alone_TF, found_TF[:50], dim=1)
    assert 0.6 < cosine_T.mean().item() < 0.8  # of speech 0.95


def test_its_sizes_are_known():
    settings = SslConfig(weights=str(WEIGHTS), layer="weighted")
    settings.check_external_files()
    sizes = settings.plan().sizes
    assert (sizes.n_mels, sizes.width, sizes.num_layers, sizes.num_heads) == (80, 384, 4, 6)
    assert Ssl(settings).shape(3.0).num_bins == 4 * 384
