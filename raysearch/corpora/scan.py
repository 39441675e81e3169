"""A parser's entries become a corpus: hashed, headers read, copies dropped and counted.

Copies are looked for among one speaker's files only (and, in a manifest, within one fold and
split), so nothing about a test speaker's audio can change which training rows exist. The same
recording under two speakers is a leak for the audit to report, not a copy to drop here.
"""

from collections.abc import Callable, Hashable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import fields
from operator import attrgetter
from pathlib import Path
from typing import Any

from raysearch.corpora.header import AudioHeader, HeaderError, read_header
from raysearch.corpora.parser import CorpusParser, Entry
from raysearch.corpora.reasons import commonest
from raysearch.corpora.utterance import Corpus, Dropped, Utterance
from raysearch.errors import EmptyCorpusError
from raysearch.files import sha256_of

__all__ = ["content_hash", "scan"]

_HASH_DIGITS = 32
_NUM_THREADS = 4


_Sorted = tuple[list[Utterance], list[Dropped]]


def scan(parser: CorpusParser, root: Path) -> Corpus:
    """The corpus that ``parser`` finds at ``root``.

    An utterance whose header is unreadable stays, without rate and duration: it is quarantined
    when its features are computed, so that test audio is not judged before it is needed.

    Raises:
        EmptyCorpusError: no file is an utterance of this corpus.
        ConfigError: a manifest's row is wrong.
        MissingPathError: a manifest names a file that is not there.
    """
    entries: list[Entry] = []
    dropped: list[Dropped] = []
    for found in parser.find(root):
        if isinstance(found, Dropped):
            dropped.append(found)
        else:
            entries.append(found)
    with ThreadPoolExecutor(_NUM_THREADS) as pool:
        read = list(pool.map(lambda entry: _utterance(entry, parser.name), entries))
    dropped += [row for row in read if isinstance(row, Dropped)]
    rows, copies = _drop_same_id([row for row in read if isinstance(row, Utterance)], parser)
    rows, twins = _drop_same_content(rows)
    if not rows:
        why = f": {told}" if (told := commonest(dropped)) else ""
        num_files = len(entries) + len(dropped)
        raise EmptyCorpusError(
            f"{root}: none of {num_files} files is usable{why}; expected {parser.expects}"
        )
    return Corpus(
        name=parser.name,
        root=str(root),
        utterances=tuple(sorted(rows, key=attrgetter("id"))),
        dropped=tuple(sorted(dropped + copies + twins, key=attrgetter("path", "reason"))),
    )


def content_hash(path: str | Path) -> str:
    """The first 32 hex digits of the SHA-256 of the file's bytes."""
    return sha256_of(path)[:_HASH_DIGITS]


def _utterance(entry: Entry, corpus: str) -> Utterance | Dropped:
    try:
        digest = content_hash(entry.path)
    except OSError as error:
        return Dropped(str(entry.path), f"cannot be read ({error.strerror or error})")
    header: AudioHeader | None = None
    with suppress(HeaderError):
        header = read_header(entry.path)
    labels = {field.name: getattr(entry, field.name) for field in fields(entry)}
    labels["path"] = str(entry.path)
    return Utterance(
        **labels,
        corpus=corpus,
        content_hash=digest,
        sample_rate=header.sample_rate if header else None,
        duration_s=header.duration_s if header else None,
    )


def _drop_same_id(rows: Sequence[Utterance], parser: CorpusParser) -> _Sorted:
    """One row an id: the original rate first, then a readable header, then the shortest path."""

    def preference(row: Utterance) -> tuple[bool, bool, int, str]:
        other_rate = parser.original_rate not in (None, row.sample_rate)
        return other_rate, row.sample_rate is None, len(row.path), row.path

    kept: list[Utterance] = []
    dropped: list[Dropped] = []
    for first, *others in _grouped(rows, attrgetter("id"), preference):
        kept.append(first)
        dropped += [Dropped(row.path, _copy_reason(row, first)) for row in others]
    return kept, dropped


def _copy_reason(row: Utterance, kept: Utterance) -> str:
    if row.content_hash == kept.content_hash:
        return "second copy of an utterance: the same bytes"
    if row.sample_rate is None:
        return "second copy of an utterance: unreadable"
    if row.sample_rate != kept.sample_rate:
        return f"second copy of an utterance: {row.sample_rate} Hz, kept {kept.sample_rate} Hz"
    return "second copy of an utterance: other bytes at the same rate"


def _drop_same_content(rows: Sequence[Utterance]) -> _Sorted:
    key = attrgetter("speaker", "fold", "split", "content_hash")
    kept: list[Utterance] = []
    dropped: list[Dropped] = []
    for first, *others in _grouped(rows, key, attrgetter("id")):
        kept.append(first)
        for row in others:
            label = "" if row.emotion == first.emotion else ", labelled differently"
            reason = f"the same bytes as another utterance of its speaker{label}"
            dropped.append(Dropped(row.path, reason))
    return kept, dropped


def _grouped(
    rows: Iterable[Utterance],
    key: Callable[[Utterance], Hashable],
    order: Callable[[Utterance], Any],
) -> list[list[Utterance]]:
    """Rows that share ``key``, each group sorted by ``order``."""
    groups: dict[Hashable, list[Utterance]] = {}
    for row in sorted(rows, key=order):
        groups.setdefault(key(row), []).append(row)
    return list(groups.values())
