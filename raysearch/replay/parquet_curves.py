"""Tables of learning curves from Parquet files: a run a row, its settings and its losses."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from raysearch.config.distributions import LogUniform, Uniform
from raysearch.config.space import Alternative, Space
from raysearch.errors import DataError, first_line
from raysearch.replay.curve_table import CurveTable, Row

__all__ = ["DIVERGED", "read_parquet"]

PREFIX, LOSSES = "hp_", "valid_loss"
# What the loss of a run counts as that diverged: NaN, infinite, or beyond this.
DIVERGED = 10.0

Floats = NDArray[np.float64]


def read_parquet(path: Path, name: str) -> CurveTable:
    """The table in ``path``: numbers ``hp_*``, and ``valid_loss``, whose first is before training.

    Settings are searched on a logarithmic scale over the table's own range, on a plain one where
    that reaches 0 or below; what is equal in all rows is not searched.

    Args:
        path: the file.
        name: what the table is called.

    Raises:
        DataError: not Parquet, or a column that is missing or cannot be used; names both.
    """
    table = _read(path)
    columns = [column for column in table.column_names if column.startswith(PREFIX)]
    settings = {column: _settings(table[column], f"{path}: {column}") for column in columns}
    searched = {column: v for column, v in settings.items() if np.ptp(v) > 0}
    if not searched:
        raise DataError(f"{path}: all rows have the same {', '.join(columns)}: nothing to search")
    place = f"{path}: {LOSSES}"
    losses_RE = _losses(table[LOSSES], place)
    configs = zip(*(values.tolist() for values in searched.values()), strict=True)
    costs = (1.0,) * (losses_RE.shape[1] - 1)
    return CurveTable(
        name=name,
        place=place,
        objective="val_loss",
        space=_space(searched),
        rows=[
            Row(dict(zip(searched, config, strict=True)), losses[1:], costs)
            for config, losses in zip(configs, losses_RE.tolist(), strict=True)
        ],
        max_epochs=len(costs),
        untrained=float(np.median(losses_RE[:, 0])),
    )


def _read(path: Path) -> pa.Table:
    """The columns that are needed."""
    try:
        file = pq.ParquetFile(path)
        names = list(file.schema_arrow.names)
        settings = [name for name in names if name.startswith(PREFIX)]
        if not settings:
            raise DataError(f"{path}: no column is named {PREFIX}*: those are a run's settings")
        if LOSSES not in names:
            raise DataError(f"{path}: no column {LOSSES}: that is a run's losses, epoch by epoch")
        table = file.read(columns=[*settings, LOSSES])
    except pa.ArrowException as error:
        raise DataError(f"{path}: not a Parquet table: {first_line(error)}") from None
    if table.num_rows == 0:
        raise DataError(f"{path}: it has no rows")
    return table


def _settings(column: pa.ChunkedArray, place: str) -> Floats:
    if not _is_number(column.type):
        raise DataError(f"{place}: it holds {column.type}; settings are numbers")
    values: Floats = pc.cast(column, pa.float64(), safe=False).to_numpy()
    bad = np.flatnonzero(~np.isfinite(values))
    if len(bad):
        raise DataError(f"{place}: row {bad[0]} is {values[bad[0]]}, not a finite number")
    return values


def _losses(column: pa.ChunkedArray, place: str) -> Floats:
    """Losses ``(R, E)`` of each run before training and after each epoch."""
    kind = column.type
    lists = pa.types.is_list(kind) or pa.types.is_large_list(kind)
    lists = lists or pa.types.is_fixed_size_list(kind)
    if not lists or not _is_number(kind.value_type):
        raise DataError(f"{place}: it holds {kind}; a list of numbers is expected")
    lengths = _lengths(column, place)
    if lengths[0] < 2:
        raise DataError(f"{place}: {lengths[0]} point(s); the first is before training: give 2")
    flat = pc.cast(pc.list_flatten(column), pa.float64(), safe=False)
    losses: Floats = pc.fill_null(flat, np.nan).to_numpy().reshape(len(lengths), -1)
    return np.minimum(np.where(np.isfinite(losses), losses, DIVERGED), DIVERGED)


def _lengths(column: pa.ChunkedArray, place: str) -> Sequence[int]:
    lengths: list[int] = pc.fill_null(pc.list_value_length(column), 0).to_pylist()
    for row, length in enumerate(lengths):
        if length != lengths[0]:
            raise DataError(
                f"{place}: row {row} has {length} points, row 0 has {lengths[0]}: "
                "all rows need equally many"
            )
    return lengths


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_floating(kind) or pa.types.is_integer(kind))


def _space(searched: dict[str, Floats]) -> Space:
    fields = {}
    for name, column in searched.items():
        low, high = float(column.min()), float(column.max())
        distribution = LogUniform(low, high) if low > 0 else Uniform(low, high)
        fields[name] = (Alternative(distribution),)
    return Space(fields)
