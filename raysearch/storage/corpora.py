"""Corpora by URL, and audio that other machines need: fetched once a machine, by those who read it.

The driver needs every file, for its hash and its length; a node only those that it featurizes.
"""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from raysearch.corpora.corpus_table import CorpusConfig, corpus_parser, load_corpus
from raysearch.corpora.utterance import Corpus
from raysearch.errors import ConfigError, MissingPathError
from raysearch.storage.objects import is_url
from raysearch.storage.replica import Replica, open_storage, reached_storage, replica_of

__all__ = ["fetch_corpus", "fetch_file", "read_corpus", "send_files"]

NUM_AT_ONCE = 16
T = TypeVar("T")


def fetch_corpus(data: str) -> str:
    """The path at which this machine has the corpus ``data``; its files are fetched for a URL.

    Args:
        data: a path, ``URL/FOLDER``, or several with commas between.

    Raises:
        ConfigError: no storage has such a URL.
        MissingPathError: there is nothing.
        InfrastructureError: it cannot be reached.
    """
    return ",".join(_fetched(one) if is_url(one) else one for one in data.split(","))


def read_corpus(config: CorpusConfig, storage: Path) -> Corpus:
    """Load a corpus from a folder or a URL. Raises as ``load_corpus`` and ``fetch_corpus``.

    A table from a store may name audio of that store alone: an absolute path in it would be one of
    this machine's files.
    """
    if not config.data or not is_url(config.data):
        return load_corpus(config, storage)
    fetched = config.model_copy(update={"data": fetch_corpus(config.data)})
    corpus = load_corpus(fetched, storage)
    both = zip(config.members, fetched.members, strict=True)
    roots = {
        name: Path(path or "")
        for (name, url), (_, path) in both
        if url and is_url(url) and not corpus_parser(name).keeps_audio
    }
    for row in corpus.utterances:
        root = roots.get(row.corpus)
        if root is not None and not Path(row.path).is_relative_to(root.resolve()):
            raise ConfigError(
                f"{config.data}: utterance {row.id!r} is {row.path}, a file of this machine:"
                " name it relative to its table"
            )
    return corpus


def send_files(paths: Iterable[str]) -> str:
    """Send those files of a storage's folder that it does not hold; its URL, or an empty text.

    The demo corpus, say, is made by the driver, and other nodes will ask for it.
    """
    sent = [Path(path) for path in paths]
    replica = replica_of(sent[0]) if sent else None
    if replica is None:
        return ""
    folder = replica.key(sent[0]).split("/")[0]
    there = set(replica.objects.keys(folder))
    _each(replica.send, [path for path in sent if replica.key(path) not in there])
    return replica.objects.url


def fetch_file(path: str, url: str) -> None:
    """Fetch one file of the storage ``url``, if this machine lacks it."""
    if url and not Path(path).exists():
        open_storage(url)
        replica = replica_of(Path(path))
        if replica is not None:
            replica.fetch([replica.key(Path(path))])


def _fetched(url: str) -> str:
    root = reached_storage(url)
    replica = replica_of(root)
    assert replica is not None
    sizes = replica.objects.sizes("")
    if not sizes:
        raise MissingPathError(f"{url}: there is nothing; give the corpus' folder in its bucket")
    _each(replica.fetch, [key for key, size in sizes.items() if _lacks(replica, key, size)])
    return str(root)


def _lacks(replica: Replica, key: str, size: int) -> bool:
    path = replica.path(key)
    return not path.is_file() or path.stat().st_size != size


def _each(act: Callable[[list[T]], None], items: list[T]) -> None:
    """``act`` on a list of each item, many at a time; raises the first error."""
    with ThreadPoolExecutor(NUM_AT_ONCE) as executor:
        for _ in executor.map(lambda item: act([item]), items):
            pass
