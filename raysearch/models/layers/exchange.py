"""Parallel resolutions and how they exchange: HRNet's modules (arXiv 1908.07919, section 3).

Branch i has width C * 2^i at 1/2^i of the first branch's resolution (rounded up).
Axes: B batch, C channels, H frequency, W time.
"""

from collections.abc import Sequence
from typing import cast

from torch import Tensor, nn
from torch.nn import functional

from raysearch.models.layers.blocks import BasicBlock, conv_norm

__all__ = ["ExchangeUnit", "HRModule", "Transition", "resize"]


def resize(h_BCHW: Tensor, size: tuple[int, int]) -> Tensor:
    """Nearest-neighbour interpolation to ``size`` (H, W).

    To the target's own size, not by a factor, so that any input length works. Nearest is what
    HRNet's exchange units use; unlike bilinear its gradient is deterministic on CUDA, and it
    commutes exactly with 1x1 convolutions, which the fuse layer uses.
    """
    if h_BCHW.shape[2:] == size:
        return h_BCHW
    return functional.interpolate(h_BCHW, size=size, mode="nearest")


class ExchangeUnit(nn.Module):
    """Every output branch is the sum of all input branches, brought to its width and size."""

    def __init__(self, widths: Sequence[int]) -> None:
        super().__init__()
        assert len(widths) >= 2, "one branch has nothing to exchange"
        self.paths = nn.ModuleList(
            nn.ModuleList(_path(widths, source, target) for source in range(len(widths)))
            for target in range(len(widths))
        )

    def forward(self, branches: list[Tensor]) -> list[Tensor]:
        """The same shapes, highest resolution first."""
        return [self._merge(target, branches) for target in range(len(branches))]

    def _merge(self, target: int, branches: list[Tensor]) -> Tensor:
        size = (branches[target].shape[2], branches[target].shape[3])
        total = branches[target]
        paths = cast("nn.ModuleList", self.paths[target])
        for source, path in enumerate(paths):
            if source != target:
                total = total + resize(path(branches[source]), size)
        return functional.relu_(total)


class HRModule(nn.Module):
    """``num_blocks`` BasicBlocks on each branch, then one exchange unit.

    Args:
        widths: of the branches; one alone has nothing to exchange.
        num_blocks: on each of them.
        exchange: whether they exchange at all.
    """

    def __init__(self, widths: Sequence[int], num_blocks: int, *, exchange: bool = True) -> None:
        super().__init__()
        self.branches = nn.ModuleList(
            nn.Sequential(*(BasicBlock(width) for _ in range(num_blocks))) for width in widths
        )
        self.exchange = ExchangeUnit(widths) if exchange and len(widths) > 1 else nn.Identity()

    def forward(self, branches: list[Tensor]) -> list[Tensor]:
        """The same shapes, highest resolution first."""
        mixed = [branch(h) for branch, h in zip(self.branches, branches, strict=True)]
        exchanged: list[Tensor] = self.exchange(mixed)
        return exchanged


class Transition(nn.Module):
    """Opens one more branch, if one is wanted: a 3x3 stride 2 from the lowest.

    A 3x3 brings a branch to another width.
    """

    def __init__(self, widths_in: Sequence[int], widths_out: Sequence[int]) -> None:
        super().__init__()
        more = len(widths_out) - len(widths_in)
        assert more in (0, 1), (widths_in, widths_out)
        self.kept = nn.ModuleList(
            nn.Identity() if old == new else conv_norm(old, new, 3)
            for old, new in zip(widths_in, widths_out, strict=False)
        )
        self.opened = conv_norm(widths_in[-1], widths_out[-1], 3, stride=2) if more else None

    def forward(self, branches: list[Tensor]) -> list[Tensor]:
        """The branches at their new widths, and the new lowest one."""
        kept = [path(h) for path, h in zip(self.kept, branches, strict=True)]
        return kept if self.opened is None else [*kept, self.opened(branches[-1])]


def _path(widths: Sequence[int], source: int, target: int) -> nn.Module:
    if source == target:
        return nn.Identity()
    if source > target:
        # Before the upsampling, where the map is small.
        return conv_norm(widths[source], widths[target], 1, relu=False)
    steps = [
        conv_norm(widths[source], widths[source], 3, stride=2) for _ in range(target - source - 1)
    ]
    return nn.Sequential(*steps, conv_norm(widths[source], widths[target], 3, stride=2, relu=False))
