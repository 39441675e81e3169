"""Which frames of which rows make a batch: random crops to train, overlapping windows to judge.

Plain numpy, the same for every tier. Axis letters: B windows of a batch, R rows.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

__all__ = ["WindowBatch", "clip_frames", "train_windows", "validation_windows"]

MAX_WINDOWS = 256


@dataclass(frozen=True)
class WindowBatch:
    """One rank's share of one batch, before any value is read.

    Attributes:
        rows: row of each window, in the table that the reader was opened with.
        index: row of each window on its own side (training or validation).
        num_global: rows of the global batch over all ranks.
        starts: a stream's first frame in each window, (B,).
        lengths: a stream's frames in each window that are not padding, (B,).
        num_frames: a stream's frames a window, padding included.
    """

    rows: np.ndarray
    index: np.ndarray
    num_global: int
    starts: dict[str, np.ndarray]
    lengths: dict[str, np.ndarray]
    num_frames: dict[str, int]


def clip_frames(clip_s: float, frames_per_second: float, num_frames_R: np.ndarray) -> int:
    """Return the frames of a clip of ``clip_s`` seconds, at most those of the longest row."""
    return max(1, min(round(clip_s * frames_per_second), int(num_frames_R.max())))


def train_windows(
    frames: Mapping[str, np.ndarray],
    clips: Mapping[str, int],
    rows_B: np.ndarray,
    index_B: np.ndarray,
    positions_B: np.ndarray,
    num_global: int,
) -> WindowBatch:
    """Draw one random crop a row.

    Args:
        frames: a stream's frames of each row, (R,).
        clips: a stream's frames a clip.
        rows_B: this rank's rows in the table.
        index_B: the same rows as counted on the training side.
        positions_B: where each crop lies among the possible ones, in [0, 1).
        num_global: rows of the global batch.
    """
    starts = {}
    for stream, clip in clips.items():
        slack_B = np.maximum(frames[stream][rows_B] - clip, 0)
        starts[stream] = np.minimum((positions_B * (slack_B + 1)).astype(np.int64), slack_B)
    return _batch(frames, clips, rows_B, index_B, num_global, starts)


def validation_windows(
    frames: Mapping[str, np.ndarray],
    clips: Mapping[str, int],
    rows_R: np.ndarray,
    index_R: np.ndarray,
    max_windows: int = MAX_WINDOWS,
) -> Iterator[WindowBatch]:
    """Cut every row into windows, one each half clip, the last one ending with the row.

    The windows of a row stay in one batch. The stream with most frames places them, the others
    follow at the same share of their own slack.

    Args:
        frames: a stream's frames of each row of the table.
        clips: a stream's frames a clip.
        rows_R: this rank's rows in the table.
        index_R: the same rows as counted on the validation side.
        max_windows: the most windows a batch, unless one row alone has more.
    """
    leader = max(sorted(clips), key=lambda stream: clips[stream])
    slack_R = np.maximum(frames[leader][rows_R] - clips[leader], 0)
    hop = max(1, clips[leader] // 2)
    counts_R = 1 + -(-slack_R // hop)
    low = 0
    while low < len(rows_R):
        total = np.cumsum(counts_R[low:])
        high = low + max(1, int(np.searchsorted(total, max_windows, side="right")))
        part = np.repeat(np.arange(low, high), counts_R[low:high])
        order = np.arange(len(part)) - np.repeat(
            np.cumsum(counts_R[low:high]) - counts_R[low:high], counts_R[low:high]
        )
        start = np.minimum(order * hop, slack_R[part])
        share = start / np.maximum(slack_R[part], 1)
        starts = {leader: start}
        for stream in clips.keys() - {leader}:
            slack = np.maximum(frames[stream][rows_R[part]] - clips[stream], 0)
            starts[stream] = np.rint(share * slack).astype(np.int64)
        yield _batch(frames, clips, rows_R[part], index_R[part], high - low, starts)
        low = high


def _batch(
    frames: Mapping[str, np.ndarray],
    clips: Mapping[str, int],
    rows_B: np.ndarray,
    index_B: np.ndarray,
    num_global: int,
    starts: dict[str, np.ndarray],
) -> WindowBatch:
    lengths = {s: np.minimum(frames[s][rows_B], clip).astype(np.int64) for s, clip in clips.items()}
    return WindowBatch(rows_B, index_B, num_global, starts, lengths, dict(clips))
