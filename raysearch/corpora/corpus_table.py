"""The corpora by name, and the one way to load any of them, or several as one."""

from dataclasses import fields, replace
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationInfo, field_validator

from raysearch.config.base import Config, did_you_mean
from raysearch.config.name_table import Table
from raysearch.corpora.joined import joined
from raysearch.corpora.labels import (
    LabelMap,
    committed_label_map,
    keep_classes,
    read_label_map,
    relabelled,
    shuffled,
)
from raysearch.corpora.parser import CorpusParser, walk_audio
from raysearch.corpora.reader_options import ReaderOptions, check_heeded
from raysearch.corpora.scan import scan
from raysearch.corpora.utterance import Corpus
from raysearch.errors import ConfigError, EmptyCorpusError, MissingPathError, UnknownNameError
from raysearch.paths import existing

__all__ = [
    "CORPORA",
    "CorpusConfig",
    "corpora_of_fixed_ids",
    "corpus_parser",
    "distributed_parsers",
    "licence_of",
    "load_corpus",
    "located",
]

CORPORA = Table(
    "corpus",
    {
        "audformat": "raysearch.corpora.audformat:Audformat",
        "crema_d": "raysearch.corpora.crema_d:CremaD",
        "demo": "raysearch.corpora.demo:Demo",
        "emobox": "raysearch.corpora.emobox:EmoBox",
        "emodb": "raysearch.corpora.emodb:EmoDb",
        "emovo": "raysearch.corpora.emovo:Emovo",
        "hugging_face": "raysearch.corpora.hugging_face:HuggingFace",
        "iemocap": "raysearch.corpora.iemocap:Iemocap",
        "manifest": "raysearch.corpora.manifest:Manifest",
        "msp_improv": "raysearch.corpora.msp_improv:MspImprov",
        "msp_podcast": "raysearch.corpora.msp_podcast:MspPodcast",
        "nemo": "raysearch.corpora.nemo:Nemo",
        "ravdess": "raysearch.corpora.ravdess:Ravdess",
        "savee": "raysearch.corpora.savee:Savee",
        "tess": "raysearch.corpora.tess:Tess",
    },
)
_COMMON = "common"
_NUM_NAMES_TO_HINT = 200


class CorpusConfig(Config):
    """The ``corpus`` section: which utterances a search learns from."""

    name: str = Field(
        "demo",
        description=f"{', '.join(CORPORA.built_in)}, or your module:Class; several with commas "
        "between",
    )
    data: str | None = Field(
        None, description="the corpus' folder or file; for several corpora, one each with commas"
    )
    label_map: str | None = Field(
        None,
        description="your YAML of 'label: class' lines, or 'common' for the committed map, which "
        "several corpora use unless told otherwise",
    )
    calm: Literal["drop", "neutral"] = Field(
        "drop", description="what the committed label map makes of calm"
    )
    emotions: tuple[str, ...] | None = Field(
        None, min_length=2, description="keep these classes only, by their names after the map"
    )
    shuffle_labels: bool = Field(
        False, description="permute labels within each speaker: the honest score is then chance"
    )
    improvised: bool = Field(
        False, description="iemocap: keep the improvised dialogues only, not the scripted ones"
    )
    own_split: str | None = Field(
        None,
        min_length=1,
        description="msp_podcast, hugging_face: divide it as published, with this set of it as "
        "the test side, such as Test1 or test; null: folds of whole speakers",
    )
    speaker_column: str | None = Field(
        None, min_length=1, description="hugging_face: who speaks; null: found by its usual names"
    )
    emotion_column: str | None = Field(
        None, min_length=1, description="hugging_face: the label; null: found by its usual names"
    )
    vote_columns: tuple[str, ...] | None = Field(
        None,
        min_length=2,
        description="manifest: the columns that hold the votes for, or the probability of, the "
        "class that each is named after",
    )
    perceived: bool = Field(
        False,
        description="crema_d: the emotion that most listeners to the voice alone heard, and their "
        "votes; not the acted one",
    )
    rated: bool = Field(
        False,
        description="manifest, iemocap, msp_improv, msp_podcast: keep what was rated, of whatever "
        "emotion or of none, for training.task dimensions; no label map is used then",
    )
    max_quarantined: float = Field(
        0.05, ge=0, le=1, description="largest share of unreadable, empty or non-finite audio"
    )

    @field_validator("name", "data", mode="before")
    @classmethod
    def _join(cls, value: object) -> object:
        """A YAML list means the same as its parts with commas between."""
        if not isinstance(value, list | tuple):
            return value
        parts = ["" if part is None else part for part in value]
        if not parts or not all(isinstance(part, str) and "," not in part for part in parts):
            raise ValueError("expected a list of words without commas")
        return ",".join(parts)

    @field_validator("name")
    @classmethod
    def _check_name(cls, value: str) -> str:
        if not all(_parts(value)):
            raise ValueError("holds an empty name between its commas")
        return value

    @field_validator("data")
    @classmethod
    def _check_data(cls, value: str | None, info: ValidationInfo) -> str | None:
        names = _parts(info.data.get("name", ""))
        if len(names) > 1 and value is not None and len(_parts(value)) != len(names):
            raise ValueError(
                f"{len(_parts(value))} for {len(names)} corpora ({', '.join(names)}): write one "
                "for each, with commas between (nothing for the demo corpus)"
            )
        return value

    @field_validator("calm")
    @classmethod
    def _check_calm(cls, value: str, info: ValidationInfo) -> str:
        label_map = info.data.get("label_map")
        if value != "drop" and not _is_committed(info.data.get("name", ""), label_map):
            raise ValueError(
                "read with the committed label map only: set corpus.label_map to 'common', or "
                "write 'calm: neutral' in your own map"
            )
        return value

    @property
    def members(self) -> tuple[tuple[str, str | None], ...]:
        """(name, data) of every corpus."""
        names = _parts(self.name)
        if len(names) == 1:
            return ((names[0], self.data),)
        folders = _parts(self.data) if self.data is not None else [""] * len(names)
        return tuple((n, folder or None) for n, folder in zip(names, folders, strict=True))

    @property
    def uses_committed_map(self) -> bool:
        """Whether labels become the common classes."""
        return _is_committed(self.name, self.label_map)


