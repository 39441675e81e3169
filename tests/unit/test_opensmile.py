"""eGeMAPS: what it needs, and that its numbers are openSMILE's."""

import importlib.util
import subprocess
import sys

import numpy as np
import pytest

from raysearch.errors import UserError
from raysearch.features import opensmile as module
from raysearch.features.extractor_table import build_extractor, feature_config
from raysearch.features.opensmile import Egemaps, EgemapsConfig

INSTALLED = importlib.util.find_spec("opensmile") is not None
needs_opensmile = pytest.mark.skipif(not INSTALLED, reason="opensmile is not installed")


def buzz(hz, seconds=1.0, rate=16000):
    phase = hz * np.arange(round(rate * seconds)) / rate
    return (0.3 * (2 * (phase % 1) - 1)).astype(np.float32)


def test_a_missing_package_is_named_before_work_starts(monkeypatch):
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    config = feature_config({"extractor": "egemaps"})
    with pytest.raises(UserError, match=r'pip install "raysearch\[opensmile\]"'):
        config.check_external_files()
    assert build_extractor(config).num_bins == 88


def test_looking_for_it_does_not_import_it():
    code = (
        "import sys\n"
        "from raysearch.features.extractor_table import feature_config, build_extractor\n"
        "config = feature_config({'extractor': 'egemaps'}); build_extractor(config)\n"
        "try: config.check_external_files()\n"
        "except Exception: pass\n"
        "assert 'opensmile' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@needs_opensmile
def test_the_values_are_opensmiles():
    import opensmile

    smile = opensmile.Smile(opensmile.FeatureSet.eGeMAPSv02, opensmile.FeatureLevel.Functionals)
    expected = smile.process_signal(buzz(200), 16000)
    (values,) = Egemaps(EgemapsConfig())([buzz(200)])
    assert values.shape == expected.shape == (1, 88)
    np.testing.assert_allclose(values, expected.to_numpy(), rtol=1e-6)


@needs_opensmile
@pytest.mark.parametrize("rate", [8000, 16000, 44100])
def test_its_first_value_is_the_mean_pitch(rate):
    """openSMILE counts semitones from 27.5 Hz."""
    (values,) = Egemaps(EgemapsConfig(sample_rate=rate))([buzz(220, rate=rate)])
    assert values[0, 0] == pytest.approx(36, abs=0.3)


@needs_opensmile
@pytest.mark.parametrize("num_samples", [1, 160, 1599, 1601])
def test_scraps_and_silence_stay_finite(num_samples):
    extractor = Egemaps(EgemapsConfig())
    for values in extractor([np.zeros(num_samples, np.float32), buzz(200)[:num_samples]]):
        assert values.shape == (1, 88)
        assert np.isfinite(values).all()
