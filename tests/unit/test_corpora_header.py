"""The header reader agrees with libsndfile on what is allowed, and refuses the rest."""

import contextlib
import os
import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from raysearch.corpora.header import MAX_CHANNELS, HeaderError, read_header

ALLOWED = [
    ("WAV", "PCM_U8", 8),
    ("WAV", "PCM_16", 16),
    ("WAV", "PCM_24", 24),
    ("WAV", "PCM_32", 32),
    ("WAV", "FLOAT", 32),
    ("WAV", "DOUBLE", 64),
    ("WAVEX", "PCM_16", 16),
    ("WAVEX", "FLOAT", 32),
    ("FLAC", "PCM_16", 16),
    ("FLAC", "PCM_24", 24),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("headers")


def wav_bytes(
    *, tag: int = 1, channels: int = 1, rate: int = 16_000, bits: int = 16, data: bytes = b"\0" * 64
) -> bytes:
    block = channels * bits // 8
    fmt = struct.pack("<HHIIHH", tag, channels, rate, (rate * block) & 0xFFFFFFFF, block, bits)
    chunks = b"fmt " + struct.pack("<I", 16) + fmt + b"data" + struct.pack("<I", len(data)) + data
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks


@settings(max_examples=60, deadline=None)
@given(
    kind=st.sampled_from(ALLOWED),
    rate=st.sampled_from([8_000, 16_000, 22_050, 24_414, 44_100, 48_000, 96_000]),
    channels=st.integers(1, 8),
    frames=st.integers(1, 3_000),
)
def test_agrees_with_libsndfile(
    folder: Path, kind: tuple[str, str, int], rate: int, channels: int, frames: int
) -> None:
    container, subtype, bits = kind
    path = folder / f"any.{'flac' if container == 'FLAC' else 'wav'}"
    samples = np.random.default_rng(frames).uniform(-0.5, 0.5, (frames, channels))
    soundfile.write(path, samples, rate, subtype=subtype, format=container)
    header, truth = read_header(path), soundfile.info(path)
    assert (header.sample_rate, header.num_channels) == (truth.samplerate, truth.channels)
    assert (header.num_frames, header.bits) == (truth.frames, bits)
    assert header.duration_s == pytest.approx(truth.duration)


@pytest.mark.parametrize(
    ("container", "subtype"),
    [
        ("WAV", "IMA_ADPCM"),
        ("WAV", "ULAW"),
        ("WAV", "MS_ADPCM"),
        ("WAV", "GSM610"),
        ("AIFF", "PCM_16"),
        ("OGG", "VORBIS"),
        ("MAT4", "PCM_16"),
        ("AU", "PCM_16"),
    ],
)
def test_refuses_other_encodings(folder: Path, container: str, subtype: str) -> None:
    path = folder / "other.wav"
    soundfile.write(path, np.zeros(4_000), 8_000, subtype=subtype, format=container)
    with pytest.raises(HeaderError, match="neither"):
        read_header(path)


def test_cut_off_wav_counts_what_is_there(folder: Path) -> None:
    path = folder / "cut.wav"
    path.write_bytes(wav_bytes(data=b"\1\0" * 1_000)[:-1_000])
    assert read_header(path).num_frames == 500 == soundfile.info(path).frames


def test_header_without_samples_is_empty_audio(folder: Path) -> None:
    path = folder / "none.wav"
    path.write_bytes(wav_bytes(data=b""))
    assert read_header(path).duration_s == 0


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b"path,emotion\n", "neither"),
        (b"RIFF\0\0\0\0WAVE", "without a data chunk"),
        (wav_bytes(channels=0, bits=16), "without channels"),
        (wav_bytes(channels=MAX_CHANNELS + 1), "channels"),
        (wav_bytes(rate=0), "sample rate 0"),
        (wav_bytes(rate=4_000_000), "out of bounds"),
        (wav_bytes(bits=12), "sample size"),
        (wav_bytes(tag=3, bits=16), "sample size"),
        (wav_bytes()[:12] + wav_bytes()[12:36] + wav_bytes()[12:], "two format chunks"),
        (wav_bytes()[:12] + wav_bytes()[36:], "before their format"),
        (wav_bytes()[:12] + b"junk\0\0\0\0" * 300 + wav_bytes()[12:], "chunks before"),
        (b"fLaC\x80\0\0\x22" + b"\0" * 40, "unknown length"),
        (b"fLaC\x04\0\0\x22" + b"\0" * 40, "stream information"),
        (b"fLaC\0\0\0\x22" + b"\0" * 5, "short stream information"),
    ],
)
def test_refuses_damage_with_a_reason(folder: Path, content: bytes, reason: str) -> None:
    path = folder / "damaged.wav"
    path.write_bytes(content)
    with pytest.raises(HeaderError, match=reason):
        read_header(path)


def test_refuses_what_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.wav")
    for path in (tmp_path, tmp_path / "pipe.wav", tmp_path / "missing.wav"):
        with pytest.raises(HeaderError, match="not a regular file"):
            read_header(path)


@settings(max_examples=150, deadline=None)
@given(
    start=st.sampled_from([b"", b"RIFF\0\0\0\0WAVE", b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0", b"fLaC"]),
    rest=st.binary(max_size=120),
)
def test_never_fails_otherwise(folder: Path, start: bytes, rest: bytes) -> None:
    path = folder / "random.wav"
    path.write_bytes(start + rest)
    with contextlib.suppress(HeaderError):
        header = read_header(path)
        assert header.num_frames >= 0
        assert 1 <= header.num_channels <= MAX_CHANNELS
