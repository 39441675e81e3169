"""One trial's data: the same batches from whichever tier holds the features."""

from collections.abc import Iterator, Mapping, Sequence
from types import TracebackType

import numpy as np
import torch

from raysearch.features.extractor import StreamShape
from raysearch.streaming.arrays import RowStats
from raysearch.streaming.epoch_plan import (
    SHUFFLE_ROWS,
    cell_choices,
    crop_positions,
    global_batches,
    rank_share,
)
from raysearch.streaming.readers import WindowReader
from raysearch.streaming.speakers import Side, SpeakerIndex, speaker_mean_std
from raysearch.streaming.split_rows import SplitRows
from raysearch.streaming.store import FeatureSource
from raysearch.streaming.windows import WindowBatch, clip_frames, train_windows, validation_windows
from raysearch.training.data import Batch

__all__ = ["SplitData"]


class SplitData:
    """One trial's data on one rank, as ``raysearch.training.data.TrialData`` asks for them.

    Args:
        rows: the split.
        sources: the streams' stores.
        reader: opened on ``rows.keys(cells)``; closed with this object.
        clip_s: seconds of a crop or window, clamped to the longest training utterance.
        batch_size: rows of a global batch.
        seed: of the permutations and crops.
        rank: this worker's.
        world_size: workers of the group.
        cells: augmentation cells that may replace a training row.
        probability: how often one does, in each epoch.
        shuffle_rows: rows up to which an epoch's permutation is uniform.
        by_speaker: give statistics of each speaker's rows, not of all training rows.
    """

    def __init__(
        self,
        rows: SplitRows,
        sources: Mapping[str, FeatureSource],
        reader: WindowReader,
        *,
        clip_s: float,
        batch_size: int,
        seed: int,
        rank: int,
        world_size: int,
        cells: Sequence[str] = (),
        probability: float = 0.0,
        shuffle_rows: int = SHUFFLE_ROWS,
        by_speaker: bool = False,
    ) -> None:
        self.num_train, self.num_validation = len(rows.train), len(rows.validation)
        self.validation_ids: Sequence[str] = rows.validation.ids
        self.num_classes = len(rows.labels)
        self.class_counts: list[int] = np.bincount(
            rows.train.labels, minlength=self.num_classes
        ).tolist()
        self._shares = {
            "train": _floats(rows.train.shares),
            "validation": _floats(rows.validation.shares),
        }
        train_RK = self._shares["train"]
        self.class_shares: list[float] | None = (
            None if train_RK is None else train_RK.sum(axis=0, dtype=np.float64).tolist()
        )
        self._ratings = {
            "train": _floats(rows.train.ratings),
            "validation": _floats(rows.validation.ratings),
        }
        self.rating_scale = _scale(rows.train.ratings)
        self.floors = {name: source.floor for name, source in sources.items()}
        self._speakers = SpeakerIndex.of(rows) if by_speaker else None
        self.normalisation = {name: self._statistics(reader.stats[name]) for name in sources}
        self._reader = reader
        self._closed = False
        self._labels = {"train": rows.train.labels, "validation": rows.validation.labels}
        self._frames = {name: reader.stats[name].num_frames for name in sources}
        # By the training rows, so that a network of fixed size meets the same clip in a test.
        self._clips = {
            name: clip_frames(
                clip_s, source.frames_per_second, self._frames[name][: self.num_train]
            )
            for name, source in sources.items()
        }
        self.shapes = {
            name: StreamShape(
                num_bins=source.num_bins,
                num_frames=self._clips[name],
                frames_per_second=source.frames_per_second,
                kind=source.kind,
                num_layers=source.num_layers,
                num_channels=source.num_channels,
                encoder=source.encoder,
            )
            for name, source in sources.items()
        }
        self._cells = (len(cells), probability)
        self._plan = (batch_size, seed, rank, world_size, shuffle_rows)
        reader.stats.clear()  # float64 sums of every row, which nothing asks for again

    def train_batches(self, epoch: int) -> Iterator[Batch]:
        """Yield this rank's share of every global batch of ``epoch``, as random crops."""
        batch_size, seed, rank, world_size, shuffle_rows = self._plan
        positions_R = crop_positions(self.num_train, seed, epoch)
        table_R = self._table_rows(seed, epoch)
        planned = []
        for rows in global_batches(
            self.num_train, batch_size, seed, epoch, shuffle_rows=shuffle_rows
        ):
            mine = rank_share(rows, rank, world_size)
            planned.append(
                train_windows(
                    self._frames, self._clips, table_R[mine], mine, positions_R[mine], len(rows)
                )
            )
        yield from self._batches(planned, "train")

    def _statistics(self, stats: RowStats) -> tuple[torch.Tensor, torch.Tensor]:
        if self._speakers is None:
            return _float32(stats.mean_std(slice(0, self.num_train)))
        return _float32(speaker_mean_std(stats, self._speakers.both))

    def _table_rows(self, seed: int, epoch: int) -> np.ndarray:
        """Where the reader's table has what each training row is in this epoch."""
        rows_R = np.arange(self.num_train)
        num_cells, probability = self._cells
        if not num_cells or not probability:
            return rows_R
        choice_R = cell_choices(self.num_train, num_cells, probability, seed, epoch)
        augmented_R = self.num_validation + choice_R * self.num_train + rows_R
        return np.where(choice_R > 0, augmented_R, rows_R)

    def validation_batches(self) -> Iterator[Batch]:
        """Yield this rank's near-equal part of the rows, each row in overlapping windows."""
        _, _, rank, world_size, _ = self._plan
        mine = rank_share(np.arange(self.num_validation), rank, world_size)
        planned = list(validation_windows(self._frames, self._clips, mine + self.num_train, mine))
        yield from self._batches(planned, "validation")

    def close(self) -> None:
        """Lets go of the features; the data cannot be read after."""
        self._reader.close()
        self._closed = True

    def __enter__(self) -> "SplitData":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _batches(self, planned: Sequence[WindowBatch], side: Side) -> Iterator[Batch]:
        if self._closed:
            raise RuntimeError("these data are closed")
        labels_R = np.asarray(self._labels[side], dtype=np.int64)
        speakers_R = self._speakers.side(side) if self._speakers else None
        shares_RK, ratings_RD = self._shares[side], self._ratings[side]
        for window, inputs in zip(planned, self._reader.read(planned), strict=True):
            device = next(iter(inputs.values())).device
            yield Batch(
                inputs=inputs,
                lengths={s: _to(device, n) for s, n in window.lengths.items()},
                labels=_to(device, labels_R[window.index]),
                num_global=window.num_global,
                index=_to(device, window.index.astype(np.int64)),
                speakers=None if speakers_R is None else _to(device, speakers_R[window.index]),
                shares=None if shares_RK is None else _to(device, shares_RK[window.index]),
                ratings=None if ratings_RD is None else _to(device, ratings_RD[window.index]),
            )


def _floats(rows: Sequence[Sequence[float]]) -> np.ndarray | None:
    return np.asarray(rows, dtype=np.float32) if rows else None


def _scale(ratings: Sequence[Sequence[float]]) -> tuple[torch.Tensor, torch.Tensor] | None:
    """The mean and the deviation of each dimension; 1 where nothing varies."""
    if not ratings:
        return None
    ratings_RD = np.asarray(ratings, dtype=np.float64)
    std_D = ratings_RD.std(axis=0)
    return _float32((ratings_RD.mean(axis=0), np.where(std_D > 0, std_D, 1.0)))


def _to(device: torch.device, values_B: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(values_B).to(device)


def _float32(pair: tuple[np.ndarray, np.ndarray]) -> tuple[torch.Tensor, torch.Tensor]:
    mean, std = (torch.from_numpy(item.astype(np.float32)) for item in pair)
    return mean, std
