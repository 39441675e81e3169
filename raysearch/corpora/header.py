"""Rate, channels and length of an audio file from its header alone, whatever it is called.

Decoders have known holes in rare encodings (libsndfile: CVE-2026-37555 in IMA-ADPCM WAV,
CVE-2026-88372 in MAT4), so a file reaches one only by what it contains: WAV and FLAC are read
here, which decodes nothing; of the other containers those that ``decoded`` lists are left to
libsndfile. All are of bounded size.
"""

import os
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from raysearch.corpora.decoded import UndecodableError, container, decoded_header, id3_bytes
from raysearch.corpora.signatures import HEAD_BYTES, seems
from raysearch.errors import DataError

__all__ = [
    "MAX_BYTES",
    "MAX_CHANNELS",
    "MAX_FRAMES",
    "MAX_RATE",
    "AudioHeader",
    "HeaderError",
    "read_header",
]

MAX_BYTES = 1 << 29
MAX_CHANNELS = 16
MAX_RATE = 384_000
MAX_FRAMES = 1 << 28
_MIN_RATE = 1_000
_MAX_CHUNKS = 256
_UNKNOWN_SIZE = 0xFFFFFFFF

_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE
_BITS = {_PCM: (8, 16, 24, 32), _FLOAT: (32, 64), 6: (8,), 7: (8,)}  # 6 and 7: A-law, mu-law
# Blocks of samples, whose number libsndfile knows.
_LEFT_TO_LIBSNDFILE = {0x02: "MS ADPCM", 0x31: "GSM 6.10", 0x55: "MP3"}
_NAMES = {0x11: "IMA ADPCM", 0x40: "G.721 ADPCM", 0x161: "WMA", 0xFF: "AAC", 0x674F: "Vorbis"}
# The last 14 bytes of every KSDATAFORMAT_SUBTYPE; its first two are the plain format tag.
_GUID_TAIL = bytes.fromhex("000000001000800000aa00389b71")


class HeaderError(DataError):
    """The file is not audio that may be decoded; the message is the reason."""


@dataclass(frozen=True, slots=True)
class AudioHeader:
    """Length, rate and channels of an audio file, as its header states them.

    Attributes:
        kind: its container, as ``"wav"``, ``"flac"``, ``"aiff"`` or ``"mp3"``.
        sample_rate: Hz.
        num_channels: interleaved channels.
        num_frames: samples a channel; 0 for an empty file.
        bits: bits a sample; 16 of a lossy one.
    """

    kind: str
    sample_rate: int
    num_channels: int
    num_frames: int
    bits: int

    @property
    def duration_s(self) -> float:
        """The duration in seconds."""
        return self.num_frames / self.sample_rate


def read_header(path: str | Path) -> AudioHeader:
    """The header of the audio file at ``path``.

    Raises:
        HeaderError: unreadable, no audio that is decoded here (then what it seems to be), damaged,
            or out of bounds.
    """
    try:
        # Opening a pipe would wait for its writer.
        if not os.path.isfile(path):
            raise HeaderError("not a regular file")
        with open(path, "rb") as file:
            header = _parse(file, os.fstat(file.fileno()).st_size)
    except OSError as error:
        raise HeaderError(f"cannot be read ({error.strerror or error})") from error
    _check_bounds(header)
    return header


def _parse(file: BinaryIO, num_bytes: int) -> AudioHeader:
    if num_bytes == 0:
        raise HeaderError("empty file")
    if num_bytes > MAX_BYTES:
        raise HeaderError(f"larger than {MAX_BYTES >> 20} MiB")
    head = file.read(HEAD_BYTES)
    if head[:4] in (b"RIFF", b"RF64", b"RIFX") and head[8:12] == b"WAVE":
        return _parse_wav(file, num_bytes, ">" if head[:4] == b"RIFX" else "<")
    start = id3_bytes(head)
    if start:
        file.seek(start)
        head = file.read(HEAD_BYTES)
    if head[:4] == b"fLaC":
        file.seek(start + 4)
        return _parse_flac(file)
    kind = container(head)
    # Behind a tag only what tags belong to: libsndfile would look for any format there.
    if kind and (not start or kind == "mp3"):
        return _decoded(kind, file)
    what = seems(head)
    raise HeaderError("neither WAV nor FLAC nor other audio" + (f", but {what}" if what else ""))