def _parts(text: str) -> list[str]:
    return [part.strip() for part in text.split(",")]


def _is_committed(name: str, label_map: str | None) -> bool:
    return label_map == _COMMON or (label_map is None and "," in name)


def corpus_parser(name: str) -> CorpusParser:
    """The parser that ``name`` stands for.

    Raises:
        UnknownNameError: no such corpus, or it is not a ``CorpusParser`` class.
    """
    parser = CORPORA.load(name)
    if not (isinstance(parser, type) and issubclass(parser, CorpusParser)):
        raise UnknownNameError(f"corpus {name!r} is not a subclass of CorpusParser")
    return parser()


@cache
def distributed_parsers() -> tuple[CorpusParser, ...]:
    """A parser of each corpus of the table that somebody distributes."""
    parsers = (corpus_parser(name) for name in CORPORA.built_in)
    return tuple(parser for parser in parsers if parser.distributed)


@cache
def corpora_of_fixed_ids() -> frozenset[str]:
    """The corpora of the table whose utterances are named by their publisher, in any folder."""
    return frozenset(name for name in CORPORA.built_in if corpus_parser(name).fixed_ids)


def licence_of(name: str) -> str:
    """What a model card says of the licence of the corpus called ``name``."""
    try:
        known = corpus_parser(name).licence
    except UnknownNameError:  # a user's own class, on a machine that does not have it
        known = ""
    return known or f"{name}: see the licence of the corpus."


def load_corpus(config: CorpusConfig, storage: Path) -> Corpus:
    """The configured corpus, or several as one; the same files give the same result.

    Args:
        config: the ``corpus`` section.
        storage: the run folders' parent; the demo corpus is kept in ``.corpora`` below it.

    Raises:
        UserError: unknown name, missing or wrong ``data``, a wrong manifest row, a wrong map.
        DataError: a label that the label map does not know.
        EmptyCorpusError: no utterance of this corpus is there.
    """
    label_map = _label_map(config)
    corpora = [_scanned(parser, root) for parser, root in located(config, storage)]
    if label_map is not None:
        corpora = [relabelled(corpus, label_map) for corpus in corpora]
    several = len(corpora) > 1
    corpus = joined(corpora, all_classes=config.rated) if several else corpora[0]
    corpus = replace(corpus, by_emotion=not config.rated)
    if config.emotions is not None:
        for emotion in config.emotions:
            if emotion not in corpus.emotions:
                hint = did_you_mean(emotion, corpus.emotions)
                raise ConfigError(f"corpus.emotions: {corpus.name} has no {emotion!r}{hint}")
        corpus = keep_classes(corpus, config.emotions, "not among corpus.emotions")
    return shuffled(corpus) if config.shuffle_labels else corpus


def located(config: CorpusConfig, storage: Path) -> list[tuple[CorpusParser, Path]]:
    """The parser of each configured corpus, told what was asked for, and where it reads.

    Args:
        config: the ``corpus`` section.
        storage: as ``load_corpus``.

    Raises:
        UserError: unknown name, missing or wrong ``data``, an option that no corpus knows.
    """
    parsers = [(corpus_parser(name), data) for name, data in config.members]
    options = ReaderOptions(
        **{one.name: getattr(config, one.name) for one in fields(ReaderOptions)}
    )
    if options.asked:
        known = [corpus_parser(name) for name in CORPORA.built_in]
        check_heeded(options, [parser for parser, _ in parsers], known)
    for parser, _ in parsers:
        parser.options = options
    return [(parser, parser.locate(data, storage)) for parser, data in parsers]


def _label_map(config: CorpusConfig) -> LabelMap | None:
    if config.rated:
        return None
    if config.uses_committed_map:
        return committed_label_map(config.calm)
    if not config.label_map:
        return None
    path = existing(config.label_map)
    if path is None:
        raise MissingPathError(f"corpus.label_map: {config.label_map}: no such file")
    return read_label_map(path)


def _scanned(parser: CorpusParser, root: Path) -> Corpus:
    try:
        return scan(parser, root)
    except EmptyCorpusError as error:
        other = _looks_like(root, parser.name) if root.is_dir() else None
        if other is None:
            raise
        raise EmptyCorpusError(f"{error}; it looks like {other}: --corpus {other}") from error


def _looks_like(root: Path, asked: str) -> str | None:
    """Return the published corpus that most of the first files below ``root`` are named like.

    Returns:
        Its name, or None if no corpus recognises any of them.
    """
    files = (path for path in walk_audio(root) if isinstance(path, Path))
    some = list(islice(files, _NUM_NAMES_TO_HINT))
    counts = {
        parser.name: sum(parser.recognises(path) for path in some)
        for parser in distributed_parsers()
        if parser.name != asked
    }
    best = max(counts, key=lambda name: counts[name])
    return best if counts[best] else None
