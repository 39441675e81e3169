"""Rows without audio, for tests of what reads features."""

from raysearch.streaming.split_rows import RowTable, SplitRows

LABELS = ("angry", "calm", "sad")


def plain_rows(num_train, num_validation):
    """Hashes ``h0000`` and on, the training rows first; labels in turn."""
    return SplitRows(_table(0, num_train), _table(num_train, num_train + num_validation), LABELS)


def _table(low, high):
    names = tuple(f"h{i:04d}" for i in range(low, high))
    return RowTable(names, names, tuple(i % len(LABELS) for i in range(low, high)))
