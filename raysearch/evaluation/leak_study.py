"""How much of a published figure is leakage: one system, four ways to split.

The 1D-CNN of arXiv 2507.03251 is tested on rows that are augmented siblings of its training rows:
files were expanded first and split after. Four arms learn from equally many rows in equally many
steps and are scored on clean originals, arm A on its augmented test rows, too. A - B is what the
siblings give, B - C what sharing speakers gives.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pyarrow as pa
import ray
import scipy.special

from raysearch.config.identity import seed_from
from raysearch.errors import UserError
from raysearch.evaluation.arm import NUM_SEEDS, is_trained
from raysearch.evaluation.figures import ArmFigures, Figures, LeakStudy
from raysearch.evaluation.leak_arms import LeakArm, LeakRow, arms_of
from raysearch.evaluation.markdown import markdown_table, percent
from raysearch.evaluation.predict import log_probabilities, prediction_table
from raysearch.evaluation.retraining import retraining
from raysearch.evaluation.run_arms import train_missing
from raysearch.evaluation.scores import score
from raysearch.files import write_json, write_text
from raysearch.protocols.splits import Split
from raysearch.ray_cluster.session import ClusterSession
from raysearch.run_folder import RunFolder
from raysearch.run_lease import Lease
from raysearch.spec import SearchSpec, published_values
from raysearch.storage.run_storage import fetch_published, publication
from raysearch.streaming.preparation import AuditedSplit, tier_for
from raysearch.streaming.shards import ensure_features
from raysearch.streaming.split_rows import RowTable, SplitRows, row_key
from raysearch.streaming.store import FeatureSource, feature_store
from raysearch.streaming.tiers import Tier, scoring_tier
from raysearch.streaming.trial_features import TrialFeatures
from raysearch.training.transductive import refuse_transductive
from raysearch.training.trial_state import BEST
from raysearch.trial_config import TrialConfig
from raysearch.tuning.tuner import Watcher
from raysearch.workers.trial_task import TrialTask

if TYPE_CHECKING:
    from raysearch.corpora.utterance import Utterance

__all__ = ["CELLS", "MEANINGS", "check_spec", "leak_study", "sentence"]

# Four rows a file, as the paper has of EMO-DB: its noise, its shift, and white noise beside them.
CELLS = ("noise:paper", "pitch:0.7", "noise:20")
MEANINGS = {
    "A": "expand, then split at random",
    "B": "split at random, then expand train",
    "C": "split by speaker, then expand train",
    "D": "as B, labels shuffled",
}


def check_spec(spec: SearchSpec) -> None:
    """Raise UserError for settings under which no arm would be honest."""
    if spec.protocol.name == "paper":
        raise UserError("leak-study splits at random itself, beside --protocol: not paper again")
    if spec.corpus.shuffle_labels:
        raise UserError("leak-study shuffles labels itself, in arm D: not corpus.shuffle_labels")
    # Two of its arms have speakers on both sides: whose statistics those are would be a fifth.
    refuse_transductive(spec, "leak-study")


def leak_study(
    spec: SearchSpec,
    run: RunFolder,
    lease: Lease,
    audited: AuditedSplit,
    session: ClusterSession,
    *,
    cells: Sequence[str] = CELLS,
    storage: Path,
    watcher: Watcher,
) -> LeakStudy:
    """Train each arm with three seeds at the published settings, and score it.

    Args:
        spec: the system; its published settings are used, else those of its sections.
        run: the study's folder; what was trained before is not trained again.
        lease: of the folder.
        audited: the corpus, split by speaker.
        session: the connected Ray.
        cells: what a file is expanded by.
        storage: where features are kept.
        watcher: who is told.

    Returns:
        ``arms``: name to figures; ``siblings`` and ``speakers``: A - B and B - C in UA. It lies
        in ``leak_study.json``, and for readers in ``leak_study.md``.

    Raises:
        UserError: the random or the shuffled side is asked for as the honest one.
    """
    check_spec(spec)
    config = spec.resolve(published_values(spec))
    # The arms expand the rows themselves.
    config = config.replace({"waveform_augment.cells": "none"})
    features = _features(spec, config, audited.split, storage, cells, watcher)
    labels = audited.split.labels
    arms = arms_of(_usable(audited.split, features.quarantined), cells)
    tables = {arm.name: _rows(arm, labels) for arm in arms}
    tasks = [
        task for arm in arms for task in _tasks(spec, config, arm, tables, features, run, lease)
    ]
    train_missing(
        tasks,
        spec,
        run,
        session,
        line=lambda times: f"training {len(arms)} arms: {times} times",
        watcher=watcher,
    )
    found = {
        arm.name: _figures(arm, config, tables[arm.name], features, labels, run) for arm in arms
    }
    ua = {name: figures["ua"]["mean"] for name, figures in found.items()}
    study: LeakStudy = {
        "space": spec.name,
        "corpus": spec.corpus.name,
        "protocol": spec.protocol.name,
        "fold": audited.split.fold,
        "cells": list(cells),
        "num_train_rows": len(arms[0].train),
        "epochs": config.training.epochs,
        "arms": found,
        "siblings": ua["A"] - ua["B"],
        "speakers": ua["B"] - ua["C"],
    }
    write_json(run.root / "leak_study.json", study)
    write_text(run.root / "leak_study.md", _markdown(study))
    return study


def sentence(study: LeakStudy) -> str:
    """Say in one sentence what the study shows."""
    arms = study["arms"]
    own = percent(arms["A"]["augmented_test"]["ua"]["mean"])
    honest, chance = (percent(arms[name]["ua"]["mean"]) for name in "CD")
    return (
        f"Augmented siblings in the test give {100 * study['siblings']:+.1f} UA points (A - B), "
        f"sharing speakers {100 * study['speakers']:+.1f} (B - C); scored on its own augmented "
        f"test rows, as the paper did, A shows {own} where the honest arm C has {honest} "
        f"and shuffled labels {chance}."
    )


def _markdown(study: LeakStudy) -> str:
    rows = []
    for name, figures in study["arms"].items():
        seeds = ", ".join(percent(value) for value in figures["ua"]["per_seed"])
        size = f"{figures['num_speakers']} speakers"
        verdict = "honest" if figures["valid"] else "chance" if name == "D" else "invalid"
        ua = percent(figures["ua"]["mean"])
        rows.append((name, MEANINGS[name], ua, seeds, size, verdict))
    lines = [
        f"# Leak study: {study['space']} on {study['corpus']}",
        "",
        f"{study['num_train_rows']} training rows in each arm, {study['epochs']} epochs, cells "
        f"{', '.join(study['cells'])}; C is fold {study['fold']} of {study['protocol']}. Tested on "
        "clean originals, those of A, B and D the same.",
        "",
        *markdown_table(("arm", "", "UA", "each seed", "tested on", ""), rows),
        "",
        sentence(study),
    ]
    return "\n".join(lines) + "\n"


@dataclass(frozen=True)
class _Features:
    """Of every row clean and after every cell, test rows too: nothing is searched here."""

    sources: dict[str, FeatureSource]
    quarantined: set[str]  # utterances that have none
    tier: Tier


def _features(
    spec: SearchSpec,
    config: TrialConfig,
    split: Split,
    storage: Path,
    cells: Sequence[str],
    watcher: Watcher,
) -> _Features:
    found = {
        stream: ensure_features(
            [*split.train, *split.validation, *split.test],
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
    tier, reason = tier_for(spec.search, sum(features.num_bytes for features in found.values()))
    watcher.say(f"features: tier {tier}: {reason}")
    return _Features(
        sources={stream: features.source for stream, features in found.items()},
        quarantined={name for features in found.values() for name in features.quarantined},
        tier=tier,
    )


def _usable(split: Split, unusable: set[str]) -> Split:
    """Without rows that have no features, or a class that arm C never learns."""
    labels = set(split.labels)

    def usable(rows: "Sequence[Utterance]") -> "tuple[Utterance, ...]":
        return tuple(row for row in rows if row.id not in unusable and row.emotion in labels)

    return replace(
        split,
        train=usable(split.train),
        validation=usable(split.validation),
        test=usable(split.test),
    )


def _table(rows: Sequence[LeakRow], labels: Sequence[str]) -> RowTable:
    return RowTable(
        ids=tuple(row.name for row in rows),
        keys=tuple(row_key(row.utterance.content_hash, row.cell) for row in rows),
        labels=tuple(labels.index(row.emotion) for row in rows),
    )


def _rows(arm: LeakArm, labels: tuple[str, ...]) -> SplitRows:
    return SplitRows(_table(arm.train, labels), _table(arm.validation, labels), labels)


def _tasks(
    spec: SearchSpec,
    config: TrialConfig,
    arm: LeakArm,
    tables: dict[str, SplitRows],
    features: _Features,
    run: RunFolder,
    lease: Lease,
) -> list[TrialTask]:
    rows = ray.put([tables[arm.name]])
    data = TrialFeatures(rows, features.sources, features.tier)
    return [
        retraining(
            f"{arm.name}-{seed}",
            config,
            # The same seeds in each arm: only the rows differ.
            seed=seed_from("leak-study", spec.search.seed, seed),
            objective=spec.search.objective,
            data=data,
            weights=_weights(run, arm, seed),
            publication=publication(run.root, lease),
        )
        for seed in range(NUM_SEEDS)
        if not is_trained(_weights(run, arm, seed))
    ]


def _weights(run: RunFolder, arm: LeakArm, seed: int) -> Path:
    return run.root.absolute() / f"arm-{arm.name}" / f"seed-{seed + 1}" / "weights"


def _figures(
    arm: LeakArm,
    config: TrialConfig,
    rows: SplitRows,
    features: _Features,
    labels: tuple[str, ...],
    run: RunFolder,
) -> ArmFigures:
    def scored(test: Sequence[LeakRow]) -> Figures:
        beside = replace(rows, validation=_table(test, labels))
        parts = []
        for seed in range(NUM_SEEDS):
            weights = fetch_published(_weights(run, arm, seed)) / BEST
            log_probs_NK = log_probabilities(
                config, beside, features.sources, weights, scoring_tier(features.tier)
            )
            probs_NK = scipy.special.softmax(log_probs_NK, axis=1)
            # A cell is another recording of its speaker: its name must differ.
            named = [replace(row.utterance, id=row.name) for row in test]
            parts.append(prediction_table(named, probs_NK, labels, 0, seed))
        notes = [] if arm.valid else ["invalid: this arm leaks, or its labels are shuffled"]
        return score(pa.concat_tables(parts), protocol=f"arm {arm.name}", where={}, notes=notes)

    figures = cast("ArmFigures", scored(arm.test))
    figures["valid"] = arm.valid
    if arm.augmented_test:
        figures["augmented_test"] = scored(arm.augmented_test)
    return figures
