"""One set of classes for several corpora: a label map, applied before corpora are joined."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from raysearch.config.identity import stable_hash
from raysearch.config.loader import read_yaml
from raysearch.corpora.utterance import Corpus, Dropped, Utterance
from raysearch.errors import ConfigError, DataError

__all__ = [
    "LabelMap",
    "committed_label_map",
    "keep_classes",
    "read_label_map",
    "relabelled",
    "shuffled",
]

_COMMITTED = Path(__file__).with_name("label_map.yaml")
_CALM = "calm"


@dataclass(frozen=True)
class LabelMap:
    """A map from a corpus' labels (casefolded) to classes; None drops a label.

    Attributes:
        source: what messages call the map.
        classes: label to class.
    """

    source: str
    classes: Mapping[str, str | None]


def committed_label_map(calm: Literal["drop", "neutral"] = "drop") -> LabelMap:
    """The map of the known corpora; RAVDESS's calm has no common class of its own."""
    target = None if calm == "drop" else "neutral"
    own = read_label_map(_COMMITTED)
    classes = {label: target if name == _CALM else name for label, name in own.classes.items()}
    return LabelMap("the committed label map", classes)


def read_label_map(path: Path) -> LabelMap:
    """The map in a YAML file of lines ``label: class``, or ``label: null`` to drop it.

    Raises:
        MissingPathError: no such file.
        ConfigError: not such a file, a label twice, or a map that drops everything.
    """
    data, places = read_yaml(path)
    classes: dict[str, str | None] = {}
    for label, name in data.items():
        place = f"{places.of(label)}: label {label!r}"
        if name is not None and not (isinstance(name, str) and name.strip()):
            raise ConfigError(f"{place}: expected the class's name, or null to drop it")
        if label.casefold() in classes:
            raise ConfigError(f"{place} is already in the map")
        classes[label.casefold()] = name.strip() if name else None
    if not any(classes.values()):
        raise ConfigError(f"{path}: the label map drops everything: name a class for some label")
    return LabelMap(str(path), classes)


def relabelled(corpus: Corpus, label_map: LabelMap) -> Corpus:
    """``corpus`` with the map's classes; what the map drops is moved to the dropped, by label.

    Votes are mapped and added up as labels are. A label that is the majority of the votes stays
    that of the labels before the map: as in the field, classes are united after the vote.

    Raises:
        DataError: a label that the map does not know; the message names the utterance.
        ConfigError: nothing is left.
    """
    kept: list[Utterance] = []
    dropped: list[Dropped] = []
    for row in corpus.utterances:
        name = _mapped(row.emotion, row, corpus.name, label_map)
        if name is None:
            dropped.append(Dropped(row.path, f"label {row.emotion!r} is dropped by the label map"))
        else:
            votes: dict[str, float] = {}
            for label, number in row.votes:
                if (its := _mapped(label, row, corpus.name, label_map)) is not None:
                    votes[its] = votes.get(its, 0.0) + number
            kept.append(replace(row, emotion=name, votes=tuple(sorted(votes.items()))))
    if not kept:
        labels = ", ".join(corpus.emotions)
        raise ConfigError(f"{label_map.source} drops every label of {corpus.name} ({labels})")
    return replace(corpus, utterances=tuple(kept), dropped=_sorted(corpus.dropped, dropped))


def _mapped(label: str, row: Utterance, corpus: str, label_map: LabelMap) -> str | None:
    """The class of one label, None if it is dropped; raises DataError if the map lacks it."""
    if label.casefold() not in label_map.classes:
        raise DataError(
            f"{row.path}: {label_map.source} does not know the label {label!r} of"
            f" {corpus} utterance {row.id!r}; write '{label}: <class>' or"
            f" '{label}: null' in a map of your own (corpus.label_map)"
        )
    return label_map.classes[label.casefold()]


def keep_classes(corpus: Corpus, wanted: tuple[str, ...], why: str) -> Corpus:
    """``corpus`` with the classes ``wanted`` only; the others are dropped as ``why``."""
    kept = tuple(row for row in corpus.utterances if row.emotion in wanted)
    others = [
        Dropped(row.path, f"class {row.emotion!r} is {why}")
        for row in corpus.utterances
        if row.emotion not in wanted
    ]
    return replace(corpus, utterances=kept, dropped=_sorted(corpus.dropped, others))


def shuffled(corpus: Corpus) -> Corpus:
    """``corpus`` with its labels, their votes and the ratings permuted within each speaker."""
    # Within a manifest's fold and split, too, so that no label crosses to the test side.
    groups: dict[tuple[str, str | None, str | None], list[Utterance]] = {}
    for row in corpus.utterances:
        groups.setdefault((row.speaker, row.fold, row.split), []).append(row)
    rows = []
    for members in groups.values():
        order = sorted(members, key=lambda row: stable_hash(["shuffle", corpus.name, row.id], 32))
        rows += [
            replace(row, emotion=source.emotion, votes=source.votes, ratings=source.ratings)
            for row, source in zip(order, members, strict=True)
        ]
    return replace(corpus, utterances=tuple(sorted(rows, key=lambda row: row.id)))


def _sorted(before: tuple[Dropped, ...], new: list[Dropped]) -> tuple[Dropped, ...]:
    return tuple(sorted((*before, *new), key=lambda item: (item.path, item.reason)))
