"""A run's winner in the outer folds that an experiment asks for.

A nested evaluation has searched in every fold: each has a winner of its own, whose settings never
met the fold's test speakers. Elsewhere the searched fold has a winner, and other folds can have its
settings, which speakers whom they test have chosen; that is said beside every figure.
"""

from collections.abc import Callable, Collection, Sequence

from raysearch.errors import UserError
from raysearch.evaluation.arm import Arm
from raysearch.evaluation.evaluate import (
    best_record,
    final_arm_on,
    nested_arm,
    other_specs,
    reused_arm,
    winner_arm_on,
)
from raysearch.evaluation.evaluation_notes import evaluation_notes
from raysearch.evaluation.experiment_figures import Winners
from raysearch.evaluation.figures import Mode, Where
from raysearch.evaluation.run_splits import RunSplits
from raysearch.evaluation.stored_evaluations import stored_evaluations
from raysearch.evaluation.stored_predictions import Predicted
from raysearch.run_folder import RunFolder
from raysearch.spec import SearchSpec
from raysearch.storage.replica import pasted
from raysearch.streaming.preparation import AuditedSplit
from raysearch.training.transductive import is_transductive
from raysearch.trial_config import TrialConfig

__all__ = [
    "Folds",
    "fold_notes",
    "folds_asked",
    "folds_of",
    "is_answer",
    "is_nested",
    "is_searched",
    "scored_arms",
    "where_of",
    "winner_arms",
    "winner_configs",
    "winners_of",
]

# The numbers of outer folds; None: all of them.
Folds = Sequence[int] | None
# An arm of a run on a split of its own.
_Maker = Callable[[RunFolder, SearchSpec, AuditedSplit], Arm]


def is_nested(run: RunFolder) -> bool:
    """Whether a nested evaluation has found a winner in every fold."""
    return "nested" in stored_evaluations(run)


def folds_asked(run: RunFolder, text: str | None) -> Folds:
    """The folds that ``--folds`` names, in order and once each; None for all of several.

    Args:
        run: a searched run.
        text: ``all``, or numbers; None: all that were searched.

    Raises:
        UserError: it is neither.
    """
    if text is None:
        return None if is_nested(run) else [run.spec().protocol.fold]
    if text.strip() == "all":
        protocol = run.spec().protocol
        return [protocol.fold] if protocol.name == "paper" else None
    words = [word.strip() for word in text.split(",")]
    if not all(word.isascii() and word.isdigit() for word in words):
        raise UserError(f"--folds {text}: write all, or numbers such as 0,2")
    return sorted({int(word) for word in words})


def winner_configs(run: RunFolder, folds: Folds) -> list[TrialConfig]:
    """The settings of the winner in each of ``folds``, each once; no corpus is read for them.

    Raises:
        UserError: no trial has a value and a checkpoint yet, or there is no such fold.
    """
    spec, nested = run.spec(), stored_evaluations(run).get("nested")
    numbers = [spec.protocol.fold]
    if nested is not None:
        every = range(nested["nested"])
        _check_folds(run, folds, every)
        numbers = list(every) if folds is None else list(folds)
    found: dict[str, TrialConfig] = {}
    for fold in numbers:
        record = best_record(_run_in(run, fold))
        found.setdefault(record.trial, spec.resolve(record.config))
    return list(found.values())


def winner_arms(run: RunFolder, folds: Folds, splits: RunSplits) -> tuple[Arm, ...]:
    """The winning trial in each of ``folds``, in their order; nothing is trained.

    A run that was searched under the paper protocol has one fold, its own.

    Raises:
        UserError: there is no such fold, or no winner yet.
        DataError: a split leaks, or its data is unusable.
    """
    return _arms(run, folds, splits, winner_arm_on)


def scored_arms(run: RunFolder, folds: Folds, splits: RunSplits) -> tuple[Arm, ...]:
    """What ``evaluate`` scores in each of ``folds``; raises as ``winner_arms``.

    That is the final model of each search, and where the settings of one search stand in several
    folds, its winner.
    """
    final = is_nested(run) or folds == [run.spec().protocol.fold]
    return _arms(run, folds, splits, final_arm_on if final else winner_arm_on)


