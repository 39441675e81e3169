"""Scoring a finished search on test rows, under the rules of what may be claimed."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pyarrow as pa

from raysearch.errors import UserError
from raysearch.evaluation.arm import NUM_SEEDS, Arm, paper_arm
from raysearch.evaluation.calibration import at_temperature, calibration_error
from raysearch.evaluation.evaluation_notes import evaluation_notes
from raysearch.evaluation.figures import Calibrated, EvaluationFigures, Mode, Where
from raysearch.evaluation.final_model import FinalModel, load_final
from raysearch.evaluation.final_stage import single_model
from raysearch.evaluation.other_models import cost_of, parts_of, score_parts
from raysearch.evaluation.predict import pooled
from raysearch.evaluation.run_arms import run_arms
from raysearch.evaluation.run_splits import RunSplits
from raysearch.evaluation.scores import score
from raysearch.evaluation.starting_point import check_start
from raysearch.evaluation.stored_evaluations import (
    store_evaluations,
    store_predictions,
    stored_evaluations,
)
from raysearch.evaluation.stored_predictions import Predicted
from raysearch.protocols.folds import outer_folds
from raysearch.ray_cluster.session import ClusterSession
from raysearch.run_folder import RunFolder
from raysearch.run_lease import Lease
from raysearch.spec import SearchSpec
from raysearch.streaming.preparation import AuditedSplit
from raysearch.training.transductive import is_transductive
from raysearch.trial_records import TrialRecord
from raysearch.tuning.tuner import Watcher

__all__ = [
    "best_record",
    "evaluate",
    "final_arm",
    "final_arm_on",
    "is_over",
    "nested_arm",
    "other_specs",
    "reused_arm",
    "scored_arms",
    "where_scored",
    "winner_arm_on",
]


def best_record(run: RunFolder) -> TrialRecord:
    """Find the trial with the best validation value that has a checkpoint.

    Raises:
        UserError: no trial has a value and a checkpoint yet.
    """
    ranked = [record for record in run.trials().ranked() if record.checkpoint]
    if not ranked:
        raise UserError(f"{run.root}: no trial has been trained yet; run or resume the search")
    return ranked[0]


def evaluate(
    run: RunFolder,
    mode: Mode,
    session: ClusterSession,
    lease: Lease,
    *,
    storage: Path,
    watcher: Watcher,
    splits: RunSplits | None = None,
) -> EvaluationFigures:
    """Score the final model on test rows, and what it was made of beside it; write the figures.

    A single net or a bag is retrained with other seeds, whose mean is the figure; a refit and an
    ensemble are scored as they are, for every seed where another fold has some. ``fold`` scores
    the searched fold. ``nested`` pools it with what the same search has found inside each other
    outer fold (``raysearch.searching.other_folds``).
    ``reuse-settings`` trains the winner's settings in the other folds, whose speakers chose them.
    ``paper`` retrains them under the paper's own split.

    Args:
        run: a searched run.
        mode: what is scored.
        session: the connected Ray.
        lease: of the run's folder.
        storage: where features are kept.
        watcher: who is told.
        splits: those of the run, from a caller who has read its corpus already.

    Returns:
        The content of the evaluation file; predictions lie beside it.

    Raises:
        UserError: nothing to evaluate, or the data is not the run's.
        DataError: a split leaks, or its audio is unusable.
    """
    own, arms, results = scored_arms(
        run, mode, session, lease, storage=storage, watcher=watcher, splits=splits
    )
    spec = own.spec
    table = pooled([table for table, _ in results])
    figures: EvaluationFigures = {
        "mode": mode,
        "trial": own.identity,
        "final": [arm.method for arm in arms],
        **score(
            table,
            protocol="paper" if mode == "paper" else spec.protocol.name,
            where=where_scored(mode, own, arms),
            notes=evaluation_notes(run, mode, arms, results),
        ),
        "cost": cost_of(arms[0]),
        "parts": score_parts(arms, table, storage),
        **_calibrated(arms, [table for table, _ in results]),
    }
    stored = {**stored_evaluations(run), mode: figures}
    store_predictions(run, mode, table, stored)
    store_evaluations(run, stored)
    return figures


def scored_arms(
    run: RunFolder,
    mode: Mode,
    session: ClusterSession,
    lease: Lease,
    *,
    storage: Path,
    watcher: Watcher,
    splits: RunSplits | None = None,
) -> tuple[Arm, list[Arm], list[Predicted]]:
    """Have the models that ``mode`` scores predict their test rows.

    The arguments are those of ``evaluate``, which says what is raised.

    Returns:
        The arm of the searched fold; all of them with their features; and what each predicts.
    """
    spec, final = run.spec(), mode in ("fold", "nested")
    splits = splits or RunSplits(run, storage)
    own = (final_arm_on if final else winner_arm_on)(run, spec, splits.of(spec))
    if mode == "fold":
        arms = [own]
    elif mode == "paper":
        arms = [paper_arm(own, run.root / "refits-paper")]
        check_start(run, arms[0].audited)
    elif mode == "nested":
        others = [nested_arm(run, one, splits, final_arm_on) for one in other_specs(spec, own)]
        arms = _in_order([own, *others])
    else:
        others = [reused_arm(run, own, one, splits) for one in other_specs(spec, own)]
        arms = _in_order([own, *others])
    ready, results = run_arms(
        arms,
        spec,
        run,
        lease,
        session,
        line=lambda times: f"retraining with other seeds: {times}",
        storage=storage,
        watcher=watcher,
    )
    return own, ready, results


def _calibrated(arms: Sequence[Arm], tables: Sequence[pa.Table]) -> Calibrated:
    """The calibration error, each fold's model at the temperature of its own inner validation."""
    known = [arm.temperature for arm in arms if arm.temperature is not None]
    if len(known) < len(arms):
        return {}
    scaled = [at_temperature(table, t) for table, t in zip(tables, known, strict=True)]
    return {"temperatures": known, "ece_at_temperature": calibration_error(pooled(scaled))}


