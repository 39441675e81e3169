"""How much of a published figure is leakage: one system, four ways to split.

The 1D-CNN of arXiv 2507.03251 is tested on rows that are augmented siblings of its training rows:
files were expanded first and split after. The arms, with equal training rows and steps:

- A: expand, then split at random (siblings and speakers on both sides);
- B: split at random, then expand the training side (speakers on both sides);
- C: split by speaker, then expand the training side (honest);
- D: as B, with the labels of training and validation shuffled (chance).

All are scored on clean originals, A on its augmented test rows, too. A - B is what the siblings
give, B - C what sharing speakers gives.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import ray

from raysearch.config.identity import seed_from
from raysearch.evaluation.arm import NUM_SEEDS, retrain
from raysearch.evaluation.predict import prediction_table, probabilities
from raysearch.evaluation.scores import score
from raysearch.lease import RunLease
from raysearch.protocols.folds import hash_order
from raysearch.protocols.splits import Split
from raysearch.run_folder import RunFolder
from raysearch.spec import SearchSpec, published_values
from raysearch.streaming.node_cache import start_node_caches
from raysearch.streaming.rows import RowTable, SplitRows, row_key
from raysearch.streaming.shards import ensure_features
from raysearch.streaming.store import FeatureSource
from raysearch.training.state import BEST
from raysearch.trial_config import TrialConfig
from raysearch.tuning.preparation import AuditedSplit, feature_store
from raysearch.tuning.tuner import Watcher, start_pool

if TYPE_CHECKING:
    from raysearch.corpora.utterance import Utterance

__all__ = ["CELLS", "LeakArm", "arms_of", "leak_study"]

# The paper's noise and pitch, and the noise once more on the shifted side: three rows beside one.
CELLS = ("noise:paper", "pitch:0.7", "noise:20")
TEST_SHARE, VALIDATION_SHARE = 0.2, 0.16


@dataclass(frozen=True, slots=True)
class _Row:
    """One recording, clean or after a cell, with the label that the arm gives it."""

    utterance: "Utterance"
    cell: str
    emotion: str

    @property
    def name(self) -> str:
        return f"{self.utterance.id}+{self.cell}"


@dataclass(frozen=True, slots=True)
class LeakArm:
    """One way to split.

    Attributes:
        name: ``A`` to ``D``.
        valid: whether its figure may be claimed.
        train: rows to learn from, as many in each arm.
        validation: rows that choose the epoch.
        test: clean originals.
        augmented_test: arm A's own test rows after their cells; empty in the others.
    """

    name: str
    valid: bool
    train: tuple[_Row, ...]
    validation: tuple[_Row, ...]
    test: tuple[_Row, ...]
    augmented_test: tuple[_Row, ...] = ()


def arms_of(split: Split, cells: Sequence[str]) -> list[LeakArm]:
    """The four arms of a corpus.

    Args:
        split: by speaker, which is arm C; the others divide all of its rows anew.
        cells: what a file is expanded by.
    """
    rows = sorted((*split.train, *split.validation, *split.test), key=lambda row: row.id)
    clean = [_Row(u, "", u.emotion) for u in rows]
    expanded = [replace(row, cell=cell) for row in clean for cell in ("", *cells)]
    test_a, validation_a, train_a = _thirds(expanded, "leak-study-a")
    test_b, validation_b, train_b = _thirds(clean, "leak-study-b")
    by_speaker = {
        side: [_Row(u, "", u.emotion) for u in members] for side, members in split.sides()
    }

    def grown(side: Sequence[_Row]) -> list[_Row]:
        return [replace(row, cell=cell) for row in side for cell in ("", *cells)]

    trains = {
        "A": train_a,
        "B": grown(train_b),
        "C": grown(by_speaker["train"]),
        "D": grown(_shuffled(train_b)),
    }
    size = min(len(train) for train in trains.values())
    equal = {name: tuple(_in_order(train, "rows")[:size]) for name, train in trains.items()}
    return [
        LeakArm(
            "A",
            False,
            equal["A"],
            tuple(validation_a),
            tuple(row for row in test_a if not row.cell),
            tuple(row for row in test_a if row.cell),
        ),
        LeakArm("B", False, equal["B"], tuple(validation_b), tuple(test_b)),
        LeakArm("C", True, equal["C"], tuple(by_speaker["validation"]), tuple(by_speaker["test"])),
        LeakArm("D", False, equal["D"], tuple(_shuffled(validation_b)), tuple(test_b)),
    ]


def _in_order(rows: Sequence[_Row], salt: str) -> list[_Row]:
    by_name = {row.name: row for row in rows}
    return [by_name[name] for name in hash_order(list(by_name), salt)]


def _thirds(rows: Sequence[_Row], salt: str) -> tuple[list[_Row], list[_Row], list[_Row]]:
    """Test, validation and training rows at random, by hash."""
    order = _in_order(rows, salt)
    first = round(TEST_SHARE * len(order))
    second = first + round(VALIDATION_SHARE * len(order))
    return order[:first], order[first:second], order[second:]


def _shuffled(rows: Sequence[_Row]) -> list[_Row]:
    """The rows' labels in another order."""
    order = _in_order(rows, "leak-study-labels")
    return [replace(row, emotion=other.emotion) for row, other in zip(rows, order, strict=True)]