def _decoded(kind: str, file: BinaryIO) -> AudioHeader:
    try:
        rate, num_channels, num_frames, bits = decoded_header(file)
    except UndecodableError as error:
        raise HeaderError(f"{kind} that cannot be decoded ({error})") from None
    return AudioHeader(kind, rate, num_channels, num_frames, bits)


def _parse_wav(file: BinaryIO, num_bytes: int, order: str) -> AudioHeader:
    """RIFF, its large form RF64 (EBU Tech 3306) or its big-endian form RIFX, by ``order``."""
    position, layout = 12, None
    for _ in range(_MAX_CHUNKS):
        file.seek(position)
        head = file.read(8)
        if len(head) < 8:
            raise HeaderError("WAV without a data chunk")
        name, size = head[:4], struct.unpack(f"{order}I", head[4:])[0]
        if name == b"fmt ":
            # Two formats would let a decoder read another one than was checked here.
            if layout is not None:
                raise HeaderError("WAV with two format chunks")
            layout = _parse_format(file.read(min(size, 40)), order)
        elif name == b"data":
            if layout is None:
                raise HeaderError("WAV whose data come before their format")
            if layout[2] == 0 < layout[0]:
                return _decoded("wav", file)
            return _wav_header(layout, size, num_bytes - position - 8)
        position += 8 + size + size % 2
    raise HeaderError(f"WAV with more than {_MAX_CHUNKS} chunks before its data")


def _parse_format(body: bytes, order: str) -> tuple[int, int, int, int]:
    """(channels, Hz, bytes a frame, bits a sample) of a ``fmt`` chunk; 0 bytes of blocks."""
    if len(body) < 16:
        raise HeaderError("WAV with a short format chunk")
    tag, num_channels, rate, _, block, bits = struct.unpack(f"{order}HHIIHH", body[:16])
    if tag == _EXTENSIBLE:
        if len(body) < 40 or body[26:40] != _GUID_TAIL:
            raise HeaderError("WAV with an unknown extended format")
        tag = struct.unpack(f"{order}H", body[24:26])[0]
    if tag in _LEFT_TO_LIBSNDFILE:
        return num_channels, rate, 0, 16
    if tag not in _BITS:
        name = f" ({_NAMES[tag]})" if tag in _NAMES else ""
        raise HeaderError(f"WAV encoding {tag:#06x}{name} is neither PCM nor float")
    if bits not in _BITS[tag] or block != num_channels * bits // 8:
        raise HeaderError("WAV with an impossible sample size")
    return num_channels, rate, block, bits


def _wav_header(layout: tuple[int, int, int, int], size: int, left: int) -> AudioHeader:
    num_channels, rate, block, bits = layout
    if block == 0:
        raise HeaderError("WAV without channels")
    # A recorder that was cut off leaves a size larger than the file: what is there counts.
    present = left if size == _UNKNOWN_SIZE else min(size, left)
    return AudioHeader("wav", rate, num_channels, max(present, 0) // block, bits)


def _parse_flac(file: BinaryIO) -> AudioHeader:
    """STREAMINFO, by the FLAC format (RFC 9639, section 8.2)."""
    head = file.read(4)
    if len(head) < 4 or head[0] & 0x7F != 0 or int.from_bytes(head[1:]) != 34:
        raise HeaderError("FLAC without its stream information")
    body = file.read(34)
    if len(body) < 34:
        raise HeaderError("FLAC with short stream information")
    packed = int.from_bytes(body[10:18])
    num_frames = packed & ((1 << 36) - 1)
    if num_frames == 0:
        raise HeaderError("FLAC of unknown length")
    bits = (packed >> 36 & 0x1F) + 1
    return AudioHeader("flac", packed >> 44, (packed >> 41 & 0x7) + 1, num_frames, bits)


def _check_bounds(header: AudioHeader) -> None:
    if not _MIN_RATE <= header.sample_rate <= MAX_RATE:
        raise HeaderError(f"sample rate {header.sample_rate} Hz is out of bounds")
    if not 1 <= header.num_channels <= MAX_CHANNELS:
        raise HeaderError(f"{header.num_channels} channels are out of bounds")
    if header.num_frames * header.num_channels > MAX_FRAMES:
        raise HeaderError(f"more than {MAX_FRAMES} samples")
