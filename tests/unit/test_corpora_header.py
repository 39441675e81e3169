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
from raysearch.features.audio import read_audio

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
    ("container", "subtype", "kind"),
    [
        ("WAV", "ULAW", "wav"),
        ("WAV", "ALAW", "wav"),
        ("WAV", "MS_ADPCM", "wav"),
        ("WAV", "GSM610", "wav"),
        ("RF64", "PCM_16", "wav"),
        ("AIFF", "PCM_16", "aiff"),
        ("AIFF", "FLOAT", "aiff"),
        ("AU", "PCM_16", "au"),
        ("CAF", "ALAC_16", "caf"),
        ("OGG", "VORBIS", "ogg"),
        ("OGG", "OPUS", "ogg"),
        ("MP3", "MPEG_LAYER_III", "mp3"),
        ("NIST", "PCM_16", "sphere"),
    ],
)
def test_audio_is_what_it_contains(folder: Path, container: str, subtype: str, kind: str) -> None:
    path = folder / "called.wav"
    tone = 0.3 * np.sin(np.arange(16_000) / 20)
    soundfile.write(path, tone, 16_000, subtype=subtype, format=container)
    header, truth = read_header(path), soundfile.info(path)
    assert (header.kind, header.sample_rate, header.num_channels) == (kind, 16_000, 1)
    assert header.num_frames == truth.frames
    waveform_N = read_audio(path, 16_000)
    assert len(waveform_N) == truth.frames
    assert 0.1 < np.abs(waveform_N).max() < 0.6


def test_big_endian_and_tagged_files(folder: Path) -> None:
    tone = 0.3 * np.sin(np.arange(8_000) / 20)
    rifx, flac, tagged = folder / "rifx.wav", folder / "plain.flac", folder / "tagged.wav"
    soundfile.write(rifx, tone, 16_000, format="WAV", subtype="PCM_16", endian="BIG")
    soundfile.write(flac, tone, 16_000)
    tagged.write_bytes(b"ID3\x04\0\0\0\0\1\0" + bytes(128) + flac.read_bytes())
    for path in (rifx, tagged):
        assert read_header(path).num_frames == 8_000
        assert read_audio(path, 16_000) == pytest.approx(tone, abs=1e-3)


def test_a_name_does_not_choose_the_decoder(folder: Path) -> None:
    path = folder / "speech.raw"
    soundfile.write(path, np.zeros(100), 16_000, format="WAV")
    assert len(read_audio(path, 16_000)) == 100


@pytest.mark.parametrize(
    ("container", "subtype", "reason"),
    [
        ("WAV", "IMA_ADPCM", r"IMA ADPCM.*neither"),
        ("WAV", "G721_32", r"G\.721 ADPCM.*neither"),
        ("AIFF", "IMA_ADPCM", "IMA ADPCM"),
        ("MAT4", "PCM_16", "neither WAV nor FLAC"),
        ("W64", "PCM_16", "Sony Wave64"),
    ],
)
def test_refuses_other_encodings(folder: Path, container: str, subtype: str, reason: str) -> None:
    path = folder / "other.wav"
    soundfile.write(path, np.zeros(4_000), 8_000, subtype=subtype, format=container)
    with pytest.raises(HeaderError, match=reason):
        read_header(path)


@pytest.mark.parametrize(
    ("content", "seems"),
    [
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n",
            "a Git LFS pointer",
        ),
        (b"PK\x03\x04" + bytes(60), "a ZIP archive"),
        (b"\0\0\0\x20ftypM4A " + bytes(40), "MP4 or M4A"),
        (b"\n<!DOCTYPE html><html>", "a web page"),
        (b"<Error><Code>AccessDenied</Code></Error>", "a web page or an error message"),
        (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11" + bytes(40), "WMA"),
        (b"\xff\xf1\x50\x80" + bytes(40), "a bare AAC stream"),
        (bytes(4_000), "zeros"),
        (b"path,emotion\n", "text"),
    ],
)
def test_says_what_it_seems_to_be(folder: Path, content: bytes, seems: str) -> None:
    path = folder / "what.wav"
    path.write_bytes(content)
    with pytest.raises(HeaderError, match=f"neither WAV nor FLAC nor other audio, but {seems}"):
        read_header(path)


def test_an_ima_adpcm_code_is_found_wherever_it_stands(folder: Path) -> None:
    path = folder / "late.aiff"
    soundfile.write(path, np.zeros(4_000), 8_000, subtype="IMA_ADPCM", format="AIFF")
    content = path.read_bytes()
    padding = b"ANNO" + struct.pack(">I", 9_000) + bytes(9_000)
    path.write_bytes(content[:12] + padding + content[12:])
    with pytest.raises(HeaderError, match="IMA ADPCM"):
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
    start=st.sampled_from(
        [
            *(b"", b"RIFF\0\0\0\0WAVE", b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0", b"fLaC", b"ID3\4\0\0"),
            *(b"FORM\0\0\0\0AIFC", b".snd", b"caff", b"OggS", b"NIST_1A", b"\xff\xfb\x90\x64"),
        ]
    ),
    rest=st.binary(max_size=120),
)
def test_never_fails_otherwise(folder: Path, start: bytes, rest: bytes) -> None:
    path = folder / "random.wav"
    path.write_bytes(start + rest)
    with contextlib.suppress(HeaderError):
        header = read_header(path)
        assert header.num_frames >= 0
        assert 1 <= header.num_channels <= MAX_CHANNELS
