"""Headers of the containers that libsndfile reads besides WAV and FLAC, by libsndfile itself.

Which decoder a file reaches follows from its first bytes, never from its name, and only encodings
listed here are accepted. IMA ADPCM is refused before libsndfile sees it (CVE-2026-37555).
"""

import os
import struct
from typing import BinaryIO

import soundfile

from raysearch.errors import DataError

__all__ = ["UndecodableError", "container", "decoded_header", "id3_bytes"]

_BITS = {
    "PCM_S8": 8,
    "PCM_U8": 8,
    "PCM_16": 16,
    "PCM_24": 24,
    "PCM_32": 32,
    "FLOAT": 32,
    "DOUBLE": 64,
    "ULAW": 8,
    "ALAW": 8,
    "ALAC_16": 16,
    "ALAC_20": 20,
    "ALAC_24": 24,
    "ALAC_32": 32,
    # Lossy: what they decode to has no width of its own.
    "GSM610": 16,
    "MS_ADPCM": 16,
    "VORBIS": 16,
    "OPUS": 16,
    "MPEG_LAYER_I": 16,
    "MPEG_LAYER_II": 16,
    "MPEG_LAYER_III": 16,
}
_REFUSED_CODE = b"ima4"
_MAX_CHUNKS = 256
# CAF's description comes first, and names the encoding.
_CAF_BYTES = 64


class UndecodableError(DataError):
    """libsndfile refuses it, or may not be asked; the message is the reason."""


def container(head: bytes) -> str:
    """The container that begins with ``head``, in lower case; empty if libsndfile knows none."""
    if head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC"):
        return "aiff"
    names = {b".snd": "au", b"dns.": "au", b"caff": "caf", b"OggS": "ogg", b"NIST": "sphere"}
    if name := names.get(head[:4]):
        return name
    return "mp3" if head[:3] == b"ID3" or _begins_mpeg(head) else ""


def _begins_mpeg(head: bytes) -> bool:
    """Whether an MPEG audio frame of layer I to III begins here (ISO/IEC 11172-3, 2.4.1.3)."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return False
    version, layer = head[1] >> 3 & 3, head[1] >> 1 & 3
    rate, frequency = head[2] >> 4, head[2] >> 2 & 3
    return version != 1 and layer != 0 and rate not in (0, 15) and frequency != 3


def id3_bytes(head: bytes) -> int:
    """The length of the ID3v2 tag that ``head`` begins with (id3.org, 3.1); 0 without one."""
    if len(head) < 10 or head[:3] != b"ID3" or any(byte & 0x80 for byte in head[6:10]):
        return 0
    size = head[6] << 21 | head[7] << 14 | head[8] << 7 | head[9]
    return 10 + size + (10 if head[5] & 0x10 else 0)


def decoded_header(file: BinaryIO) -> tuple[int, int, int, int]:
    """(Hz, channels, frames, bits) of an open file, as libsndfile reads its header.

    Raises:
        UndecodableError: libsndfile refuses it, or its encoding is none of those allowed.
    """
    file.seek(0)
    head = file.read(_CAF_BYTES)
    if _REFUSED_CODE in (head if head[:4] == b"caff" else _aiff_codes(file, head)):
        raise UndecodableError("its encoding is IMA ADPCM, which is not decoded here")
    os.lseek(file.fileno(), 0, os.SEEK_SET)  # behind Python's buffer
    try:
        with soundfile.SoundFile(file.fileno(), closefd=False) as sound:
            found = sound.samplerate, sound.channels, max(sound.frames, 0)
            encoding = sound.subtype
    except (soundfile.SoundFileError, OSError, ValueError) as error:
        said = getattr(error, "error_string", str(error)).rstrip(".").lower()
        raise UndecodableError(said) from None
    if encoding not in _BITS:
        raise UndecodableError(f"its encoding is {encoding}, which is not decoded here")
    return *found, _BITS[encoding]


def _aiff_codes(file: BinaryIO, head: bytes) -> list[bytes]:
    """The encodings that an AIFF-C file's COMM chunks name (Apple, AIFF-C, 1991, section 4)."""
    codes: list[bytes] = []
    position = 12 if head[:4] == b"FORM" else -1
    for _ in range(_MAX_CHUNKS):
        if position < 0:
            break
        file.seek(position)
        chunk = file.read(8 + 22)
        if len(chunk) < 8:
            break
        if chunk[:4] == b"COMM":
            codes.append(chunk[26:30])
        size = struct.unpack(">I", chunk[4:8])[0]
        position += 8 + size + size % 2
    return codes
