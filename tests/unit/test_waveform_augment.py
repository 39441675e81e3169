"""Cells: what their names mean, what they do to sound, and what a trial picks of them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raysearch.config.base import build
from raysearch.errors import ConfigError
from raysearch.features.waveform_augment import (
    WaveformAugmentConfig,
    apply_cell,
    parse_cell,
    selected,
)

RATE = 16000
BANK = ("noise:20", "noise:paper", "pitch:0.7", "pitch:-2", "stretch:0.9")


def tone(hz, seconds=1.0):
    samples = np.arange(int(RATE * seconds))
    return (0.3 * np.sin(2 * np.pi * hz * samples / RATE)).astype(np.float32)


def loudest_hz(waveform):
    spectrum = np.abs(np.fft.rfft(waveform * np.hanning(len(waveform))))
    return np.argmax(spectrum) * RATE / len(waveform)


@given(snr=st.floats(-10, 40), seed=st.integers(0, 2**32))
def test_noise_is_as_loud_as_it_says(snr, seed):
    clean = tone(200, seconds=8)
    noise = apply_cell(clean, RATE, f"noise:{snr:.3f}", seed).astype(np.float64) - clean
    found = 10 * np.log10(np.mean(np.square(clean)) / np.mean(np.square(noise)))
    assert found == pytest.approx(snr, abs=0.1)


@pytest.mark.parametrize("pause_s", [0.5, 3.0])
def test_pauses_do_not_make_the_noise_quieter(pause_s):
    pause = np.zeros(int(RATE * pause_s), np.float32)
    clean = np.concatenate([pause, tone(200, seconds=8), pause])
    noise = apply_cell(clean, RATE, "noise:10", 0).astype(np.float64) - clean
    found = 10 * np.log10(np.mean(np.square(tone(200))) / np.mean(np.square(noise)))
    assert found == pytest.approx(10, abs=0.1)


def test_noise_depends_on_its_seed_alone():
    first, same, other = (apply_cell(tone(200), RATE, "noise:10", seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, same)
    assert not np.array_equal(first, other)


@given(st.integers(0, 2**32))
def test_the_papers_noise_stays_below_its_share_of_the_peak(seed):
    noise = apply_cell(tone(200), RATE, "noise:paper", seed) - tone(200)
    assert noise.std() <= 0.035 * 0.3 * 1.05


@settings(deadline=None, max_examples=10)
@given(semitones=st.floats(-6, 6))
def test_pitch_moves_a_tone_and_keeps_its_length(semitones):
    shifted = apply_cell(tone(440), RATE, f"pitch:{semitones:.2f}", 0)
    assert len(shifted) == RATE
    assert loudest_hz(shifted) == pytest.approx(440 * 2 ** (semitones / 12), rel=0.02)


@settings(deadline=None, max_examples=10)
@given(tempo=st.floats(0.5, 2))
def test_stretch_changes_the_length_and_keeps_the_pitch(tempo):
    stretched = apply_cell(tone(440), RATE, f"stretch:{tempo!r}", 0)
    assert len(stretched) == round(RATE / tempo)
    assert loudest_hz(stretched) == pytest.approx(440, rel=0.02)


@pytest.mark.parametrize("cell", BANK)
@pytest.mark.parametrize("num_samples", [1, 7, 300, 5000])
def test_silence_and_scraps_stay_finite(cell, num_samples):
    for waveform in (np.zeros(num_samples, np.float32), tone(300)[:num_samples]):
        changed = apply_cell(waveform, RATE, cell, 0)
        assert changed.dtype == np.float32
        assert changed.size >= 1
        assert np.isfinite(changed).all()


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        ("none", ()),
        ("all", BANK),
        ("noise", BANK[:2]),
        ("stretch+noise:paper", ("noise:paper", "stretch:0.9")),
        ("pitch:-2", ("pitch:-2",)),
    ],
)
def test_a_trial_picks_from_the_bank(cells, expected):
    assert selected(WaveformAugmentConfig(bank=BANK, cells=cells)) == expected


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"bank": ["echo:1"]}, "no kind 'echo'"),
        ({"bank": ["noise:loud"]}, "noise is a number from -20 to 60"),
        ({"bank": ["pitch:99"]}, "pitch is a number from -12 to 12"),
        ({"bank": ["stretch:paper"]}, "stretch is a number"),
        ({"bank": ["noise:5", "noise:5"]}, "twice"),
        ({"bank": ["pitch:2", "pitch:+2.0"]}, r"twice: pitch:2, pitch:\+2.0"),
        ({"bank": ["noise:nan"]}, "noise is a number"),
        ({"bank": ["stretch"]}, "stretch is a number from 0.5 to 2"),
        ({"bank": ["noise:5"], "cells": "noise+"}, "the bank has no ''"),
        ({"bank": ["noise:5"], "cells": "pitch"}, r"the bank has no 'pitch' \(it holds noise:5\)"),
        ({"cells": "all"}, "it holds nothing"),
        ({"bank": [f"noise:{n}" for n in range(13)]}, "at most 12"),
    ],
)
def test_wrong_settings_are_refused(section, message):
    with pytest.raises(ConfigError, match=message):
        build(WaveformAugmentConfig, section, prefix="waveform_augment")


def test_a_cell_that_does_not_exist_is_refused():
    with pytest.raises(ValueError, match="did you mean 'stretch'"):
        apply_cell(tone(200), RATE, "strech:0.9", 0)


def test_a_cell_has_a_kind_and_a_value():
    assert (parse_cell("stretch:0.9").kind, parse_cell("stretch:0.9").value) == ("stretch", 0.9)
    assert parse_cell("noise:paper").value is None
