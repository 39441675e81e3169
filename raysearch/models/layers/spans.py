"""Adaptive average pooling over valid frames only, as a product with a matrix.

A product has a deterministic gradient on every device. Axes: B batch, S spans, T positions.
"""

import torch
from torch import Tensor

__all__ = ["span_weights"]


def span_weights(lengths_B: Tensor, num_positions: int, num_spans: int) -> Tensor:
    """The weights with which ``num_spans`` means are taken over each row's valid positions.

    The spans are those of torch's adaptive pooling: near-equal, they cover all valid positions,
    and overlap where these are no multiple of the spans, or fewer.

    Args:
        lengths_B: valid positions a row, long, at least 1.
        num_positions: positions T, padding included.
        num_spans: S.

    Returns:
        float32 weights_BST; each row of weights adds up to 1.
    """
    spans_S = torch.arange(num_spans, device=lengths_B.device)
    positions_T = torch.arange(num_positions, device=lengths_B.device)
    lengths_B1 = lengths_B[:, None]
    starts_BS = torch.div(spans_S * lengths_B1, num_spans, rounding_mode="floor")
    ends_BS = torch.div(
        (spans_S + 1) * lengths_B1 + num_spans - 1, num_spans, rounding_mode="floor"
    )
    inside_BST = (positions_T >= starts_BS[..., None]) & (positions_T < ends_BS[..., None])
    return inside_BST / (ends_BS - starts_BS)[..., None]
