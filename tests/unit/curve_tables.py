"""Tables of learning curves, as files and in memory."""

import pyarrow as pa
import pyarrow.parquet as pq

from raysearch.config.distributions import LogUniform
from raysearch.config.space import Alternative, Space
from raysearch.replay.curve_table import CurveTable, Row


def falling(end, epochs, start=2.0):
    """A loss that falls evenly from ``start``, before training, to ``end``."""
    return [start + (end - start) * epoch / epochs for epoch in range(epochs + 1)]


def write_table(path, losses, **settings):
    """A Parquet table; without settings they are one to the number of rows."""
    settings = settings or {"hp_rate": [float(i) for i in range(1, len(losses) + 1)]}
    pq.write_table(pa.table({**settings, "valid_loss": losses}), path)
    return path


def table_of(losses, *, costs=None, epoch_s=None, name="made"):
    """A table of one setting, 1 to the number of rows; ``losses`` begin after the first epoch."""
    costs = costs or [1.0] * len(losses)
    return CurveTable(
        name=name,
        place=name,
        objective="val_loss",
        space=Space({"hp_rate": (Alternative(LogUniform(1.0, float(len(losses)))),)}),
        rows=[
            Row({"hp_rate": float(i)}, row, [cost] * len(row))
            for i, (row, cost) in enumerate(zip(losses, costs, strict=True), start=1)
        ],
        max_epochs=max(map(len, losses)),
        untrained=2.0,
        epoch_s=epoch_s,
    )
