"""A bidirectional LSTM that never reads padding. Axes: B batch, T frames, F inputs, C states."""

import torch
from torch import Tensor, nn

__all__ = ["BidirectionalLstm"]


class BidirectionalLstm(nn.Module):
    """Two LSTMs, the second over each row's valid frames from its last to its first.

    Not a packed sequence: it would copy lengths to the CPU at each step, and its gradient takes
    about four times as long on a CPU.

    Args:
        num_bins: F.
        hidden: state of one direction, C / 2.
    """

    def __init__(self, num_bins: int, hidden: int) -> None:
        super().__init__()
        self.onward = nn.LSTM(num_bins, hidden, batch_first=True)
        self.backward_ = nn.LSTM(num_bins, hidden, batch_first=True)

    def forward(self, x_BTF: Tensor, lengths_B: Tensor) -> Tensor:
        """h_BTC; zero beyond a row's frames."""
        positions_T = torch.arange(x_BTF.shape[1], device=x_BTF.device)
        valid_BT = positions_T < lengths_B[:, None]
        mirrored_BT = torch.where(valid_BT, lengths_B[:, None] - 1 - positions_T, positions_T)
        onward_BTC, _ = self.onward(x_BTF)
        backward_BTC, _ = self.backward_(_take(x_BTF, mirrored_BT))
        h_BTC = torch.cat([onward_BTC, _take(backward_BTC, mirrored_BT)], dim=2)
        return h_BTC.masked_fill(~valid_BT[:, :, None], 0.0)


def _take(x_BTF: Tensor, frames_BT: Tensor) -> Tensor:
    return x_BTF.gather(1, frames_BT[:, :, None].expand(-1, -1, x_BTF.shape[2]))
