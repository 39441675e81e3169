"""How a finished search's weights bear noise: the test rows again, disturbed."""

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa

from raysearch.evaluation.arm import Arm
from raysearch.evaluation.disturbed_rows import predict_disturbed, why_not
from raysearch.evaluation.evaluate import final_arm_on
from raysearch.evaluation.figures import Figures, NoiseLevel, NoiseSweep, Where
from raysearch.evaluation.run_splits import RunSplits
from raysearch.evaluation.scores import score
from raysearch.evaluation.stored_noise import CLEAN, missing_levels, store_noise, stored_noise
from raysearch.evaluation.transductive_notes import transductive_notes
from raysearch.features.disturbance_table import KINDS, Level, levels_of
from raysearch.run_folder import RunFolder
from raysearch.training.transductive import is_transductive
from raysearch.tuning.tuner import Watcher

__all__ = ["noise_sweep"]


def noise_sweep(
    run: RunFolder,
    storage: Path,
    watcher: Watcher,
    splits: RunSplits | None = None,
    *,
    kinds: Sequence[str] = tuple(KINDS),
) -> NoiseSweep:
    """Score every seed's weights on clean and on disturbed test rows; nothing is retrained.

    What is drawn is seeded by the recording, so that it is the same for every system. By speaker,
    the noisy recordings normalise themselves: clean ones would not be at hand. What was scored
    before is kept, so that an interrupted sweep goes on and a kind can be added later.

    Args:
        run: evaluated on its fold before, so that each seed has its weights.
        storage: where features are kept.
        watcher: who is told.
        splits: those of the run, from a caller who has read its corpus already.
        kinds: of noise.

    Returns:
        ``levels``: for each kind and level, and without noise, the figures of ``score``.

    Raises:
        UserError: a seed's weights are not there, or the stored figures are damaged.
    """
    spec, splits = run.spec(), splits or RunSplits(run, storage)
    arm = final_arm_on(run, spec, splits.of(spec))
    arm.check_weights()
    arm = arm.prepared(storage)
    found = _started(run, arm)
    for level in (None, *missing_levels(found, kinds)):
        if level is None and found["levels"]:
            continue
        if level and (why := why_not(arm, level)):
            found.setdefault("left_out", {})[level.in_words] = why
            watcher.say(f"left out: {level.in_words}: {why}")
        else:
            found["levels"].append(_scored(arm, storage, watcher, level))
            if level:
                found.get("left_out", {}).pop(level.in_words, None)
            watcher.say(f"scored {level.in_words if level else 'without noise'}")
        found["levels"].sort(key=_place)
        store_noise(run, found)
    return found


def _started(run: RunFolder, arm: Arm) -> NoiseSweep:
    """What was found of this winner before."""
    stored = stored_noise(run)
    if stored is None or stored["trial"] != arm.identity:
        return {"trial": arm.identity, "levels": []}
    return stored


def _scored(arm: Arm, storage: Path, watcher: Watcher, level: Level | None) -> NoiseLevel:
    table, unusable = predict_disturbed(arm, storage, level, watcher.progress)
    kind, shown = (level.kind, level.shown) if level else (CLEAN, "")
    figures = _figures(arm, table)
    return {**figures, "kind": kind, "level": shown, "num_unusable": len(unusable)}


def _place(scored: NoiseLevel) -> int:
    """Where a level stands among all: without noise first, then as the table of kinds has them."""
    order = [(level.kind, level.shown) for level in levels_of(tuple(KINDS))]
    known = (scored["kind"], scored["level"])
    return order.index(known) + 1 if known in order else 0


def _figures(arm: Arm, table: pa.Table) -> Figures:
    where: Where = {"fold": arm.audited.split.fold, "transductive": is_transductive(arm.config)}
    notes = transductive_notes(arm.config, [table])
    return score(table, protocol=arm.spec.protocol.name, where=where, notes=notes)
