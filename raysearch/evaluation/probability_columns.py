"""The columns of a table of predictions that hold a probability an emotion."""

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

__all__ = ["known_emotions", "probabilities", "probability_column"]

PREFIX = "p_"


def probability_column(label: str) -> str:
    """Name the column that holds an emotion's probability."""
    return PREFIX + label


def known_emotions(table: pa.Table) -> list[str]:
    """Return the emotions that the model knows, in the order of their columns."""
    names: list[str] = table.column_names
    return [name.removeprefix(PREFIX) for name in names if name.startswith(PREFIX)]


def probabilities(table: pa.Table) -> NDArray[np.float64]:
    """Return p_NK, of each row and known emotion; 0 where a fold's model does not know it."""
    columns = [
        np.nan_to_num(table[probability_column(label)].to_numpy())
        for label in known_emotions(table)
    ]
    return np.stack(columns, axis=1)