def final_arm(run: RunFolder, spec: SearchSpec, storage: Path) -> Arm:
    """The run's final model on the fold that it was searched on."""
    return final_arm_on(run, spec, RunSplits(run, storage).of(spec))


def winner_arm_on(run: RunFolder, spec: SearchSpec, audited: AuditedSplit) -> Arm:
    """The run's best trial, alone, on the split that it was searched on."""
    return _arm(run, spec, audited, single_model(run, spec, best_record(run)))


def final_arm_on(run: RunFolder, spec: SearchSpec, audited: AuditedSplit) -> Arm:
    """The run's final model on a split that was made before."""
    record, model = best_record(run), load_final(run)
    if model is None or model.winner != record.trial:
        # Interrupted before it was made, or by an earlier version.
        model = single_model(run, spec, record)
    return replace(_arm(run, spec, audited, model), parts=parts_of(run, spec, model))


def _arm(run: RunFolder, spec: SearchSpec, audited: AuditedSplit, model: FinalModel) -> Arm:
    for net in model.nets:
        net.weights  # noqa: B018  those that are gone are told before anything is trained
    retrained = model.method in ("single", "bag")
    record = best_record(run)
    return Arm(
        spec,
        audited,
        spec.resolve(record.config),
        model.winner,
        run.root / "refits",
        searched=model.nets,
        method=model.method,
        num_inner=1 + len(audited.inner) if model.method == "bag" else 1,
        num_seeds=NUM_SEEDS if retrained else 1,
        temperature=model.validation.get("temperature"),
        last_epoch=None if record.status == "completed" else record.last_epoch,
    )


def other_specs(spec: SearchSpec, own: Arm) -> list[SearchSpec]:
    """The same search in each other outer fold.

    Args:
        spec: the search.
        own: a model of the fold that was searched.

    Raises:
        UserError: the paper's protocol has one fold.
    """
    if spec.protocol.name == "paper":
        raise UserError("this run was searched under the paper protocol: only its fold is scored")
    num_folds = len(outer_folds(own.audited.corpus, spec.protocol))
    # A warm start's settings may have seen the other folds' test speakers: they search afresh.
    search = spec.search.model_copy(update={"warm_start": None})
    return [
        replace(spec, search=search, protocol=spec.protocol.model_copy(update={"fold": fold}))
        for fold in range(num_folds)
        if fold != spec.protocol.fold
    ]


def reused_arm(run: RunFolder, own: Arm, other: SearchSpec, splits: RunSplits) -> Arm:
    """The winner's settings in another fold than its own, whose speakers chose them."""
    folder = run.root / "refits-reused" / f"fold-{other.protocol.fold}"
    audited = splits.of(other)
    return Arm(other, audited, own.config, own.identity, folder, last_epoch=own.last_epoch)


def nested_arm(
    run: RunFolder,
    other: SearchSpec,
    splits: RunSplits,
    maker: Callable[[RunFolder, SearchSpec, AuditedSplit], Arm],
) -> Arm:
    """What the same search has found inside another outer fold.

    Args:
        run: the searched run.
        other: the same search in the other fold.
        splits: of the run.
        maker: ``final_arm_on`` or ``winner_arm_on``.

    Raises:
        UserError: that search is not over.
    """
    inner = run.nested(other.protocol.fold)
    if not is_over(inner, other):
        raise UserError(
            f"{inner.root}: no finished search inside fold {other.protocol.fold}: "
            "raysearch evaluate --nested searches there"
        )
    return maker(inner, other, splits.of(other))


def is_over(run: RunFolder, spec: SearchSpec) -> bool:
    """Whether the search of ``spec`` in ``run`` ended by its trials or by a budget."""
    if not run.spec_file.is_file():
        return False
    made = load_final(run) is not None
    return run.is_over and made and len(run.trials().records) > 0 and run.spec() == spec


def _in_order(arms: Sequence[Arm]) -> list[Arm]:
    return sorted(arms, key=lambda arm: arm.spec.protocol.fold)


def where_scored(mode: Mode, own: Arm, arms: Sequence[Arm]) -> Where:
    """On which folds ``arms`` are scored; arguments as ``scored_arms`` gives them."""
    found: Where = {"transductive": is_transductive(own.config)}
    if mode == "nested":
        return {"nested": len(arms), **found}
    if mode == "reuse-settings":
        return {"folds": len(arms), **found}
    found = {"fold": arms[0].audited.split.fold, **found}
    if mode == "paper":
        return {**found, "valid": arms[0].spec.published.epoch_from != "test"}
    return found
