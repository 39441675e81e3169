"""What a net says of its validation rows, kept beside its weights.

Ensembles are chosen by these predictions, so nothing has to be run again for it.

Axes: N utterances, K emotions.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from raysearch.errors import DataError

__all__ = ["PREDICTIONS", "Predictions"]

PREDICTIONS = "validation.parquet"


@dataclass(frozen=True)
class Predictions:
    """What one net says of its validation rows.

    Attributes:
        utterances: their ids.
        labels: (N,) true class indices.
        log_probs: (N, K) mean log-softmax over an utterance's windows.
    """

    utterances: tuple[str, ...]
    labels: np.ndarray
    log_probs: np.ndarray

    def save(self, path: Path) -> None:
        """Write them as Parquet: plain columns, one row an utterance."""
        columns = {
            "utterance": pa.array(self.utterances, pa.string()),
            "label": pa.array(self.labels, pa.int32()),
            "log_probs": pa.array(self.log_probs.astype(np.float32).tolist()),
        }
        pq.write_table(pa.table(columns), path)

    @classmethod
    def load(cls, path: Path) -> "Predictions":
        """Read what ``save`` wrote.

        Raises:
            DataError: no such file, or not one of these.
        """
        try:
            table = pq.read_table(path, partitioning=None)
            labels = np.asarray(table["label"].to_pylist(), dtype=np.int64)
            log_probs = np.asarray(table["log_probs"].to_pylist(), dtype=np.float64)
            utterances = tuple(table["utterance"].to_pylist())
        except (OSError, KeyError, ValueError, pa.ArrowException) as error:
            raise DataError(f"{path}: cannot be read as predictions: {error}") from None
        if log_probs.ndim != 2 or not np.isfinite(log_probs).all():
            raise DataError(f"{path}: its log-probabilities are no finite matrix")
        return cls(utterances, labels, log_probs)
