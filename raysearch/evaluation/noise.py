"""How a finished search's weights bear noise: the test rows again at falling SNRs."""

from pathlib import Path
from typing import cast

import pyarrow as pa

from raysearch.evaluation.arm import Arm
from raysearch.evaluation.evaluate import final_arm_on
from raysearch.evaluation.figures import Figures, NoiseLevel, NoiseSweep, Where
from raysearch.evaluation.predict import predict_arm
from raysearch.evaluation.run_splits import RunSplits
from raysearch.evaluation.scores import score
from raysearch.evaluation.transductive_notes import transductive_notes
from raysearch.files import write_json
from raysearch.run_folder import RunFolder
from raysearch.training.checkpoint import load_json
from raysearch.training.transductive import is_transductive
from raysearch.tuning.tuner import Watcher

__all__ = ["SNRS_DB", "noise_sweep", "stored_noise"]

SNRS_DB = (20, 10, 5, 0)


def stored_noise(run: RunFolder) -> NoiseSweep | None:
    """Read what an earlier sweep over noise levels found; None if there was none."""
    path = run.root / "noise.json"
    return cast("NoiseSweep", load_json(path)) if path.exists() else None


def noise_sweep(
    run: RunFolder, storage: Path, watcher: Watcher, splits: RunSplits | None = None
) -> NoiseSweep:
    """Score every seed's weights on clean and on noisy test rows; nothing is retrained.

    The noise is white, at each SNR the same for every system: seeded by the recording. By speaker,
    the noisy recordings normalise themselves: clean ones would not be at hand.

    Args:
        run: evaluated on its fold before, so that each seed has its weights.
        storage: where features are kept.
        watcher: who is told.
        splits: those of the run, from a caller who has read its corpus already.

    Returns:
        ``levels``: for each SNR in dB (None is clean) the figures of ``score``.

    Raises:
        UserError: a seed's weights are not there.
    """
    spec, splits = run.spec(), splits or RunSplits(run, storage)
    arm = final_arm_on(run, spec, splits.of(spec))
    arm.check_weights()
    arm = arm.prepared(storage)
    levels: list[NoiseLevel] = []
    for snr_db in (None, *SNRS_DB):
        table, unusable = predict_arm(arm, storage, watcher.progress, cell=_cell(snr_db))
        levels.append({"snr_db": snr_db, **_figures(arm, table), "num_unusable": len(unusable)})
        watcher.say(f"scored at {'no noise' if snr_db is None else f'{snr_db} dB'}")
    found: NoiseSweep = {"trial": arm.identity, "levels": levels}
    write_json(run.root / "noise.json", found)
    return found


def _cell(snr_db: int | None) -> str:
    return "" if snr_db is None else f"noise:{snr_db}"


def _figures(arm: Arm, table: pa.Table) -> Figures:
    where: Where = {"fold": arm.audited.split.fold, "transductive": is_transductive(arm.config)}
    notes = transductive_notes(arm.config, [table])
    return score(table, protocol=arm.spec.protocol.name, where=where, notes=notes)
