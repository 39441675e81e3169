"""Which rows an epoch sees, in which batch, on which rank: the same plan for every data tier."""

import numpy as np

from raysearch.config.identity import seed_from

__all__ = ["SHUFFLE_ROWS", "cell_choices", "crop_positions", "global_batches", "rank_share"]

SHUFFLE_ROWS = 8192
# Longer than a part, so that most parts lie in one chunk and are read once an epoch; but several a
# stretch, or its rows would be one speaker's.
MAX_CHUNK_ROWS = 256
CHUNKS_A_STRETCH = 4


def global_batches(
    num_rows: int, batch_size: int, seed: int, epoch: int, *, shuffle_rows: int = SHUFFLE_ROWS
) -> list[np.ndarray]:
    """A permutation of ``num_rows`` rows as ceil(N/B) global batches of near-equal size.

    Up to ``shuffle_rows`` rows the permutation is uniform. Beyond, chunks of neighbours are
    shuffled, then the rows within each stretch, so that reading in order stays local.

    Args:
        num_rows: of the training side.
        batch_size: the most rows of a batch.
        seed: of the order.
        epoch: counts from 0.
        shuffle_rows: rows among which the order is uniform.
    """
    rng = np.random.default_rng([seed_from("plan", seed, epoch)])
    if num_rows <= shuffle_rows:
        order = rng.permutation(num_rows)
    else:
        chunk = max(1, min(MAX_CHUNK_ROWS, shuffle_rows // CHUNKS_A_STRETCH))
        starts = rng.permutation(np.arange(0, num_rows, chunk))
        order = (starts[:, None] + np.arange(chunk)).ravel()
        order = order[order < num_rows]
        for start in range(0, num_rows, shuffle_rows):
            rng.shuffle(order[start : start + shuffle_rows])
    num_batches = -(-num_rows // batch_size)
    return np.array_split(order, num_batches) if num_batches else []


def rank_share(rows: np.ndarray, rank: int, world_size: int) -> np.ndarray:
    """Return this rank's contiguous part of ``rows``; parts differ by one row at most."""
    low, high = rank * len(rows) // world_size, (rank + 1) * len(rows) // world_size
    return rows[low:high]


def crop_positions(num_rows: int, seed: int, epoch: int) -> np.ndarray:
    """A uniform number in [0, 1) a row: where its crop lies, whatever the rank or the tier."""
    return np.random.default_rng([seed_from("crop", seed, epoch)]).random(num_rows)


def cell_choices(
    num_rows: int, num_cells: int, probability: float, seed: int, epoch: int
) -> np.ndarray:
    """Draw what replaces each row in an epoch: 0 is the clean row, 1 to ``num_cells`` a cell."""
    rng = np.random.default_rng([seed_from("cell", seed, epoch)])
    replaced = rng.random(num_rows) < probability
    return np.where(replaced, rng.integers(1, num_cells + 1, num_rows), 0)
