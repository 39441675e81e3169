"""One net of the final model: features of several recordings to log-probabilities.

The windows, the batches and the normalisation are those of an evaluation, by the same functions.
Axes: N recordings, T frames, F bins, K emotions, S speakers.
"""

import contextlib
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import torch

from raysearch.inference.stored_model import StoredNet
from raysearch.streaming.arrays import FeatureArrays, RowStats
from raysearch.streaming.readers import HostReader
from raysearch.streaming.speakers import speaker_mean_std
from raysearch.streaming.windows import validation_windows
from raysearch.training.checkpoint import load_tensors, load_weights
from raysearch.training.data import Batch
from raysearch.training.inputs import load_inputs
from raysearch.training.network import build_network
from raysearch.training.normalise import Normaliser
from raysearch.training.scoring import score_batches

__all__ = ["LoadedNet", "as_stored"]

_CPU = torch.device("cpu")


class LoadedNet:
    """A net with its weights, on the CPU.

    Args:
        stored: where it lies, and its settings.
        num_classes: emotions (K).

    Raises:
        DataError: weights or inputs that are damaged or of another network.
    """

    def __init__(self, stored: StoredNet, num_classes: int) -> None:
        self.share = stored.share
        self.config = stored.config
        self.streams = stored.config.used_features
        self.shapes, self.statistics = load_inputs(stored.inputs)
        self.num_classes = num_classes
        self.model = build_network(
            stored.config.model, stored.config.training, self.shapes, num_classes
        )
        load_weights(self.model, load_tensors(stored.weights), str(stored.weights))
        self.model.eval().requires_grad_(False)

    def log_probabilities(
        self,
        features: Mapping[str, Sequence[np.ndarray]],
        floors: Mapping[str, float],
        speakers_N: np.ndarray | None,
    ) -> np.ndarray:
        """(N, K), float64: mean log-softmax of each recording's windows.

        Args:
            features: of each stream, every recording's (T, F).
            floors: of each stream, the value of silence.
            speakers_N: whose each is, counted from 0, where speakers are normalised by.
        """
        arrays = {stream: as_stored(rows) for stream, rows in features.items()}
        statistics = self.statistics
        if speakers_N is not None:
            statistics = {
                stream: _float32(speaker_mean_std(item.stats, speakers_N))
                for stream, item in arrays.items()
            }
        kind = self.config.training.normalise
        scores = score_batches(
            self.model,
            self.batches(arrays, floors, speakers_N),
            Normaliser(kind, statistics, self.shapes, _CPU),
            self.num_classes,
            contextlib.nullcontext(),
        )
        log_probs_NK: np.ndarray = scores.log_probs.numpy()
        return log_probs_NK

    def batches(
        self,
        arrays: Mapping[str, FeatureArrays],
        floors: Mapping[str, float],
        speakers_N: np.ndarray | None,
    ) -> Iterator[Batch]:
        """Every recording's overlapping windows; one recording's are in one batch."""
        frames = {stream: item.stats.num_frames for stream, item in arrays.items()}
        clips = {stream: self.shapes[stream].num_frames for stream in arrays}
        rows_N = np.arange(len(next(iter(frames.values()))))
        planned = list(validation_windows(frames, clips, rows_N, rows_N))
        reader = HostReader(arrays, floors)
        for window, inputs in zip(planned, reader.read(planned), strict=True):
            of_B = None if speakers_N is None else torch.from_numpy(speakers_N[window.index])
            yield Batch(
                inputs=inputs,
                lengths={s: torch.from_numpy(n) for s, n in window.lengths.items()},
                labels=torch.zeros(len(window.index), dtype=torch.long),
                num_global=window.num_global,
                index=torch.from_numpy(window.index.astype(np.int64)),
                speakers=of_B,
            )


def as_stored(rows: Sequence[np.ndarray]) -> FeatureArrays:
    """As the store gives them: all frames after each other, and each row's sums."""
    return FeatureArrays(
        np.concatenate(rows),
        RowStats(
            num_frames=np.array([len(x_TF) for x_TF in rows], dtype=np.int64),
            bin_sum=np.stack([x_TF.sum(axis=0, dtype=np.float64) for x_TF in rows]),
            bin_sumsq=np.stack([np.square(x_TF, dtype=np.float64).sum(axis=0) for x_TF in rows]),
        ),
    )


def _float32(pair: tuple[np.ndarray, np.ndarray]) -> tuple[torch.Tensor, torch.Tensor]:
    mean_SF, std_SF = (torch.from_numpy(item.astype(np.float32)) for item in pair)
    return mean_SF, std_SF
