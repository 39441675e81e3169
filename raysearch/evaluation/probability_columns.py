"""The columns of a table of predictions: probabilities and votes an emotion, ratings a dimension.

Axes: R rows, N utterances, K emotions.
"""

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

__all__ = [
    "by_utterance",
    "known_emotions",
    "predicted_column",
    "probabilities",
    "probability_column",
    "rated_column",
    "vote_column",
    "votes_of",
]

PREFIX = "p_"
OF_VOTES = "votes_"


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


def vote_column(label: str) -> str:
    """Name the column that holds an emotion's share of the votes."""
    return OF_VOTES + label


def rated_column(dimension: str) -> str:
    """Name the column that holds what people rated on a dimension."""
    return f"rated_{dimension}"


def predicted_column(dimension: str) -> str:
    """Name the column that holds what was predicted for a dimension."""
    return f"predicted_{dimension}"


def votes_of(table: pa.Table) -> NDArray[np.float64] | None:
    """Return each row's votes for the emotions that the model knows, (N, K); None without any."""
    names = [vote_column(label) for label in known_emotions(table)]
    if not all(name in table.column_names for name in names):
        return None
    return np.stack([np.nan_to_num(table[name].to_numpy()) for name in names], axis=1)


def by_utterance(
    table: pa.Table, values_RK: NDArray[np.float64]
) -> tuple[pa.Table, NDArray[np.float64]]:
    """Bring the rows of all trainings together, utterance by utterance; folds stay apart.

    Args:
        table: predictions.
        values_RK: of each of its rows.

    Returns:
        The first row of each utterance, and mean_NK, its mean over all of its rows.
    """
    keys = zip(table["fold"].to_pylist(), table["utterance"].to_pylist(), strict=True)
    number: dict[tuple[int, str], int] = {}
    group_R = np.array([number.setdefault(key, len(number)) for key in keys], dtype=np.int64)
    sums_NK = np.zeros((len(number), values_RK.shape[1]))
    np.add.at(sums_NK, group_R, values_RK)
    first_N = np.unique(group_R, return_index=True)[1]
    return table.take(first_N), sums_NK / np.bincount(group_R)[:, None]
