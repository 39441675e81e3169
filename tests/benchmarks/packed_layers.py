"""Layers that stand in for those of which ``vmap`` makes too little.

Each has the names of the layer that it stands for, so weights go from one to the other as they are.

Axes: N members, B batch, T frames, F inputs, C channels or states, H and W of a map, O channels
that a convolution gives, I values that one of its kernels reads, L places where it does.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from raysearch.models.base import Model

__all__ = ["LoopLstm", "MatrixConv", "MemberNorm", "packable"]


class MemberNorm(nn.Module):
    """Batch norm in training, under ``vmap`` one fused call for all members.

    The rule that ``vmap`` has itself leaves the affine part to two more kernels, and gives the
    fused one weights of the input's type, which running statistics in float32 do not go with.

    Args:
        norm: whose parameters and running statistics are shared.
    """

    def __init__(self, norm: nn.BatchNorm1d | nn.BatchNorm2d) -> None:
        super().__init__()
        self._momentum, self._eps = norm.momentum, norm.eps
        for name, param in norm.named_parameters():
            self.register_parameter(name, param)
        for name, buffer in norm.named_buffers():
            self.register_buffer(name, buffer)

    def forward(self, h_BC: Tensor) -> Tensor:
        """Normalise (B, C), (B, C, T) or (B, C, H, W)."""
        self.num_batches_tracked.add_(1)
        state = (self.running_mean, self.running_var, self.weight, self.bias)
        normed: Tensor = _MergedNorm.apply(h_BC, *state, self._momentum, self._eps)
        return normed


class _MergedNorm(torch.autograd.Function):
    """Batch norm with the members as further channels; it has no gradient but that rule's."""

    @staticmethod
    def forward(*_: Any) -> Tensor:
        raise AssertionError("a packed layer was called outside of vmap")

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        """Nothing is kept: the fused call keeps what it needs."""

    @staticmethod
    def vmap(
        info: Any, in_dims: tuple[int | None, ...], h: Tensor, *state: Any
    ) -> tuple[Tensor, int]:
        """(B, N, C, ...) of all members."""
        assert all(dim == 0 for dim in in_dims[1:5]), in_dims
        mean_NC, var_NC, weight_NC, bias_NC, momentum, eps = state
        assert in_dims[0] is not None
        merged = h.movedim(in_dims[0], 1).flatten(1, 2)
        # Views, so that the statistics are updated where they are.
        mean, var = mean_NC.view(-1), var_NC.view(-1)
        affine = (weight_NC.flatten(), bias_NC.flatten())
        normed = functional.batch_norm(merged, mean, var, *affine, True, momentum, eps)
        return normed.unflatten(1, (info.batch_size, -1)), 1


class MatrixConv(nn.Module):
    """A convolution as a product: under ``vmap`` of matrices a member, not of groups of channels.

    Args:
        conv: whose parameters are shared.
    """

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__()
        assert conv.groups == 1
        assert conv.padding_mode == "zeros"
        for name, param in conv.named_parameters():
            self.register_parameter(name, param)
        self._padding, self._stride, self._dilation = conv.padding, conv.stride, conv.dilation

    def forward(self, h_BCHW: Tensor) -> Tensor:
        """(B, O, H, W)."""
        kernel = self.weight.shape[2:]
        places = {"padding": self._padding, "stride": self._stride, "dilation": self._dilation}
        read_BIL = functional.unfold(h_BCHW, kernel, **places)
        out_BOL = self.weight.flatten(1) @ read_BIL
        if self._parameters.get("bias") is not None:
            out_BOL = out_BOL + self.bias[:, None]
        width = (
            h_BCHW.shape[3] + 2 * self._padding[1] - self._dilation[1] * (kernel[1] - 1) - 1
        ) // self._stride[1] + 1
        return out_BOL.unflatten(2, (-1, width))


class LoopLstm(nn.Module):
    """A layer of ``nn.LSTM`` step by step, under the same names: the fused one has no vmap rule.

    Args:
        lstm: one layer and one direction; its parameters are shared.
    """

    def __init__(self, lstm: nn.LSTM) -> None:
        super().__init__()
        assert lstm.num_layers == 1
        assert not lstm.bidirectional
        for name, param in lstm.named_parameters():
            self.register_parameter(name, param)

    def forward(self, x_BTF: Tensor) -> tuple[Tensor, None]:
        """States h_BTC; the second value stands where ``nn.LSTM`` has its last states."""
        bias = self.bias_ih_l0 + self.bias_hh_l0
        read_BT4C = functional.linear(x_BTF, self.weight_ih_l0, bias)
        # Of the input's kind, so that under vmap it has the members' axis.
        h_BC = cell_BC = torch.zeros_like(read_BT4C[:, 0]).chunk(4, dim=1)[0]
        states = []
        for read_B4C in read_BT4C.unbind(1):
            gates_B4C = read_B4C + functional.linear(h_BC, self.weight_hh_l0)
            enter_BC, forget_BC, new_BC, leave_BC = gates_B4C.chunk(4, dim=1)
            kept_BC = forget_BC.sigmoid() * cell_BC
            cell_BC = kept_BC + enter_BC.sigmoid() * new_BC.tanh()
            h_BC = leave_BC.sigmoid() * cell_BC.tanh()
            states.append(h_BC)
        return torch.stack(states, dim=1), None


def packable(model: Model, *, norms: bool = True, convs: bool = False) -> Model:
    """The model with layers replaced that do better so, or only so; itself, changed.

    Args:
        model: any.
        norms: batch norms, too.
        convs: convolutions over maps, too.
    """
    for module in list(model.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, nn.LSTM):
                setattr(module, name, LoopLstm(child))
            elif norms and isinstance(child, nn.BatchNorm1d | nn.BatchNorm2d):
                setattr(module, name, MemberNorm(child))
            elif convs and isinstance(child, nn.Conv2d):
                setattr(module, name, MatrixConv(child))
    return model
