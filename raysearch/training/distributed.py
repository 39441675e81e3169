"""Sums over ranks, the data-parallel wrapper, and running statistics that all ranks share."""

from collections.abc import Mapping

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

__all__ = [
    "all_agree",
    "average_buffers",
    "idle_inputs",
    "stand_by",
    "sum_over_ranks",
    "wrap",
]

# Frames of the row that an empty share sends through the network.
IDLE_FRAMES = 32


def sum_over_ranks(values: Tensor, world_size: int) -> Tensor:
    """The sum of ``values`` over all ranks, in place; as it is for one."""
    if world_size > 1:
        dist.all_reduce(values)
    return values


def all_agree(word: bool, world_size: int) -> bool:
    """Whether every rank says True."""
    if world_size == 1:
        return word
    words: list[bool | None] = [None] * world_size
    dist.all_gather_object(words, word)
    return all(words)


def wrap(model: nn.Module, world_size: int, device: torch.device) -> nn.Module:
    """Return ``model`` with gradients averaged over ranks; for one rank, the model itself.

    Buffers are not broadcast at each step (that would keep rank 0's batch statistics only);
    ``average_buffers`` unites them once an epoch.
    """
    if world_size == 1:
        return model
    assert dist.is_initialized(), "torch.distributed must be initialised for several ranks"
    return DistributedDataParallel(
        model,
        device_ids=[device] if device.type == "cuda" else None,
        broadcast_buffers=False,
        gradient_as_bucket_view=True,
    )


@torch.no_grad()
def average_buffers(model: nn.Module, num_rows: int, world_size: int) -> None:
    """Replace floating-point buffers by their mean over ranks, weighted by rows seen.

    Integer buffers (batch norm's step count) take the largest value of any rank.
    """
    if world_size == 1:
        return
    buffers = list(model.buffers())
    floats = [b for b in buffers if b.is_floating_point()]
    counts = [b for b in buffers if not b.is_floating_point()]
    if floats:
        weight = torch.full((1,), float(num_rows), device=floats[0].device)
        flat = torch.cat([weight, *(b.flatten().float() * num_rows for b in floats)])
        dist.all_reduce(flat)
        parts = torch.split(flat[1:] / flat[0], [b.numel() for b in floats])
        for buffer, part in zip(floats, parts, strict=True):
            buffer.copy_(part.view_as(buffer))
    for count in counts:
        dist.all_reduce(count, op=dist.ReduceOp.MAX)


def stand_by(model: nn.Module) -> None:
    """Switch to evaluation, so that no statistics move; recurrent layers stay in training.

    cuDNN gives their gradients in training mode only, and an idle rank needs some.
    """
    model.eval()
    for layer in model.modules():
        if isinstance(layer, nn.RNNBase):
            layer.train()


def idle_inputs(
    inputs: Mapping[str, Tensor], device: torch.device
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Make one row of zeros a stream, for a rank whose share of a batch is empty.

    Such a rank must still join the gradients' reduction, or the others wait for ever.
    """
    rows = {
        stream: torch.zeros(1, max(IDLE_FRAMES, x_BTF.shape[1]), x_BTF.shape[2], device=device)
        for stream, x_BTF in inputs.items()
    }
    lengths = {
        stream: torch.full((1,), row.shape[1], dtype=torch.long, device=device)
        for stream, row in rows.items()
    }
    return rows, lengths
