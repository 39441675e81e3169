"""Kinds of noise: the levels that they reach, and what they must not do to a recording."""

import numpy as np
import pytest
import scipy.signal

from raysearch.corpora.utterance import Utterance
from raysearch.errors import UserError
from raysearch.features.babble import marked, talkers_of, training_talkers
from raysearch.features.codecs import CODECS, lacking_codec
from raysearch.features.disturbance_table import KINDS, Level, kinds_named, levels_of
from raysearch.features.disturbances import changed_by
from raysearch.features.rooms import PLACES, ROOMS, impulse_response

RATE = 16000
LEVELS = list(levels_of(tuple(KINDS)))


def voice(hz, seconds=2.0, rate=RATE, seed=0):
    """Something like speech: harmonics below 3 kHz, in syllables."""
    time_N = np.arange(int(rate * seconds)) / rate
    phases = np.random.default_rng(seed).uniform(0, 2 * np.pi, 40)
    tones = [
        np.sin(2 * np.pi * k * hz * time_N + phases[k]) / k for k in range(1, 40) if k * hz < 3000
    ]
    loudness_N = 0.55 + 0.45 * np.sin(2 * np.pi * 4 * time_N + seed)
    return (0.1 * loudness_N * np.sum(tones, axis=0)).astype(np.float32)


OTHERS = tuple(voice(90 + 13 * k, seconds=1 + 0.3 * k, seed=k) for k in range(6))


def after(level, waveform, rate=RATE, seed=1):
    return changed_by(waveform, rate, level.cell, seed, OTHERS)


def lag(first, second):
    """By how many samples the second comes later."""
    found = scipy.signal.correlate(second.astype(float), first.astype(float), "full", "fft")
    return int(np.argmax(np.abs(found))) - (len(first) - 1)


def rms(waveform):
    return float(np.sqrt(np.mean(np.square(waveform, dtype=float))))


def row(name, speaker, corpus="c"):
    return Utterance(name, f"/{name}.wav", corpus, speaker, "anger", name, RATE, 1.0)


def test_every_level_is_there_to_be_tested():
    assert [name for name, kind in KINDS.items() if not kind.levels] == []
    assert {level.name for level in LEVELS if level.kind == "room"} == set(ROOMS)
    assert {level.name for level in LEVELS if level.kind == "codec"} == set(CODECS)
    assert len({level.cell for level in LEVELS}) == len(LEVELS)


@pytest.mark.parametrize("level", LEVELS, ids=lambda level: level.cell)
@pytest.mark.parametrize("rate", [8000, 16000, 22050])
def test_length_and_place_are_kept_and_bits_are_the_same_twice(level, rate):
    if why := level.lacking:
        pytest.skip(why)
    clean = voice(130, rate=rate)
    heard = after(level, clean, rate)
    assert heard.dtype == np.float32
    assert heard.shape == clean.shape
    assert np.isfinite(heard).all()
    assert not np.array_equal(heard, clean)
    if level.kind != "room":  # whose reflections are louder together than the direct sound
        assert abs(lag(clean, heard)) <= 1
    np.testing.assert_array_equal(heard, after(level, clean, rate))


@pytest.mark.parametrize("level", LEVELS, ids=lambda level: level.cell)
def test_a_very_short_and_a_silent_recording_are_borne(level):
    if why := level.lacking:
        pytest.skip(why)
    for clean in (np.zeros(900, np.float32), voice(200)[:1], 3 * voice(200)[:50]):
        heard = after(level, clean)
        assert heard.shape == clean.shape
        assert np.isfinite(heard).all()


@pytest.mark.parametrize("level", ["20", "10", "5", "0"])
@pytest.mark.parametrize("kind", ["white", "babble"])
def test_an_snr_is_reached(kind, level):
    clean = (0.3 * np.sin(2 * np.pi * 200 * np.arange(8 * RATE) / RATE)).astype(np.float32)
    noise = after(Level(kind, level), clean).astype(np.float64) - clean
    assert 20 * np.log10(rms(clean) / rms(noise)) == pytest.approx(float(level), abs=0.1)


def test_pauses_do_not_make_the_babble_quieter():
    pause = np.zeros(RATE, np.float32)
    spoken = (0.3 * np.sin(2 * np.pi * 200 * np.arange(8 * RATE) / RATE)).astype(np.float32)
    clean = np.concatenate([pause, spoken, pause])
    noise = after(Level("babble", "10"), clean).astype(np.float64) - clean
    assert 20 * np.log10(rms(spoken) / rms(noise)) == pytest.approx(10, abs=0.1)


def test_every_talker_of_a_babble_is_heard_equally_loud():
    clean = voice(130, seconds=8)
    tones = [
        np.sin(2 * np.pi * hz * np.arange(RATE) / RATE).astype(np.float32) * scale
        for hz, scale in ((4000, 0.01), (5000, 0.1), (6000, 0.9))
    ]
    noise = changed_by(clean, RATE, "babble:0:mark", 3, tones).astype(float) - clean
    power = np.abs(np.fft.rfft(noise)) ** 2
    heard = [power[8 * hz - 40 : 8 * hz + 40].sum() for hz in (4000, 5000, 6000)]
    assert max(heard) / min(heard) == pytest.approx(1, abs=0.02)


