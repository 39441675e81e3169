"""How a finished search's model bears noise: the test rows again, disturbed."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from raysearch.evaluation.arm import Arm
from raysearch.evaluation.compare import compare_all
from raysearch.evaluation.disturbed_rows import why_not
from raysearch.evaluation.evaluate import best_record
from raysearch.evaluation.experiment_figures import NoiseLevel, NoiseSweep
from raysearch.evaluation.figures import ComparedFigures, folds_shown
from raysearch.evaluation.outlay import outlay_of
from raysearch.evaluation.predict import pooled
from raysearch.evaluation.run_arms import run_arms
from raysearch.evaluation.run_splits import RunSplits
from raysearch.evaluation.scores import score
from raysearch.evaluation.stored_noise import CLEAN, kinds_of, store_noise, stored_noise
from raysearch.evaluation.stored_predictions import Predicted, has_predictions, predicted
from raysearch.evaluation.winner_folds import (
    Folds,
    fold_notes,
    folds_of,
    is_answer,
    scored_arms,
    where_of,
    winners_of,
)
from raysearch.features.disturbance_table import KINDS, Level, levels_of
from raysearch.ray_cluster.session import ClusterSession
from raysearch.run_folder import RunFolder
from raysearch.run_lease import Lease
from raysearch.tuning.tuner import Watcher

__all__ = ["noise_answer", "noise_sweep"]

# The test rows of each fold; None are the clean ones.
_Found = dict[Level | None, list[Predicted]]


def noise_answer(run: RunFolder, folds: Folds) -> NoiseSweep | None:
    """What earlier sweeps have found on ``folds``; None if nothing, or if others win there now.

    Raises:
        UserError: the stored figures are damaged.
    """
    found = stored_noise(run)
    return found if found and is_answer(run, found, folds) else None


def noise_sweep(
    run: RunFolder,
    lease: Lease,
    session: ClusterSession,
    *,
    folds: Folds,
    storage: Path,
    watcher: Watcher,
    splits: RunSplits,
    kinds: Sequence[str] = tuple(KINDS),
) -> NoiseSweep:
    """Score what ``evaluate`` scores in each fold on clean and on disturbed test rows.

    Weights that are there are not trained again. What is drawn is seeded by the recording, so that
    it is the same for every system. By speaker, the noisy recordings normalise themselves: clean
    ones would not be at hand. What was scored before is kept, so that an interrupted sweep goes on
    and a kind can be added later.

    Args:
        run: a searched run.
        lease: of its folder.
        session: the connected Ray.
        folds: on which outer folds; None: all.
        storage: where features are kept.
        watcher: who is told.
        splits: those of the run.
        kinds: of noise.

    Returns:
        ``levels``: for each kind and level, and without noise, the figures of ``score``, and what
        may be claimed of the difference to the clean rows.

    Raises:
        UserError: no winner, no such fold, or stored figures that are damaged.
        TrialError: a training failed.
    """
    known = kinds_of(noise_answer(run, folds))
    arms = scored_arms(run, folds, splits)
    where, outlay = folds_shown(folds_of(arms)), outlay_of(arms, best_record(run))
    watcher.say(f"noise on {where}: {outlay.line()}")
    ready, results = run_arms(
        arms,
        run.spec(),
        run,
        lease,
        session,
        line=lambda times: f"training: {times}",
        storage=storage,
        watcher=watcher,
    )
    scored: _Found = {None: results}
    left_out = {}
    for level in levels_of([kind for kind in KINDS if kind in (*kinds, *known)]):
        why = next(filter(None, (why_not(arm, level) for arm in ready)), None)
        if why is not None:
            left_out[level.in_words] = why
            watcher.say(f"left out: {level.in_words}: {why}")
            continue
        is_new = not all(has_predictions(arm, level) for arm in ready)
        scored[level] = [predicted(arm, storage, watcher.progress, level) for arm in ready]
        if is_new:
            watcher.say(f"scored {level.in_words}")
    found: NoiseSweep = {
        **winners_of(run, ready, folds),
        "levels": _levels(run, ready, scored),
        "left_out": left_out,
    }
    store_noise(run, found)
    return found


def _levels(run: RunFolder, arms: Sequence[Arm], scored: _Found) -> list[NoiseLevel]:
    compared = _compared(scored)
    return [_level(run, arms, level, of, compared.get(level)) for level, of in scored.items()]


def _level(
    run: RunFolder,
    arms: Sequence[Arm],
    level: Level | None,
    results: Sequence[Predicted],
    comparison: ComparedFigures | None,
) -> NoiseLevel:
    figures = score(
        pooled([table for table, _ in results]),
        protocol=arms[0].spec.protocol.name,
        where=where_of(arms),
        notes=fold_notes(run, arms, arms, results, final=True),
    )
    kind, shown = (level.kind, level.shown) if level else (CLEAN, "")
    num_unusable = sum(len(missing) for _, missing in results)
    return {
        **figures,
        "kind": kind,
        "level": shown,
        "num_unusable": num_unusable,
        "comparison": comparison,
    }


def _compared(scored: _Found) -> Mapping[Level | None, ComparedFigures]:
    """Each level with the clean rows; nothing of one that made other recordings unusable."""
    unusable = {
        level: {name for _, missing in results for name in missing}
        for level, results in scored.items()
    }
    names = {
        level: level.in_words if level else CLEAN
        for level in scored
        if unusable[level] == unusable[None]
    }
    tables = {name: pooled([table for table, _ in scored[level]]) for level, name in names.items()}
    by_name = {one.first: one.to_dict() for one in compare_all(tables)}
    return {level: by_name[name] for level, name in names.items() if level}
