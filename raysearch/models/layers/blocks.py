"""Convolutional residual blocks of ResNet (arXiv 1512.03385), as HRNet uses them.

Axes: B batch, C channels, H frequency, W time.
"""

from torch import Tensor, nn
from torch.nn import functional

__all__ = ["BasicBlock", "BatchNorm", "Bottleneck", "conv_norm"]


class BatchNorm(nn.BatchNorm2d):
    """Batch normalisation that also takes a single value a channel.

    One row on a 1x1 map has no variance, and torch refuses it; an uneven last share of a
    batch at a small input reaches that case, so the running statistics stand in.
    """

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 (the base class's name)
        """Normalise h_BCHW."""
        if self.training and input.numel() == self.num_features:
            return functional.batch_norm(
                input, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps
            )
        return super().forward(input)


def conv_norm(
    num_in: int, num_out: int, kernel: int, *, stride: int = 1, relu: bool = True
) -> nn.Sequential:
    """A same-padded convolution without bias, batch norm, and a ReLU if asked for."""
    layers: list[nn.Module] = [
        nn.Conv2d(num_in, num_out, kernel, stride, padding=kernel // 2, bias=False),
        BatchNorm(num_out),
    ]
    # Batch norm's backward reads its input, not its output: overwriting the output is safe.
    return nn.Sequential(*layers, nn.ReLU(inplace=True)) if relu else nn.Sequential(*layers)


class BasicBlock(nn.Module):
    """Two 3x3 convolutions with an identity shortcut; width and resolution stay."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            conv_norm(width, width, 3), conv_norm(width, width, 3, relu=False)
        )

    def forward(self, h_BCHW: Tensor) -> Tensor:
        """The same shape."""
        return functional.relu_(self.body(h_BCHW).add_(h_BCHW))


class Bottleneck(nn.Module):
    """1x1, 3x3, 1x1 with an expansion of 4; a 1x1 shortcut where the width changes."""

    expansion = 4

    def __init__(self, num_in: int, planes: int) -> None:
        super().__init__()
        num_out = planes * self.expansion
        self.body = nn.Sequential(
            conv_norm(num_in, planes, 1),
            conv_norm(planes, planes, 3),
            conv_norm(planes, num_out, 1, relu=False),
        )
        self.shortcut: nn.Module = nn.Identity()
        if num_in != num_out:
            self.shortcut = conv_norm(num_in, num_out, 1, relu=False)

    def forward(self, h_BCHW: Tensor) -> Tensor:
        """(B, 4 planes, H, W)."""
        return functional.relu_(self.body(h_BCHW).add_(self.shortcut(h_BCHW)))