def leak_study(
    spec: SearchSpec,
    run: RunFolder,
    lease: RunLease,
    audited: AuditedSplit,
    *,
    cells: Sequence[str] = CELLS,
    storage: Path,
    watcher: Watcher,
) -> dict[str, Any]:
    """Train each arm with three seeds at the published settings, and score it.

    Args:
        spec: the system; its published settings are used, else those of its sections.
        run: the study's folder; what was trained before is not trained again.
        lease: of the folder.
        audited: the corpus, split by speaker.
        cells: what a file is expanded by.
        storage: where features are kept.
        watcher: who is told.

    Returns:
        ``arms``: name to figures; ``siblings`` and ``speakers``: A - B and B - C in UA.
    """
    config = spec.resolve(published_values(spec))
    # The arms expand the rows themselves.
    config = config.replace({"waveform_augment.cells": "none"})
    sources, unusable = _features(spec, config, audited.split, storage, cells, watcher)
    arms = arms_of(_without(audited.split, unusable), cells)
    labels = audited.split.labels
    tables = {arm.name: _rows(arm, labels) for arm in arms}
    caches = start_node_caches()
    tasks = [
        task for arm in arms for task in _tasks(spec, config, arm, tables, sources, run, lease)
    ]
    if tasks:
        watcher.say(f"training {len(arms)} arms: {len(tasks)} times")
        with start_pool(spec, run) as pool:
            pool.wait_for(len(pool.slots), watcher.say)
            retrain(pool, tasks, watcher.say)
    found = {
        arm.name: _figures(arm, config, tables[arm.name], sources, labels, run) for arm in arms
    }
    del caches
    ua = {name: figures["ua"]["mean"] for name, figures in found.items()}
    return {
        "space": spec.name,
        "corpus": spec.corpus.name,
        "cells": list(cells),
        "num_train_rows": len(arms[0].train),
        "epochs": config.training.epochs,
        "arms": found,
        "siblings": ua["A"] - ua["B"],
        "speakers": ua["B"] - ua["C"],
    }


def _features(
    spec: SearchSpec,
    config: TrialConfig,
    split: Split,
    storage: Path,
    cells: Sequence[str],
    watcher: Watcher,
) -> tuple[dict[str, FeatureSource], set[str]]:
    """Every row clean and after every cell, test rows too: nothing is searched here.

    Returns:
        The streams' stores, and the utterances that have no features.
    """
    sources: dict[str, FeatureSource] = {}
    unusable: set[str] = set()
    for stream, feature in config.used_features.items():
        found = ensure_features(
            [*split.train, *split.validation, *split.test],
            stream,
            feature,
            feature_store(storage),
            corpus=spec.corpus.name,
            cells=("", *cells),
            on_progress=lambda done, total: watcher.progress("features", done, total),
            max_quarantined=spec.corpus.max_quarantined,
        )
        sources[stream] = found.source
        unusable |= set(found.quarantined)
    return sources, unusable


def _without(split: Split, unusable: set[str]) -> Split:
    def usable(rows: "Sequence[Utterance]") -> "tuple[Utterance, ...]":
        return tuple(row for row in rows if row.id not in unusable)

    return replace(
        split,
        train=usable(split.train),
        validation=usable(split.validation),
        test=usable(split.test),
    )


def _table(rows: Sequence[_Row], labels: Sequence[str]) -> RowTable:
    return RowTable(
        ids=tuple(row.name for row in rows),
        hashes=tuple(row_key(row.utterance.content_hash, row.cell) for row in rows),
        labels=tuple(labels.index(row.emotion) for row in rows),
    )


def _rows(arm: LeakArm, labels: tuple[str, ...]) -> SplitRows:
    return SplitRows(_table(arm.train, labels), _table(arm.validation, labels), labels)


def _tasks(
    spec: SearchSpec,
    config: TrialConfig,
    arm: LeakArm,
    tables: dict[str, SplitRows],
    sources: dict[str, FeatureSource],
    run: RunFolder,
    lease: RunLease,
) -> list[dict[str, Any]]:
    data = {"rows": ray.put([tables[arm.name]]), "sources": sources, "tier": "host"}
    return [
        {
            "trial": f"{arm.name}-{seed}",
            "attempt": 1,
            "config": config.to_dict(),
            # The same seeds in each arm: only the rows differ.
            "seed": seed_from("leak-study", spec.search.seed, seed),
            "objective": spec.search.objective,
            "resume": None,
            "folder": str(_weights(run, arm, seed).parent),
            "checkpoint_name": _weights(run, arm, seed).name,
            "run_folder": str(run.root.absolute()),
            "fence": lease.fence,
            "checkpoint_every_s": float("inf"),
            "data": data,
        }
        for seed in range(NUM_SEEDS)
        if not (_weights(run, arm, seed) / BEST).exists()
    ]


def _weights(run: RunFolder, arm: LeakArm, seed: int) -> Path:
    return run.root.absolute() / f"arm-{arm.name}" / f"seed-{seed + 1}" / "weights"


def _figures(
    arm: LeakArm,
    config: TrialConfig,
    rows: SplitRows,
    sources: dict[str, FeatureSource],
    labels: tuple[str, ...],
    run: RunFolder,
) -> dict[str, Any]:
    def scored(test: Sequence[_Row]) -> dict[str, Any]:
        beside = replace(rows, validation=_table(test, labels))
        parts = []
        for seed in range(NUM_SEEDS):
            weights = _weights(run, arm, seed) / BEST
            probs_NK = probabilities(config, beside, sources, weights)
            # A cell is another recording of its speaker: its name must differ.
            named = [replace(row.utterance, id=row.name) for row in test]
            parts.append(prediction_table(named, probs_NK, labels, 0, seed))
        notes = [] if arm.valid else ["invalid: this arm leaks, or its labels are shuffled"]
        return score(pa.concat_tables(parts), protocol=f"arm {arm.name}", where={}, notes=notes)

    figures = {**scored(arm.test), "valid": arm.valid}
    if arm.augmented_test:
        figures["augmented_test"] = scored(arm.augmented_test)
    return figures
