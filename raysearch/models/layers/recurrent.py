"""Recurrence that never reads padding. Axes: B batch, T frames, F inputs, C states."""

from typing import Literal

import torch
from torch import Tensor, nn

__all__ = ["MaskedRecurrence"]


class MaskedRecurrence(nn.Module):
    """An LSTM or GRU of one direction or two, of one layer or several, over a row's valid frames.

    Not a packed sequence: that would copy lengths to the CPU at each step, and its gradient takes
    five to seven times as long on a CPU. The second direction reads mirrored rows instead.

    Args:
        num_bins: F.
        hidden: state of one direction.
        layers: how many, each reading the states of the one before.
        bidirectional: also from each row's last valid frame to its first.
        dropout: of the states between layers.
        cell: what each layer is made of.
    """

    def __init__(
        self,
        num_bins: int,
        hidden: int,
        *,
        layers: int = 1,
        bidirectional: bool = True,
        dropout: float = 0.0,
        cell: Literal["lstm", "gru"] = "lstm",
    ) -> None:
        super().__init__()
        self.num_states = hidden * (2 if bidirectional else 1)
        widths = [num_bins, *[self.num_states] * (layers - 1)]
        kind = nn.LSTM if cell == "lstm" else nn.GRU
        self.onward = nn.ModuleList(kind(width, hidden, batch_first=True) for width in widths)
        self.backward_ = nn.ModuleList(
            kind(width, hidden, batch_first=True) for width in widths if bidirectional
        )
        self.dropout = nn.Dropout(dropout)

    def forward(self, x_BTF: Tensor, lengths_B: Tensor) -> Tensor:
        """h_BTC, the onward states before the backward ones; zero beyond a row's frames."""
        positions_T = torch.arange(x_BTF.shape[1], device=x_BTF.device)
        valid_BT = positions_T < lengths_B[:, None]
        mirrored_BT = torch.where(valid_BT, lengths_B[:, None] - 1 - positions_T, positions_T)
        h_BTC = x_BTF
        for number, onward in enumerate(self.onward):
            below_BTC = self.dropout(h_BTC) if number else h_BTC
            h_BTC, _ = onward(below_BTC)
            if self.backward_:
                backward_BTC, _ = self.backward_[number](_take(below_BTC, mirrored_BT))
                h_BTC = torch.cat([h_BTC, _take(backward_BTC, mirrored_BT)], dim=2)
        return h_BTC.masked_fill(~valid_BT[:, :, None], 0.0)


def _take(x_BTF: Tensor, frames_BT: Tensor) -> Tensor:
    return x_BTF.gather(1, frames_BT[:, :, None].expand(-1, -1, x_BTF.shape[2]))
