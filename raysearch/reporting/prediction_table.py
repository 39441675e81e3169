"""Predictions as a table on the terminal, CSV, JSON, JSON lines or Parquet."""

import csv
import io
import json
import os
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from rich.table import Table

from raysearch.inference.recognition import Scored
from raysearch.reporting.prediction_format import TextFormat

__all__ = ["as_text", "shown", "write_parquet"]

Row = dict[str, str | float]


def rows(scored: Sequence[Scored]) -> list[Row]:
    """One row each: file, stretch if it is of one, label, and a probability an emotion.

    Of a model of dimensions, a number each in place of both.
    """
    return [_row(one) for one in scored]


def _row(one: Scored) -> Row:
    row: Row = {"file": one.recording.name}
    if one.recording.speaker:
        row["speaker"] = one.recording.speaker
    if one.span is not None:
        row |= {"start_s": one.span.start_s, "end_s": one.span.end_s}
    if one.prediction.ratings:
        return row | dict(one.prediction.ratings)
    row["label"] = one.prediction.label
    return row | {f"p_{name}": value for name, value in one.prediction.probabilities.items()}


def as_text(scored: Sequence[Scored], kind: TextFormat) -> str:
    """The rows as text; numbers keep all their digits."""
    found = rows(scored)
    if kind == "json":
        return json.dumps(found, indent=1, ensure_ascii=False) + "\n"
    if kind == "jsonl":
        return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in found)
    text = io.StringIO()
    names = list(dict.fromkeys(name for row in found for name in row))
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(found)
    return text.getvalue()


def write_parquet(scored: Sequence[Scored], path: Path) -> None:
    """Write the rows as Parquet, whole or not at all."""
    staged = path.with_name(f".{path.name}.tmp")
    try:
        pq.write_table(pa.Table.from_pylist(rows(scored)), staged)
        staged.replace(path)
    finally:
        staged.unlink(missing_ok=True)


def shown(scored: Sequence[Scored]) -> Table:
    """A table for the terminal: the emotion, and what else it may be; 80 columns hold it.

    Of a model of dimensions, their numbers.
    """
    below = _common_folder([one.recording.name for one in scored])
    timed = any(one.span is not None for one in scored)
    table = Table(box=None)
    table.add_column("file", overflow="fold")
    for name in ("from", "to") if timed else ():
        table.add_column(name, justify="right", no_wrap=True)
    dimensions = list(scored[0].prediction.ratings) if scored else []
    for name in dimensions:
        table.add_column(name, justify="right", no_wrap=True)
    if not dimensions:
        table.add_column("emotion", style="bold", no_wrap=True)
        table.add_column("", justify="right", no_wrap=True)
        table.add_column("else", no_wrap=True)
    for one in scored:
        cells = [one.recording.name.removeprefix(below)]
        if one.span is not None:
            cells += [f"{one.span.start_s:.1f} s", f"{one.span.end_s:.1f} s"]
        if dimensions:
            table.add_row(*cells, *(f"{one.prediction.ratings[name]:.2f}" for name in dimensions))
            continue
        first, *others = sorted(one.prediction.probabilities.items(), key=lambda item: -item[1])
        rest = ", ".join(f"{name} {100 * value:.0f}%" for name, value in others[:2])
        table.add_row(*cells, first[0], f"{100 * first[1]:.0f}%", rest)
    return table


def _common_folder(names: Sequence[str]) -> str:
    """The folder that all lie in, with its slash, which a narrow terminal has no room for."""
    folders = [os.path.dirname(name) for name in names]
    rooted = [os.path.isabs(folder) for folder in folders]
    common = os.path.commonpath(folders) if all(rooted) or not any(rooted) else ""
    return f"{common}/" if common not in ("", "/") else ""