def test_who_talks_is_no_test_speaker_and_depends_on_rows_alone():
    train = [row(f"t{k}{n}", f"s{k}") for k in range(9) for n in range(4)]
    test = [row("x1", "s8"), row("x2", "other"), row("x3", "s0", corpus="d")]
    pool = training_talkers(train, test)
    assert {one.speaker for one in pool} == {f"s{k}" for k in range(8)}
    assert training_talkers(train[::-1], test) == pool
    found = {name: talkers_of(name, pool) for name in ("x1", "x2", "x3", "x4")}
    for chosen in found.values():
        assert len({one.speaker for one in chosen}) == len(chosen) == 6
    assert len(set(found.values())) > 1
    assert talkers_of("x1", training_talkers(train[::-1], test)) == found["x1"]
    assert marked("babble:5", pool) == marked("babble:5", training_talkers(train[::-1], test))
    assert marked("babble:5", pool) != marked("babble:5", pool[1:])


def test_few_speakers_talk_twice_and_none_talks_the_same_recording_twice():
    pool = training_talkers([row(f"t{n}", f"s{n % 2}") for n in range(7)], [row("x", "other")])
    chosen = talkers_of("x", pool)
    assert len({one.id for one in chosen}) == len(chosen) == 6
    assert talkers_of("x", pool[:1]) == pool[:1]
    assert training_talkers(pool, pool) == talkers_of("x", ()) == ()


@pytest.mark.parametrize("place", range(len(PLACES)))
@pytest.mark.parametrize("level", ROOMS)
@pytest.mark.parametrize("rate", [16000, 22050])
def test_a_room_reverberates_as_long_as_it_says(level, place, rate):
    response = impulse_response(level, place, rate)
    energy = np.cumsum(np.square(response)[::-1])[::-1]
    decay_db = 10 * np.log10(energy / energy[0])
    where = np.flatnonzero((decay_db <= -5) & (decay_db >= -35))
    slope = np.polyfit(where / rate, decay_db[where], 1)[0]
    assert -60 / slope == pytest.approx(float(level), rel=0.06)
    assert response[0] == 1


@pytest.mark.parametrize("level", ROOMS)
def test_a_room_leaves_level_and_beginnings_where_they_were(level):
    click = np.zeros(RATE, np.float32)
    click[4000] = 0.5
    clean = voice(130)
    for seed in range(8):
        heard = after(Level("room", level), click, seed=seed)
        assert np.flatnonzero(np.abs(heard) > 1e-4 * heard[4000])[0] == 4000
        assert rms(after(Level("room", level), clean, seed=seed)) == pytest.approx(rms(clean))


def test_a_recording_is_heard_at_places_that_its_seed_draws():
    heard = [after(Level("room", "0.6"), voice(130), seed=seed).tobytes() for seed in range(12)]
    assert len(set(heard)) == len(PLACES)


def gains_db(level):
    """By frequency, what is left of white noise."""
    clean = (0.1 * np.random.default_rng(0).standard_normal(8 * RATE)).astype(np.float32)
    hz, before = scipy.signal.welch(clean, RATE, nperseg=1024)
    _, behind = scipy.signal.welch(after(level, clean), RATE, nperseg=1024)
    return hz, 10 * np.log10(behind / before)


def test_a_telephone_passes_its_band_alone():
    hz, gain_db = gains_db(Level("telephone", "mu-law"))
    assert np.abs(gain_db[(hz > 500) & (hz < 3000)]).max() < 1
    assert gain_db[hz < 150].max() < -20
    assert gain_db[hz > 3900].max() < -20


@pytest.mark.parametrize("level", ["a-law", "mu-law", "gsm"])
def test_codecs_of_8_khz_pass_nothing_above_4_khz(level):
    hz, gain_db = gains_db(Level("codec", level))
    assert gain_db[hz > 4200].max() < -25
    assert np.median(gain_db[(hz > 300) & (hz < 3000)]) > -3


def test_fewer_bits_leave_less_of_a_recording():
    clean = voice(130, seconds=3)

    def snr_db(name):
        return 20 * np.log10(rms(clean) / rms(after(Level("codec", name), clean) - clean))

    for better, worse in (("opus-24", "opus-8"), ("mu-law", "gsm")):
        if not (lacking_codec(better) or lacking_codec(worse)):
            assert snr_db(better) > snr_db(worse) > 0


def test_what_is_louder_than_full_scale_is_not_clipped():
    clean = 12 * voice(130)
    heard = after(Level("codec", "mu-law"), clean)
    assert np.abs(clean).max() > 2
    assert np.abs(heard).max() == pytest.approx(np.abs(clean).max(), rel=0.1)


def test_kinds_are_picked_by_name():
    assert kinds_named("all") == tuple(KINDS)
    assert kinds_named("room, white,room") == ("white", "room")
    with pytest.raises(UserError, match="'bable' is no kind of noise: write RUN --noise"):
        kinds_named("white,bable")
    with pytest.raises(UserError, match="RUN --noise with some of white,babble"):
        kinds_named("results/emo")


def test_white_noise_is_the_cell_that_it_was():
    assert [level.cell for level in levels_of(["white"])] == [
        f"noise:{snr}" for snr in (20, 10, 5, 0)
    ]
