"""What a model is scored on in another corpus than its own: the classes that both have."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from raysearch.corpora.labels import committed_label_map, keep_classes, relabelled
from raysearch.corpora.utterance import Corpus, Utterance
from raysearch.errors import DataError, LeakError
from raysearch.evaluation.arm import Arm

__all__ = ["Crossing", "among", "crossing", "crossings"]


@dataclass(frozen=True)
class Crossing:
    """What a winner is scored on in one other corpus.

    Attributes:
        classes: common classes that both corpora have, sorted.
        columns: for each of them the winner's own labels that become it, by index.
        rows: the target's utterances of these classes, under their common labels.
    """

    classes: tuple[str, ...]
    columns: tuple[tuple[int, ...], ...]
    rows: tuple[Utterance, ...]


def crossings(
    source: str,
    arms: Sequence[Arm],
    target: str,
    corpus: Corpus,
    heard: frozenset[str] = frozenset(),
) -> list[Crossing]:
    """What the model of each fold of ``source`` is scored on in ``corpus``.

    Args:
        source: the training corpus' name.
        arms: its models, one a fold.
        target: the other corpus' name.
        corpus: that corpus.
        heard: the content of the recordings that their start had learned from.

    Raises:
        DataError: fewer than two common classes, others in other folds, or a label without one.
        LeakError: the corpus holds recordings that a model has learned from.
    """
    found = [crossing(source, arm, target, corpus, heard) for arm in arms]
    if len({one.classes for one in found}) > 1:
        raise DataError(
            f"{source} and {target} share other classes in other folds of {source}, as not every "
            "fold trains on every emotion: choose --folds of the same emotions"
        )
    return found


def crossing(
    source: str,
    arm: Arm,
    target: str,
    corpus: Corpus,
    heard: frozenset[str] = frozenset(),
) -> Crossing:
    """What the model of one fold is scored on in ``corpus``; see ``crossings``."""
    labels = arm.audited.split.labels
    of_class: dict[str, tuple[int, ...]] = {}
    common = committed_label_map().classes
    for number, label in enumerate(labels):
        if label.casefold() not in common:
            raise DataError(f"{source}: the label {label!r} has no common class: use a label map")
        if (name := common[label.casefold()]) is not None:
            of_class[name] = (*of_class.get(name, ()), number)
    mapped = relabelled(corpus, committed_label_map())
    classes = tuple(sorted(of_class.keys() & set(mapped.emotions)))
    if len(classes) < 2:
        raise DataError(
            f"{source} and {target} share {len(classes)} class(es) ({', '.join(classes)}) under "
            "the label map: two are needed"
        )
    rows = keep_classes(mapped, classes, "not of both corpora").utterances
    split = arm.audited.split
    learned = {row.content_hash for row in (*split.train, *split.validation)} | heard
    if known := [row.id for row in rows if row.content_hash in learned]:
        raise LeakError(
            f"{source} -> {target}: {len(known)} recordings of {target} are among those that the "
            f"winner learned from (as {known[0]}): choose another corpus"
        )
    return Crossing(classes, tuple(of_class[name] for name in classes), rows)


def among(probs_NK: np.ndarray, columns: Sequence[Sequence[int]]) -> np.ndarray:
    """The winner's choice among the common classes alone, (N, C), rows summing to 1.

    Args:
        probs_NK: of the winner's own labels.
        columns: for each common class, the labels that become it.
    """
    shared_NC = np.stack([probs_NK[:, list(one)].sum(axis=1) for one in columns], axis=1)
    # A winner that is sure of a class left out gives the others 0, which is no preference.
    shared_NC = np.maximum(shared_NC, np.finfo(np.float32).tiny)
    among_NC: np.ndarray = shared_NC / shared_NC.sum(axis=1, keepdims=True)
    return among_NC
