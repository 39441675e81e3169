"""Arms that say themselves which rows are learned from and scored: trained, then predicted.

Where nothing is searched, features are computed of every recording that has a row, test rows too.
A training's folder is named after what decides it, so that it is made once whatever else is asked.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import pyarrow as pa
import ray
import scipy.special

from raysearch.config.identity import canonical_json, seed_from, stable_hash
from raysearch.corpora.utterance import Corpus
from raysearch.evaluation.arm import is_trained
from raysearch.evaluation.expanded_rows import ExpandedRow
from raysearch.evaluation.predict import log_probabilities, prediction_table
from raysearch.evaluation.retraining import retraining
from raysearch.evaluation.row_folds import RowFold
from raysearch.evaluation.run_arms import train_missing
from raysearch.features.waveform_augment import selected
from raysearch.ray_cluster.session import ClusterSession
from raysearch.run_folder import RunFolder
from raysearch.run_lease import Lease
from raysearch.spec import SearchSpec
from raysearch.storage.run_storage import fetch_published, publication
from raysearch.streaming.preparation import tier_for
from raysearch.streaming.shards import ensure_features
from raysearch.streaming.split_rows import RowTable, SplitRows, row_key, speaker_key
from raysearch.streaming.store import FeatureSource, feature_store
from raysearch.streaming.tiers import Tier, scoring_tier
from raysearch.streaming.trial_features import TrialFeatures
from raysearch.training.trial_state import BEST
from raysearch.trial_config import TrialConfig
from raysearch.tuning.tuner import Watcher
from raysearch.workers.trial_task import TrialTask

__all__ = ["RowArm", "RowFeatures", "run_row_arms"]


@dataclass(frozen=True)
class RowArm:
    """Settings, and the rows that they learn from and are scored on, fold by fold.

    Attributes:
        name: of its folder.
        folds: the rows.
        config: the settings.
        own: those of single folds, where they differ.
    """

    name: str
    folds: tuple[RowFold, ...]
    config: TrialConfig
    own: Mapping[int, TrialConfig] = field(default_factory=dict)

    def config_of(self, fold: RowFold) -> TrialConfig:
        """The settings that are trained in ``fold``."""
        return self.own.get(fold.number, self.config)

    @property
    def cells(self) -> set[str]:
        """The cells of its rows."""
        rows = (row for fold in self.folds for row in (*fold.train, *fold.test))
        return {row.cell for row in rows if row.cell}


@dataclass(frozen=True)
class RowFeatures:
    """The stores of one set of features, and which recordings have none there."""

    sources: Mapping[str, FeatureSource]
    quarantined: frozenset[str]
    tier: Tier


@dataclass(frozen=True)
class _Training:
    """One net of an arm: its rows, its settings, and where its weights are or will be."""

    config: TrialConfig
    rows: SplitRows
    features: RowFeatures
    fold: RowFold
    seed: int
    weights: Path


def run_row_arms(
    arms: Sequence[RowArm],
    spec: SearchSpec,
    corpus: Corpus,
    run: RunFolder,
    lease: Lease,
    session: ClusterSession,
    *,
    num_seeds: int,
    storage: Path,
    watcher: Watcher,
) -> dict[str, pa.Table]:
    """Train each arm's nets that are not there yet, in every fold, and predict its test rows.

    Args:
        arms: what is compared; each seed is the same in all of them.
        spec: says what chooses an epoch and how many slots train.
        corpus: all recordings.
        run: the folder that it all belongs to.
        lease: of that folder.
        session: the connected Ray.
        num_seeds: nets of each arm and fold.
        storage: where features are kept.
        watcher: who is told.

    Returns:
        Arm to predictions, as ``prediction_table`` gives them; a row that is no recording itself
        has another name than its recording. What one arm's features lack, no arm is scored on.

    Raises:
        QuarantineError: too much of the audio is unusable.
    """
    found = _all_features(arms, spec, corpus, storage, watcher)
    unusable = {name for one in found.values() for name in one.quarantined}
    trainings = {arm.name: _trainings(arm, spec, found, unusable, run, num_seeds) for arm in arms}
    tasks = [task for each in trainings.values() for task in _tasks(each, spec, run, lease)]
    total = sum(map(len, trainings.values()))
    train_missing(
        tasks,
        spec,
        run,
        session,
        line=lambda missing: f"training {len(arms)} arms: {missing} of {total} nets are missing",
        watcher=watcher,
    )
    return {
        name: pa.concat_tables(_predicted(each), promote_options="default")
        for name, each in trainings.items()
    }


def _all_features(
    arms: Sequence[RowArm], spec: SearchSpec, corpus: Corpus, storage: Path, watcher: Watcher
) -> dict[str, RowFeatures]:
    """The features of every arm, by what ``_key`` says of its settings."""
    wanted: dict[str, tuple[TrialConfig, set[str], int]] = {}
    for arm in arms:
        rows = max(len(fold.train) + len(fold.test) for fold in arm.folds)
        for config in (arm.config, *arm.own.values()):
            _, cells, most = wanted.get(_key(config), (config, set[str](), 0))
            cells = cells | arm.cells | set(selected(config.waveform_augment))
            wanted[_key(config)] = config, cells, max(most, rows)
    found = {}
    for key, (config, cells, rows) in wanted.items():
        found[key] = _features(config, sorted(cells), spec, corpus, storage, watcher, rows)
    return found


def _features(
    config: TrialConfig,
    cells: Sequence[str],
    spec: SearchSpec,
    corpus: Corpus,
    storage: Path,
    watcher: Watcher,
    num_rows: int,
) -> RowFeatures:
    sets = {
        stream: ensure_features(
            corpus.utterances,
            stream,
            feature,
            feature_store(storage),
            corpus=spec.corpus.name,
            cells=("", *cells),
            on_progress=partial(watcher.progress, f"{stream} features ({feature.extractor})"),
            max_quarantined=spec.corpus.max_quarantined,
            disk_bytes=spec.search.stream_disk_bytes,
        )
        for stream, feature in config.used_features.items()
    }
    num_bytes = sum(one.num_bytes for one in sets.values())
    # A row that stands there several times is held as often.
    repeated = max(1.0, num_rows / max(1, max(len(one.rows) for one in sets.values())))
    tier, reason = tier_for(spec.search, round(num_bytes * repeated))
    watcher.say(f"features: tier {tier}: {reason}")
    return RowFeatures(
        {stream: one.source for stream, one in sets.items()},
        frozenset(name for one in sets.values() for name in one.quarantined),
        tier,
    )


def _key(config: TrialConfig) -> str:
    return canonical_json({name: one.identity() for name, one in config.used_features.items()})


def _trainings(
    arm: RowArm,
    spec: SearchSpec,
    features: Mapping[str, RowFeatures],
    unusable: set[str],
    run: RunFolder,
    num_seeds: int,
) -> list[_Training]:
    found = []
    for whole in arm.folds:
        fold, config = whole.without(unusable), arm.config_of(whole)
        rows = _rows(fold, config)
        identity = stable_hash(
            {"config": config.identity(), "rows": fold.learned(), "seed": spec.search.seed}
        )
        folder = run.root.absolute() / "arms" / arm.name / f"fold-{fold.number}-{identity}"
        found += [
            _Training(
                config,
                rows,
                features[_key(config)],
                fold,
                seed,
                folder / f"seed-{seed + 1}" / "weights",
            )
            for seed in range(num_seeds)
        ]
    return found


def _rows(fold: RowFold, config: TrialConfig) -> SplitRows:
    labels = fold.labels
    # A class that is never learned cannot choose the epoch.
    validation = [row for row in fold.validation if row.emotion in labels]
    cells = selected(config.waveform_augment)
    return SplitRows(_table(fold.train, labels), _table(validation, labels), labels, cells)


def _table(rows: Sequence[ExpandedRow], labels: Sequence[str] = ()) -> RowTable:
    """The rows for workers; without ``labels`` they are to be scored, and compared later."""
    return RowTable(
        ids=tuple(row.name for row in rows),
        keys=tuple(row_key(row.utterance.content_hash, row.cell) for row in rows),
        labels=tuple(labels.index(row.emotion) if labels else 0 for row in rows),
        speakers=tuple(speaker_key(row.utterance) for row in rows),
    )


def _tasks(
    trainings: Sequence[_Training], spec: SearchSpec, run: RunFolder, lease: Lease
) -> list[TrialTask]:
    data: dict[int, TrialFeatures] = {}
    tasks = []
    for one in trainings:
        if is_trained(one.weights):
            continue
        if id(one.rows) not in data:
            reference = ray.put([one.rows])
            data[id(one.rows)] = TrialFeatures(reference, one.features.sources, one.features.tier)
        tasks.append(
            retraining(
                one.weights.parent.parent.name,
                one.config,
                # The same seeds in each arm: only rows and settings differ.
                seed=seed_from("row arms", spec.search.seed, one.fold.number, one.seed),
                objective=spec.search.objective,
                data=data[id(one.rows)],
                weights=one.weights,
                publication=publication(run.root, lease),
            )
        )
    return tasks


def _predicted(trainings: Sequence[_Training]) -> list[pa.Table]:
    tables = []
    for one in trainings:
        beside = replace(one.rows, validation=_table(one.fold.test))
        weights = fetch_published(one.weights) / BEST
        tier = scoring_tier(one.features.tier)
        log_probs_NK = log_probabilities(one.config, beside, one.features.sources, weights, tier)
        probs_NK = scipy.special.softmax(log_probs_NK, axis=1)
        # A copy is another recording of its speaker: its name must differ.
        named = [
            row.utterance if row.is_original else replace(row.utterance, id=row.name)
            for row in one.fold.test
        ]
        tables.append(prediction_table(named, probs_NK, one.rows.labels, one.fold.number, one.seed))
    return tables
