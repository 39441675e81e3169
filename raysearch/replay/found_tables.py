"""The tables in a folder."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from raysearch.errors import DataError, MissingPathError
from raysearch.replay.curve_table import CurveTable
from raysearch.replay.ledger_curves import TooFewCurvesError, read_run
from raysearch.replay.parquet_curves import read_parquet

__all__ = ["find_tables"]


def find_tables(folder: Path, say: Callable[[str], None]) -> list[CurveTable]:
    """Its Parquet files, and the runs that it is or that lie below it, by name.

    A run's own folder is not looked into any further: what is nested there is given itself. A run
    with too few whole curves is left out, and ``say`` told.

    Raises:
        MissingPathError: no such folder, or nothing in it that could be a table.
        DataError: a table that cannot be used, or no run that can.
    """
    if not folder.is_dir():
        raise MissingPathError(f"{folder}: no such folder")
    runs = sorted(_runs(folder))
    names = [_name(root, folder) for root in runs]
    files = [] if folder in runs else sorted(filter(Path.is_file, folder.glob("*.parquet")))
    if not runs and not files:
        raise MissingPathError(f"{folder}: no *.parquet in it, and no run in it or below it")
    tables = [read_parquet(file, file.name if file.stem in names else file.stem) for file in files]
    few = list[str]()
    for root, name in zip(runs, names, strict=True):
        try:
            tables.append(read_run(root, name))
        except TooFewCurvesError as error:
            few.append(str(error))
    if not tables:
        raise DataError(few[0])
    for line in few:
        say(f"left out: {line}")
    return tables


def _runs(folder: Path) -> Iterator[Path]:
    for root, folders, files in os.walk(folder):
        if "trials.jsonl" in files and "spec.yaml" in files:
            yield Path(root)
            folders.clear()
        folders[:] = [name for name in folders if not name.startswith(".")]


def _name(root: Path, folder: Path) -> str:
    return folder.resolve().name if root == folder else root.relative_to(folder).as_posix()
