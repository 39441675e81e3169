"""MFHCA's hierarchical cooperative attention: the spectrogram says which SSL frames count.

As in arXiv 2404.13509 and its released code, with two assumptions: a ReLU between the two layers
after the product, and masks, for padding must not count.

Axes: B batch, T frames, F values a frame, C values of the recurrent state, D of the spectrogram's
vector, G and A rows and columns of the grids.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from raysearch.models.layers.attended import Attended
from raysearch.models.layers.recurrent import MaskedRecurrence
from raysearch.models.layers.spans import span_weights

__all__ = ["GRID", "CooperativeAttention", "LayerMixture"]

GRID = 32


class LayerMixture(nn.Module):
    """A learned weighting of an encoder's layers, whose bins lie layer by layer.

    Args:
        num_layers: L; one layer is taken as it is.
    """

    def __init__(self, num_layers: int) -> None:
        super().__init__()
        self.scores_L = nn.Parameter(torch.zeros(num_layers)) if num_layers > 1 else None

    def forward(self, x_BTF: Tensor) -> Tensor:
        """(B, T, F / L)."""
        if self.scores_L is None:
            return x_BTF
        x_BTLF = x_BTF.reshape(*x_BTF.shape[:2], len(self.scores_L), -1)
        return torch.einsum("btlf,l->btf", x_BTLF, self.scores_L.softmax(0).to(x_BTF.dtype))


class CooperativeAttention(nn.Module):
    """SSL frames to a vector, led by the spectrogram's vector.

    Scores over frames, one for each of the clip, sum a bidirectional LSTM's states to one vector;
    as a grid (A, G) it is multiplied with the frames, pooled to (G, A); two layers follow. For
    3 s and HuBERT-base these are 149 scores and 24 x 32.

    Args:
        num_bins: F.
        num_frames: T of a clip.
        hidden: state of one direction; a multiple of GRID / 2.
        num_out: values of the result.
        num_features: D; None takes the mean over frames instead of scores.
        product: False leaves out the scores and the product: the mean state goes through one
            layer.
    """

    def __init__(
        self,
        num_bins: int,
        num_frames: int,
        hidden: int,
        num_out: int,
        *,
        num_features: int | None,
        product: bool,
    ) -> None:
        super().__init__()
        self.lstm = MaskedRecurrence(num_bins, hidden)
        scored = num_features if product else None
        self.scores = None if scored is None else nn.Linear(scored, num_frames)
        self.product = nn.Linear(GRID * GRID, 2 * hidden) if product else None
        self.out = nn.Linear(2 * hidden, num_out)
        self.attended = Attended()

    def forward(self, x_BTF: Tensor, lengths_B: Tensor, vector_BD: Tensor | None) -> Tensor:
        """The vector (B, num_out).

        Args:
            x_BTF: SSL frames.
            lengths_B: valid frames, long.
            vector_BD: of the spectrogram, if scores are wanted.
        """
        state_BC = self._state(x_BTF, lengths_B, vector_BD)
        if self.product is not None:
            state_BC = functional.relu(self.product(self._joint(x_BTF, lengths_B, state_BC)))
        out_BC: Tensor = self.out(state_BC)
        return out_BC

    def _state(self, x_BTF: Tensor, lengths_B: Tensor, vector_BD: Tensor | None) -> Tensor:
        num_frames = x_BTF.shape[1]
        h_BTC = self.lstm(x_BTF, lengths_B)
        if self.scores is None:
            weights_B1T = span_weights(lengths_B, num_frames, 1)
        else:
            # States beyond a row's frames are 0, so their scores do not count.
            scores_BT = functional.relu(self.scores(vector_BD))[:, :num_frames]
            weights_B1T = self.attended(scores_BT)[:, None]
        state_B1C: Tensor = weights_B1T.to(h_BTC.dtype) @ h_BTC
        return state_B1C[:, 0]

    def _joint(self, x_BTF: Tensor, lengths_B: Tensor, state_BC: Tensor) -> Tensor:
        """The product of both grids, (B, GRID * GRID)."""
        num_frames, num_bins = x_BTF.shape[1:]
        grid_BAG = state_BC.reshape(len(state_BC), -1, GRID)
        spans_BGT = span_weights(lengths_B, num_frames, GRID).to(x_BTF.dtype)
        whole = torch.tensor([num_bins], device=x_BTF.device)
        bins_FA = span_weights(whole, num_bins, grid_BAG.shape[1])[0].T.to(x_BTF.dtype)
        joint_BGG: Tensor = spans_BGT @ x_BTF @ bins_FA @ grid_BAG
        return joint_BGG.flatten(1)