def folds_of(arms: Sequence[Arm]) -> list[int]:
    """The folds of ``arms``."""
    return [arm.spec.protocol.fold for arm in arms]


def is_searched(arms: Sequence[Arm]) -> bool:
    """Whether each winner was found in its own fold, where no test speaker had a part in it."""
    return all(arm.searched for arm in arms)


def where_of(arms: Sequence[Arm]) -> Where:
    """What ``score`` is told of the folds of ``arms``."""
    where: Where = {"transductive": is_transductive(arms[0].config)}
    if len(arms) == 1:
        return {"fold": folds_of(arms)[0], **where}
    return {"nested": len(arms), **where} if is_searched(arms) else {"folds": len(arms), **where}


def fold_notes(
    run: RunFolder,
    winner: Sequence[Arm],
    arms: Sequence[Arm],
    results: Sequence[Predicted],
    *,
    final: bool = False,
) -> list[str]:
    """What a reader must know of figures on several folds, or on one of them.

    Args:
        run: whose they are.
        winner: of each fold.
        arms: what was scored: the winner itself, or what it is changed to.
        results: of each arm what it said of its test rows.
        final: whether each of these is a final model.
    """
    mode: Mode = "nested" if len(arms) > 1 else "fold"
    if not is_searched(winner):
        mode = "reuse-settings"
    alone = [_alone(run, winner[0])] if len(winner) == 1 else []
    return [*evaluation_notes(run, mode, arms, results, final=final), *alone]


def winners_of(run: RunFolder, arms: Sequence[Arm], folds: Folds) -> Winners:
    """What a file of figures says of whose they are.

    Args:
        run: the run.
        arms: its winner, one arm a fold.
        folds: as they were asked for.
    """
    return {
        "trial": best_record(run).trial,
        "winners": {str(arm.spec.protocol.fold): arm.identity for arm in arms},
        "asked_folds": None if folds is None else list(folds),
    }


def is_answer(run: RunFolder, found: Winners, folds: Folds) -> bool:
    """Whether figures are of ``folds``, and of those who win there now."""
    asked = None if folds is None else list(folds)
    if "winners" not in found or found["asked_folds"] != asked:
        return False
    nested = is_nested(run)
    return all(
        trial == best_record(_run_in(run, int(fold)) if nested else run).trial
        for fold, trial in found["winners"].items()
    )


def _run_in(run: RunFolder, fold: int) -> RunFolder:
    """Where a nested evaluation has searched inside ``fold``."""
    return run if fold == run.spec().protocol.fold else run.nested(fold)


def _arms(run: RunFolder, folds: Folds, splits: RunSplits, maker: _Maker) -> tuple[Arm, ...]:
    spec, nested = run.spec(), is_nested(run)
    own = maker(run, spec, splits.of(spec))
    others = [] if spec.protocol.name == "paper" else other_specs(spec, own)
    by_fold = {one.protocol.fold: one for one in (spec, *others)}
    _check_folds(run, folds, by_fold)

    def arm(fold: int) -> Arm:
        other = by_fold[fold]
        if other is spec:
            return own
        if nested:
            return nested_arm(run, other, splits, maker)
        return reused_arm(run, own, other, splits)

    return tuple(arm(fold) for fold in sorted(by_fold if folds is None else set(folds)))


def _check_folds(run: RunFolder, folds: Folds, there: Collection[int]) -> None:
    for fold in folds or ():
        if fold not in there:
            numbers = ", ".join(map(str, sorted(there)))
            raise UserError(f"--folds {fold}: no such fold of {run.root}: it has {numbers}")


def _alone(run: RunFolder, arm: Arm) -> str:
    fold = f"fold {arm.spec.protocol.fold} alone"
    if arm.spec.protocol.name == "paper":
        return f"{fold}: the paper protocol has no other"
    if is_nested(run):
        return f"{fold}: --folds all takes every fold"
    return (
        f"{fold}: raysearch evaluate {pasted(run.root)} --nested searches in the others, too; "
        "--folds all trains these settings there"
    )
