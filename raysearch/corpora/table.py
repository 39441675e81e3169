"""The corpora by name, and the one way to load any of them."""

from dataclasses import replace
from pathlib import Path

from pydantic import Field

from raysearch.config.base import Config
from raysearch.config.identity import stable_hash
from raysearch.config.table import Table
from raysearch.corpora.parser import CorpusParser
from raysearch.corpora.scan import scan
from raysearch.corpora.utterance import Corpus, Utterance
from raysearch.errors import UnknownNameError

__all__ = ["CORPORA", "CorpusConfig", "corpus_parser", "load_corpus"]

CORPORA = Table(
    "corpus",
    {
        "demo": "raysearch.corpora.demo:Demo",
        "emodb": "raysearch.corpora.emodb:EmoDb",
        "manifest": "raysearch.corpora.manifest:Manifest",
        "ravdess": "raysearch.corpora.ravdess:Ravdess",
    },
)


class CorpusConfig(Config):
    """Which utterances a search is about."""

    name: str = Field("demo", description="demo, emodb, manifest, ravdess, or your module:Class")
    data: str | None = Field(None, description="the corpus' folder; the manifest's file")
    shuffle_labels: bool = Field(
        False, description="permute labels within each speaker: the honest score is then chance"
    )
    max_quarantined: float = Field(
        0.05, ge=0, le=1, description="largest share of unreadable, empty or non-finite audio"
    )


def corpus_parser(name: str) -> CorpusParser:
    """The parser that ``name`` stands for.

    Raises:
        UnknownNameError: no such corpus, or it is not a ``CorpusParser`` class.
    """
    parser = CORPORA.load(name)
    if not (isinstance(parser, type) and issubclass(parser, CorpusParser)):
        raise UnknownNameError(f"corpus {name!r} is not a subclass of CorpusParser")
    return parser()


def load_corpus(config: CorpusConfig, storage: Path) -> Corpus:
    """The configured corpus; the same files give the same result.

    Args:
        config: the ``corpus`` section.
        storage: the run folders' parent; the demo corpus is kept in ``.corpora`` below it.

    Raises:
        UserError: unknown name, missing or wrong ``data``, a wrong manifest row.
        EmptyCorpusError: no utterance of this corpus is there.
    """
    parser = corpus_parser(config.name)
    corpus = scan(parser, parser.locate(config.data, storage))
    return _shuffled(corpus) if config.shuffle_labels else corpus


def _shuffled(corpus: Corpus) -> Corpus:
    # Within a speaker, and a manifest's fold and split, so that no label crosses to the test side.
    groups: dict[tuple[str, str | None, str | None], list[Utterance]] = {}
    for row in corpus.utterances:
        groups.setdefault((row.speaker, row.fold, row.split), []).append(row)
    shuffled = []
    for rows in groups.values():
        order = sorted(rows, key=lambda row: stable_hash(["shuffle", corpus.name, row.id], 32))
        shuffled += [
            replace(row, emotion=source.emotion) for row, source in zip(order, rows, strict=True)
        ]
    return replace(corpus, utterances=tuple(sorted(shuffled, key=lambda row: row.id)))
