"""Each run's winner on the other runs' corpora: does it carry over to other recordings?

Labels go through the committed map on both sides; the classes that both have are scored, and a
winner chooses among these alone. Features of the target are normalised as in training: by each
clip, or by the training rows' statistics. The target's own audio gives no statistics, so nothing
here is transductive. The diagonal is a run's own test figure, of speakers it never met.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from raysearch.corpora.labels import committed_label_map, keep_classes, relabelled
from raysearch.corpora.table import CorpusConfig, load_corpus
from raysearch.corpora.utterance import Corpus, Utterance
from raysearch.errors import DataError, UserError
from raysearch.evaluation.arm import Arm
from raysearch.evaluation.evaluate import own_arm, stored_evaluations
from raysearch.evaluation.predict import prediction_table, probabilities
from raysearch.evaluation.scores import score
from raysearch.run_folder import RunFolder
from raysearch.streaming.rows import RowTable, SplitRows
from raysearch.streaming.shards import ensure_features
from raysearch.streaming.store import FeatureSource
from raysearch.tuning.preparation import feature_store, prepare_features
from raysearch.tuning.tuner import Watcher

__all__ = ["check_runs", "cross_corpus"]

Matrix = dict[str, dict[str, dict[str, Any]]]


def check_runs(runs: Sequence[RunFolder]) -> None:
    """Refuse runs that give no matrix.

    Raises:
        UserError: fewer than two, one named twice, one that is not evaluated, or one corpus twice.
    """
    if len({run.root.resolve() for run in runs}) < max(2, len(runs)):
        raise UserError("cross-corpus needs two runs or more, each named once")
    seen: dict[str, RunFolder] = {}
    for run in runs:
        if "fold" not in stored_evaluations(run):
            raise UserError(f"{run.root}: not evaluated yet: raysearch evaluate {run.root}")
        name = run.spec().corpus.name
        if name in seen:
            raise UserError(f"{run.root} and {seen[name].root} are both of the corpus {name!r}")
        seen[name] = run


def cross_corpus(runs: Sequence[RunFolder], storage: Path, watcher: Watcher) -> Matrix:
    """The matrix: training corpus, then target corpus, to figures.

    Args:
        runs: evaluated runs, each of another corpus.
        storage: where features are kept.
        watcher: who is told.

    Raises:
        DataError: two corpora share fewer than two classes, or a label has no common class.
    """
    arms = {run.spec().corpus.name: own_arm(run, run.spec(), storage) for run in runs}
    corpora = {name: load_corpus(_true_labels(arm), storage) for name, arm in arms.items()}
    matrix: Matrix = {}
    for run, (source, arm) in zip(runs, arms.items(), strict=True):
        bank = prepare_features(arm.feature_spec, arm.audited.split, storage)
        ready = replace(arm, bank=bank)
        matrix[source] = {}
        for target, corpus in corpora.items():
            if target == source:
                matrix[source][target] = stored_evaluations(run)["fold"]
            else:
                watcher.say(f"{source} -> {target}")
                matrix[source][target] = _score(ready, corpus, storage, watcher)
    return matrix


def _true_labels(arm: Arm) -> CorpusConfig:
    return arm.spec.corpus.model_copy(update={"shuffle_labels": False})


def _score(arm: Arm, target: Corpus, storage: Path, watcher: Watcher) -> dict[str, Any]:
    columns = _common_columns(arm.audited.split.labels)
    mapped = relabelled(target, committed_label_map())
    classes = sorted(columns.keys() & set(mapped.emotions))
    if len(classes) < 2:
        raise DataError(
            f"{arm.spec.corpus.name} and {target.name} share {len(classes)} class(es)"
            f" ({', '.join(classes)}) under the label map: two are needed"
        )
    rows = keep_classes(mapped, tuple(classes), "not of both corpora").utterances
    usable, sources, num_unusable = _features(arm, rows, storage, watcher)
    assert arm.bank is not None
    table = RowTable(
        ids=tuple(row.id for row in usable),
        hashes=tuple(row.content_hash for row in usable),
        labels=(0,) * len(usable),
    )
    split = SplitRows(arm.bank.rows.train, table, arm.bank.rows.labels)
    parts = []
    for seed, weights in enumerate(arm.weight_files()):
        probs_NK = probabilities(arm.config, split, sources, weights)
        shared_NK = np.stack([probs_NK[:, columns[name]].sum(axis=1) for name in classes], axis=1)
        shared_NK /= shared_NK.sum(axis=1, keepdims=True)
        parts.append(prediction_table(usable, shared_NK, classes, 0, seed))
    notes = [f"classes of both corpora: {', '.join(classes)}"]
    notes += [f"{num_unusable} utterance(s) unusable"] if num_unusable else []
    return score(pa.concat_tables(parts), protocol="cross-corpus", where={}, notes=notes)


def _common_columns(labels: Sequence[str]) -> Mapping[str, list[int]]:
    """Common class to the columns of the winner's own labels that become it."""
    columns: dict[str, list[int]] = {}
    classes = committed_label_map().classes
    for number, label in enumerate(labels):
        if label.casefold() not in classes:
            raise DataError(f"the label {label!r} has no common class: use a corpus.label_map")
        if (name := classes[label.casefold()]) is not None:
            columns.setdefault(name, []).append(number)
    return columns


def _features(
    arm: Arm, rows: Sequence[Utterance], storage: Path, watcher: Watcher
) -> tuple[list[Utterance], dict[str, FeatureSource], int]:
    """Usable rows, their stores, and how many are unusable.

    They are kept in the training corpus' store, beside the rows whose statistics normalise them.
    """
    sources: dict[str, FeatureSource] = {}
    unusable: set[str] = set()
    for stream, config in arm.config.used_features.items():
        found = ensure_features(
            rows,
            stream,
            config,
            feature_store(storage),
            corpus=arm.spec.corpus.name,
            on_progress=lambda done, total: watcher.progress("target features", done, total),
            max_quarantined=arm.spec.corpus.max_quarantined,
        )
        sources[stream] = found.source
        unusable |= set(found.quarantined)
    return [row for row in rows if row.id not in unusable], sources, len(unusable)
