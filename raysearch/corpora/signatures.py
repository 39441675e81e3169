"""What a file seems to be by its first bytes, whatever it is called."""

__all__ = ["HEAD_BYTES", "seems"]

HEAD_BYTES = 512

_BEGINNINGS: tuple[tuple[bytes, str], ...] = (
    (b"version https://git-lfs.github.com/spec/", "a Git LFS pointer"),
    (b"/annex/objects/", "a git-annex pointer"),
    (b"PK\x03\x04", "a ZIP archive"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
    (b"Rar!", "a RAR archive"),
    (b"BZh", "a bzip2 archive"),
    (b"\xfd7zXZ", "an xz archive"),
    (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "WMA or another ASF file"),
    (b"\x1aE\xdf\xa3", "WebM or Matroska"),
    (b"#!AMR", "AMR"),
    (b"MThd", "MIDI notes"),
    (b"wvpk", "WavPack"),
    (b"MAC ", "Monkey's Audio"),
    (b"riff\x2e\x91\xcf\x11", "Sony Wave64"),
    (b"MATLAB", "a MATLAB file"),
    (b"%PDF", "a PDF document"),
    (b"\x89PNG", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"GIF8", "a GIF image"),
    (b"\x93NUMPY", "a NumPy array"),
    (b"PAR1", "a Parquet table"),
    (b"\x7fELF", "a program"),
    (b"\x00\x05\x16\x07", "a Mac's AppleDouble companion file"),
)
_WEB = (b"<!doctype html", b"<html", b"<?xml", b"<error", b"<head", b"<script")


def seems(head: bytes) -> str:
    """What a file that begins with ``head`` seems to be, in words; empty if nothing is known."""
    for beginning, name in _BEGINNINGS:
        if head.startswith(beginning):
            return name
    if head[4:8] == b"ftyp":
        return "MP4 or M4A (AAC)"
    if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
        return "an AVI video"
    if len(head) > 1 and head[0] == 0xFF and head[1] & 0xF6 == 0xF0:
        return "a bare AAC stream"
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if start.startswith(_WEB):
        return "a web page or an error message of a server"
    if head and not any(head):
        return "zeros, as an interrupted copy leaves"
    if head and all(byte in b"\t\n\r" or 32 <= byte < 127 for byte in head):
        return "text"
    return ""
