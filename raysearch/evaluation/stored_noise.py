"""What sweeps over kinds and levels of noise have found: stored beside a run, and read again."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import cast

from raysearch.errors import UserError
from raysearch.evaluation.experiment_figures import NoiseLevel, NoiseSweep
from raysearch.evaluation.figures import folds_shown, of_metric
from raysearch.evaluation.markdown import markdown_table, percent
from raysearch.features.disturbance_table import KINDS, Level, levels_of
from raysearch.files import write_json
from raysearch.run_folder import RunFolder
from raysearch.training.transductive import mark
from raysearch.training.validation_metrics import confusion_metrics

__all__ = ["CLEAN", "kinds_of", "missing_levels", "noise_rows", "store_noise", "stored_noise"]

CLEAN = "clean"


def stored_noise(run: RunFolder) -> NoiseSweep | None:
    """Read what earlier sweeps found; None if there was none.

    Raises:
        UserError: the file is damaged.
    """
    path = _file(run)
    if not path.is_file():
        return None
    try:
        found = cast("NoiseSweep", json.loads(path.read_text(encoding="utf-8")))
        levels = [_as_now(cast("dict[str, object]", level)) for level in found["levels"]]
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path}: not a sweep ({error!r}); remove it and measure anew") from None
    return {**found, "levels": levels}


def store_noise(run: RunFolder, found: NoiseSweep) -> None:
    """Write the figures, and a table of them as Markdown beside them."""
    write_json(_file(run), found)
    header, *rows = noise_rows(found["levels"])
    transductive = any(level.get("transductive", False) for level in found["levels"])
    lines = [f"# The same weights under noise{mark(transductive)}", ""]
    if "winners" in found:
        folds = folds_shown(found["winners"])
        lines += [f"Test rows of {folds}.", ""]
    lines += [*markdown_table(header, rows), ""]
    lines += [f"- left out: {name}: {why}" for name, why in found.get("left_out", {}).items()]
    (run.root / "noise.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


def missing_levels(found: NoiseSweep | None, kinds: Sequence[str]) -> list[Level]:
    """The levels of ``kinds`` that ``found`` has no figures of, nor a reason why it has none."""
    if found is None:
        return list(levels_of(kinds))
    has = {(level["kind"], level["level"]) for level in found["levels"]}
    left_out = found.get("left_out", {})
    return [
        level
        for level in levels_of(kinds)
        if (level.kind, level.shown) not in has
        and (level.in_words not in left_out or _can_be_made_now(level))
    ]


def kinds_of(found: NoiseSweep | None) -> list[str]:
    """The kinds of noise that were asked for, scored or left out; none if nothing was found."""
    if found is None:
        return []
    named = [level["kind"] for level in found["levels"]]
    named += [name.partition(",")[0] for name in found.get("left_out", {})]
    return [kind for kind in KINDS if kind in named]


def noise_rows(levels: Sequence[NoiseLevel]) -> list[list[str]]:
    """A table's heading and rows: kind, level, each metric, and what noise takes of the UA.

    A kind is named once.
    """
    metrics = confusion_metrics()
    rows = [["noise", "level", *(m.label for m in metrics.values()), "UA lost", "verdict"]]
    last = ""
    for level in levels:
        kind = "" if level["kind"] == last else level["kind"]
        last = level["kind"]
        values = [percent(of_metric(level, key)["mean"]) for key in metrics]
        compared = level.get("comparison")
        lost = f"{0 - 100 * compared['difference']:.1f}" if compared else ""
        verdict = compared["verdict"] if compared else ""
        rows.append([kind, level["level"], *values, lost, verdict])
    return rows


def _can_be_made_now(level: Level) -> bool:
    """Whether a level that was left out was so for what the machine has by now."""
    return KINDS[level.kind].lacking is not None and level.lacking is None


def _file(run: RunFolder) -> Path:
    return run.root / "noise.json"


def _as_now(level: dict[str, object]) -> NoiseLevel:
    """The level with its kind; earlier versions wrote an SNR of white noise, or None."""
    if "kind" not in level:
        snr_db = level.pop("snr_db")
        shown = "" if snr_db is None else f"{snr_db} dB"
        level |= {"kind": "white" if shown else CLEAN, "level": shown}
    return cast("NoiseLevel", level)
