"""The fast Viterbi search finds what librosa's finds, and so does pYIN with it."""

# Axis letters name tensor shapes.

import numpy as np
import pytest

from raysearch.features.compiled_librosa import load_librosa, load_pyin
from raysearch.features.sparse_viterbi import viterbi


def hidden_chain(seed, num_states, num_frames, possible):
    """Probabilities of what is observed, of each step and of the start; few of them above 0."""
    rng = np.random.default_rng(seed)
    prob = rng.random((2, num_states, num_frames)) * (rng.random((2, num_states, num_frames)) < 0.3)
    steps_SS = rng.random((num_states, num_states))
    steps_SS *= rng.random((num_states, num_states)) < possible
    steps_SS += 1e-9 * np.eye(num_states)
    start_S = rng.random(num_states)
    return prob, steps_SS / steps_SS.sum(axis=1, keepdims=True), start_S / start_S.sum()


@pytest.mark.parametrize("possible", [0.0, 0.1, 1.0])
@pytest.mark.parametrize("num_frames", [1, 2, 50])
@pytest.mark.parametrize("seed", range(5))
def test_it_finds_what_librosa_finds(seed, num_frames, possible):
    # Few observations are possible, so many a path must take impossible steps.
    prob, steps_SS, start_S = hidden_chain(seed, 30, num_frames, possible)
    wanted = load_librosa().sequence.viterbi(prob, steps_SS, p_init=start_S)
    found = viterbi(prob, steps_SS, p_init=start_S)
    assert found.dtype == wanted.dtype
    np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("rate", [8000, 16000, 22050])
def test_pyin_is_librosas(rate):
    rng = np.random.default_rng(rate)
    time_N = np.arange(rate) / rate
    glide = np.sign(np.sin(2 * np.pi * (120 * time_N + 90 * time_N**2)))
    waveform_N = np.concatenate([glide, np.zeros(rate // 4), rng.normal(size=rate // 4)])
    waveform_N = (0.1 * waveform_N).astype(np.float32)
    frames = {"frame_length": rate // 32 * 2, "hop_length": rate // 50, "center": False}
    arguments = {"sr": rate, "fmin": 60, "fmax": 600, **frames}
    found = load_pyin()(waveform_N, **arguments)
    wanted = load_librosa().pyin(waveform_N, **arguments)
    assert 10 < wanted[1].sum() < len(wanted[1]) - 10
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_array_equal(one, other)
