"""How well numbers that were predicted agree with those that people gave.

The concordance correlation coefficient of Lin 1989 ("A concordance correlation coefficient to
evaluate reproducibility", Biometrics 45, pages 255 to 268) is 2 s_xy / (s_x^2 + s_y^2 + (m_x -
m_y)^2), with variances that are divided by the number of rows. It is 1 where x equals y, and less
than Pearson's correlation as far as means or deviations differ. Where nothing varies it is 0.

All of it follows from six sums, which ranks, batches and speakers add up. Axes: N rows, D
dimensions; the six sums S are the last axis: rows, x, y, x^2, y^2, xy.
"""

from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from raysearch.training.distributed import sum_over_ranks

__all__ = ["ccc", "ccc_loss", "sums_of"]

NUM_SUMS = 6
# Against 0/0: far below the square of any step of a rating.
LEAST = 1e-12
Sums = TypeVar("Sums", Tensor, NDArray[np.float64])


def sums_of(predicted_ND: Tensor, rated_ND: Tensor) -> Tensor:
    """The six sums of each dimension in float64, sums_DS; zeros of no rows."""
    x_ND, y_ND = predicted_ND.double(), rated_ND.double()
    parts = [torch.ones_like(x_ND), x_ND, y_ND, x_ND.square(), y_ND.square(), x_ND * y_ND]
    return torch.stack([part.sum(dim=0) for part in parts], dim=-1)


def ccc(sums_S: Sums) -> Sums:
    """The coefficient of each set of sums, (..., S) to (...)."""
    rows = sums_S[..., 0] + (sums_S[..., 0] == 0)
    x, y, xx, yy, xy = (sums_S[..., k] / rows for k in range(1, NUM_SUMS))
    spread = (xx - x * x) + (yy - y * y) + (x - y) ** 2
    found: Sums = 2 * (xy - x * y) / (spread + LEAST)
    return found


def ccc_loss(predicted_BD: Tensor, rated_BD: Tensor, world_size: int) -> Tensor:
    """1 minus the mean coefficient of the dimensions, over the batch of all ranks; all call it.

    The gradient is that of this rank's rows: added up over the ranks it is that of the whole batch.
    A batch of one row, or whose ratings are all the same, says nothing of how they vary together:
    its gradient is 0.
    """
    own_DS = sums_of(predicted_BD, rated_BD)
    if world_size == 1:
        return 1 - ccc(own_DS).mean()
    whole_DS = sum_over_ranks(own_DS.detach().clone(), world_size)
    return 1 - ccc(own_DS + (whole_DS - own_DS.detach())).mean()
