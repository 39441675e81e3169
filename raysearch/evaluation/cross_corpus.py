"""Each run's winner on other corpora: does it carry over to other recordings?

Labels go through the committed map on both sides; the classes that both have are scored, and a
winner chooses among these alone. Features of the target are normalised as in training: by each
clip, by the training rows' statistics, or, which is transductive, by those of each of the target's
speakers; transductive and inductive winners do not share a matrix. The diagonal is a run's own test
figure, of speakers it never met.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa

from raysearch.corpora.corpus_table import CorpusConfig
from raysearch.corpora.labels import committed_label_map, keep_classes, relabelled
from raysearch.corpora.utterance import Corpus, Utterance
from raysearch.errors import DataError, LeakError, UserError
from raysearch.evaluation.arm import Arm
from raysearch.evaluation.evaluate import final_arm
from raysearch.evaluation.figures import Figures, Where
from raysearch.evaluation.predict import (
    mean_probabilities,
    prediction_table,
    row_table,
    used_streams,
)
from raysearch.evaluation.scores import score
from raysearch.evaluation.stored_evaluations import stored_evaluations
from raysearch.evaluation.transductive_notes import check_alike, transductive_notes
from raysearch.prerequisites import set_name
from raysearch.run_folder import RunFolder
from raysearch.storage.corpora import read_corpus
from raysearch.storage.held_storage import held_storage
from raysearch.storage.replica import pasted
from raysearch.streaming.shards import ensure_features
from raysearch.streaming.store import feature_store
from raysearch.training.transductive import is_transductive
from raysearch.tuning.start_record import learned_by
from raysearch.tuning.tuner import Watcher

__all__ = ["Crossing", "Matrix", "Plan", "among", "crossing", "plan_matrix", "score_matrix"]

Matrix = dict[str, dict[str, Figures]]


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


@dataclass(frozen=True)
class Plan:
    """All pairs of a training and a target corpus that are scored.

    Attributes:
        arms: training corpus to the run's winner.
        own: training corpus to the run's own test figures.
        crossings: (training corpus, target corpus) to what is scored there.
    """

    arms: Mapping[str, Arm]
    own: Mapping[str, Figures]
    crossings: Mapping[tuple[str, str], Crossing]


def plan_matrix(runs: Sequence[RunFolder], targets: Sequence[CorpusConfig], storage: Path) -> Plan:
    """Read the corpora and settle who is scored on what; no Ray is needed.

    Args:
        runs: evaluated runs; each one's corpus is a target of the others.
        targets: further corpora, which nothing was trained on.
        storage: where the demo corpus is kept.

    Raises:
        UserError: fewer than two corpora, one of them twice, a run that is not evaluated, or
            transductive winners beside inductive ones.
        DataError: two corpora share fewer than two classes, or a label has no common class.
        LeakError: a target holds recordings that a winner has learned from.
    """
    if len(runs) + len(targets) < 2:
        raise UserError("one run is no matrix: name another RUN, or --target CORPUS=PATH")
    for run in runs:
        if "fold" not in stored_evaluations(run):
            raise UserError(f"{run.root}: not evaluated yet: raysearch evaluate {pasted(run.root)}")
    # A target's labels are the true ones, though a run of its own shuffled them.
    true = [run.spec().corpus.model_copy(update={"shuffle_labels": False}) for run in runs]
    names = _names([*true, *targets])
    of_run = dict(zip(names, runs, strict=False))  # the targets come after them
    arms = {name: final_arm(run, run.spec(), storage) for name, run in of_run.items()}
    check_alike({name: is_transductive(arm.config) for name, arm in arms.items()})
    for arm in arms.values():
        arm.check_weights()
    own = {name: stored_evaluations(run)["fold"] for name, run in of_run.items()}
    named = zip(names, [*true, *targets], strict=True)
    corpora = {name: read_corpus(config, storage) for name, config in named}
    started = {name: learned_by(run) for name, run in of_run.items()}
    heard = {name: found[1].hashes for name, found in started.items() if found}
    crossings = {
        (source, target): crossing(source, arm, target, corpus, heard.get(source, frozenset()))
        for source, arm in arms.items()
        for target, corpus in corpora.items()
        if target != source
    }
    return Plan(arms, own, crossings)


def _names(configs: Sequence[CorpusConfig]) -> list[str]:
    """What each corpus is called: its name, and its data where a name occurs twice."""
    names = [config.name for config in configs]
    unique = [
        name if names.count(name) == 1 else f"{name} {Path(config.data or '').name}"
        for name, config in zip(names, configs, strict=True)
    ]
    for name in unique:
        if unique.count(name) > 1:
            raise UserError(f"the corpus {name!r} is named twice: a matrix has each corpus once")
    return unique


def crossing(
    source: str,
    arm: Arm,
    target: str,
    corpus: Corpus,
    heard: frozenset[str] = frozenset(),
) -> Crossing:
    """What ``arm``'s winner is scored on in ``corpus``; raises as ``plan_matrix`` does.

    ``heard`` holds the content of the recordings that its start had learned from.
    """
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


def score_matrix(plan: Plan, storage: Path, watcher: Watcher) -> Matrix:
    """Training corpus, then target corpus, to the figures of ``score``.

    Args:
        plan: who is scored on what.
        storage: where features are kept.
        watcher: who is told.
    """
    matrix: Matrix = {source: {source: own} for source, own in plan.own.items()}
    # No run's settings ask for the targets' features.
    with held_storage(storage):
        for source, arm in plan.arms.items():
            ready = arm.prepared(storage)
            for (asked, target), one in plan.crossings.items():
                if asked == source:
                    watcher.say(f"{source} -> {target}")
                    matrix[source][target] = _score(ready, one, storage, watcher)
    return matrix


def _score(arm: Arm, one: Crossing, storage: Path, watcher: Watcher) -> Figures:
    usable, num_unusable = _features(arm, one.rows, storage, watcher)
    assert arm.bank is not None
    parts = []
    for seed, nets in enumerate(arm.variants()):
        probs_NK = among(mean_probabilities(nets, arm.bank, row_table(usable)), one.columns)
        parts.append(prediction_table(usable, probs_NK, one.classes, 0, seed))
    notes = [f"classes of both corpora: {', '.join(one.classes)}"]
    notes += [f"{num_unusable} utterance(s) unusable"] if num_unusable else []
    notes += transductive_notes(arm.config, [pa.concat_tables(parts)])
    where: Where = {"transductive": is_transductive(arm.config)}
    return score(pa.concat_tables(parts), protocol="cross-corpus", where=where, notes=notes)


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


def _features(
    arm: Arm, rows: Sequence[Utterance], storage: Path, watcher: Watcher
) -> tuple[list[Utterance], int]:
    """Usable rows, and how many are unusable.

    They are kept in the training corpus' store, beside the rows whose statistics normalise them.
    """
    unusable: set[str] = set()
    streams = used_streams(arm)
    for stream, config in streams:
        name = set_name(stream, config, streams, "target features")
        found = ensure_features(
            rows,
            stream,
            config,
            feature_store(storage),
            corpus=arm.spec.corpus.name,
            on_progress=partial(watcher.progress, name),
            max_quarantined=arm.spec.corpus.max_quarantined,
        )
        unusable |= set(found.quarantined)
    return [row for row in rows if row.id not in unusable], len(unusable)
