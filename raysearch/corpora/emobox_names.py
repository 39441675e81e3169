"""What a file's name says in a corpus that EmoBox lists under a name of its own."""

from pathlib import Path

from raysearch.corpora.corpus_table import distributed_parsers
from raysearch.corpora.parser import Entry

__all__ = ["named_entry"]


def named_entry(dataset: str, path: Path) -> Entry | None:
    """What the name of ``path`` says in the corpus that EmoBox calls ``dataset``, if anything.

    EmoBox writes the names of corpora without hyphens and underscores.
    """
    for parser in distributed_parsers():
        if _plain(parser.name) == _plain(dataset):
            return parser.labels_of_name(path)
    return None


def _plain(name: str) -> str:
    return name.lower().replace("-", "").replace("_", "")
