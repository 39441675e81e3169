"""Evaluations as runs have stored them: read, checked, and matched with each other."""

import json
import shutil
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import pyarrow as pa
import pyarrow.parquet as pq

from raysearch.errors import UserError
from raysearch.evaluation.figures import EARLIER_METHOD, EvaluationFigures, Mode
from raysearch.evaluation.transductive_notes import check_alike
from raysearch.files import write_json
from raysearch.run_folder import RunFolder
from raysearch.storage.replica import pasted
from raysearch.streaming.rated_rows import refuse_dimensions

__all__ = [
    "System",
    "doubts_of",
    "evaluation_file",
    "is_honest",
    "leading_mode",
    "load_systems",
    "predictions_file",
    "store_evaluations",
    "store_predictions",
    "stored_evaluations",
]

# How a note begins by which a figure is not honest.
DOUBTS = ("settings saw these speakers", "the system saw these speakers", "optimistic:")
# What leads ``evaluation.json`` where several were asked for; the others stand beside it.
_LEADING: tuple[Mode, ...] = ("nested", "fold", "reuse-settings", "paper")
# In the order in which they are believed; the random split is compared only on request.
_HONEST: tuple[Mode, ...] = ("nested", "fold", "reuse-settings")


@dataclass(frozen=True)
class System:
    """The figures that one run has under one kind of evaluation.

    Attributes:
        name: the run's folder as it was given.
        mode: how it was evaluated: ``nested``, ``fold``, ``reuse-settings`` or ``paper``.
        protocol: the protocol's name.
        figures: the evaluation's content.
        table: one row a test utterance and seed.
    """

    name: str
    mode: str
    protocol: str
    figures: EvaluationFigures
    table: pa.Table

    @property
    def transductive(self) -> bool:
        """Whether test speakers' other recordings were used."""
        return bool(self.figures.get("transductive", False))


def evaluation_file(run: RunFolder) -> Path:
    """Return the path of the file that holds a run's figures."""
    return run.root / "evaluation.json"


def is_honest(mode: Mode, figures: EvaluationFigures) -> bool:
    """Whether no test row, nor a test speaker, had a part in what is scored.

    Its notes say so where a warm start or a race saw the speakers, or the split is optimistic.
    """
    believed = mode in ("nested", "fold") and figures["protocol"] != "paper"
    notes = figures.get("notes", [])
    return believed and figures.get("valid", True) and not any(n.startswith(DOUBTS) for n in notes)


def predictions_file(run: RunFolder, mode: str) -> Path:
    """Return the path of the predictions that figures of one kind were computed from."""
    return run.root / f"predictions-{mode}.parquet"


def stored_evaluations(run: RunFolder) -> dict[Mode, EvaluationFigures]:
    """What was found before: asking again trains and scores nothing, so nobody can shop.

    Raises:
        UserError: the file is damaged.
    """
    path = evaluation_file(run)
    if not path.is_file():
        return {}
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        found = {data["mode"]: data, **data.pop("beside", {})}
        for figures in found.values():
            figures["protocol"], figures["ua"]["mean"]
            if figures["ua"]["interval"] and "interval_method" not in figures:
                note = f"intervals: {EARLIER_METHOD}"
                notes = figures.setdefault("notes", [])
                notes += [note] if note not in notes else []
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{path}: not an evaluation ({error!r}); evaluate anew") from None
    return cast("dict[Mode, EvaluationFigures]", found)


def leading_mode(stored: Collection[Mode]) -> Mode:
    """Which of a run's evaluations leads its file."""
    return next(mode for mode in _LEADING if mode in stored)


def store_evaluations(run: RunFolder, stored: Mapping[Mode, EvaluationFigures]) -> None:
    """Write all evaluations of a run."""
    leading = leading_mode(stored)
    beside = {mode: stored[mode] for mode in _LEADING if mode in stored and mode != leading}
    write_json(evaluation_file(run), {**stored[leading], "beside": beside})


def store_predictions(
    run: RunFolder, mode: Mode, table: pa.Table, stored: Collection[Mode]
) -> None:
    """Write the predictions of one evaluation, and those of the one that leads.

    Args:
        run: the evaluated run.
        mode: how it was evaluated.
        table: one row a test utterance and seed.
        stored: all evaluations that the run then has.
    """
    own = predictions_file(run, mode)
    staged = own.with_name(f".{own.name}.tmp")
    pq.write_table(table.drop_columns(["sex"]), staged)
    staged.replace(own)
    shutil.copyfile(predictions_file(run, leading_mode(stored)), staged)
    staged.replace(run.root / "predictions.parquet")


def load_systems(runs: Sequence[Path], *, paper: bool = False) -> list[System]:
    """The runs' figures by the first kind of evaluation that all of them have.

    Args:
        runs: the runs' folders.
        paper: take the random split of ``evaluate --protocol paper`` instead.

    Raises:
        UserError: a run is named twice or is not evaluated, no kind is common to all, protocols
            differ, transductive figures would meet inductive ones, or a stored file is damaged.
    """
    names = [str(run) for run in runs]
    if len({run.resolve() for run in runs}) < len(runs):
        raise UserError(f"{', '.join(names)}: one run is named twice: name different runs")
    stored = {str(run): _evaluated(run) for run in runs}
    modes: tuple[Mode, ...] = ("paper",) if paper else _HONEST
    common = [mode for mode in modes if all(mode in found for found in stored.values())]
    if not common:
        has = "; ".join(f"{name} has {', '.join(found)}" for name, found in stored.items())
        alike = "raysearch evaluate RUN --protocol paper" if paper else "evaluate them alike"
        raise UserError(f"no kind of evaluation is common to all: {has}: {alike}")
    systems = [_system(run, common[0], stored[str(run)][common[0]]) for run in runs]
    _check_protocols(systems)
    check_alike({system.name: system.transductive for system in systems})
    return systems


def doubts_of(systems: Sequence[System]) -> list[str]:
    """Why the figures of ``systems``, which are alike, may not be believed as they stand."""
    doubts, first = list[str](), systems[0]
    if first.protocol == "paper":
        valid = all(system.figures.get("valid", True) for system in systems)
        why = "optimistic: test speakers occur in training"
        doubts.append(why if valid else "invalid: test rows chose an epoch")
    if first.mode == "reuse-settings":
        doubts.append("settings saw these speakers")
    return doubts


def _evaluated(run: Path) -> dict[Mode, EvaluationFigures]:
    folder = RunFolder(run)
    found = stored_evaluations(folder)
    if not found:
        if folder.spec_file.is_file():
            refuse_dimensions(folder.spec(), f"compare of {run}")
        raise UserError(f"{run}: not evaluated yet: raysearch evaluate {pasted(run)}")
    return found


def _system(run: Path, mode: str, figures: EvaluationFigures) -> System:
    path = predictions_file(RunFolder(run), mode)
    try:
        table = pq.read_table(path)
    except (OSError, pa.ArrowException) as error:
        raise UserError(f"{path}: cannot be read ({error}); evaluate anew") from None
    return System(str(run), mode, figures["protocol"], figures, table)


def _check_protocols(systems: Sequence[System]) -> None:
    by_name = {system.protocol: system.name for system in systems}
    if len(by_name) < 2:
        return
    shown = ", ".join(f"{name} ({protocol})" for protocol, name in by_name.items())
    why = "protocols differ"
    if "paper" in by_name:
        why = "the paper protocol is optimistic and is not compared with an honest one"
    raise UserError(f"{shown}: {why}: evaluate all under the same protocol")
