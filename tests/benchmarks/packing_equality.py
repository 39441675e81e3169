"""How far packed members are from the same trials by themselves, on the same rows and masks."""

from typing import Any

import torch
from packing_ways import Lone, Packed
from packing_work import Draws, Work, draw
from torch import Tensor

__all__ = ["deviation"]

STEPS, MEMBERS = 5, 3


def deviation(
    system: str, device: torch.device, *, small: bool, matrices: bool = False
) -> dict[str, Any]:
    """Train a few members both ways in float32, dropout off.

    Args:
        system: a shipped space.
        device: where.
        small: as ``Work``.
        matrices: as ``Packed``.

    Returns:
        losses: the largest difference of a loss, as a share of the loss.
        weights: the norm of the difference of all of a member's weights, as a share of the norm
            of what training changed; the worst member's.
        buffers: the largest difference of a running statistic.
        rounding: as ``weights``, of trials by themselves that begin with weights changed by about
            float32's precision. Adam divides by the size of a gradient, so the sign of one that is
            hardly more than rounding moves its weight as far as any other's: nothing that rounds
            otherwise can be expected to be nearer than this.
    """
    work = Work(system, device, small=small, dropout=False)
    lone = [Lone(work, member) for member in range(MEMBERS)]
    moved = [_moved(Lone(work, member)) for member in range(MEMBERS)]
    packed = Packed(work, MEMBERS, matrices=matrices)
    before = [packed.pack.take(member) for member in range(MEMBERS)]
    worst_loss = 0.0
    for step in range(STEPS):
        rows, draws = _given(work, lone, step)
        losses_N = packed.step(rows, draws)
        for member, rows_B in enumerate(rows.view(MEMBERS, -1)):
            torch.manual_seed(_seed(step, member))
            loss = lone[member].step(rows_B)
            torch.manual_seed(_seed(step, member))
            moved[member].step(rows_B)
            worst_loss = max(worst_loss, float((losses_N[member] - loss).abs() / loss))
    ends = [trial.model.state_dict() for trial in lone]
    found = [_apart(ends[m], packed.pack.take(m), before[m]) for m in range(MEMBERS)]
    rounded = [_apart(ends[m], moved[m].model.state_dict(), before[m]) for m in range(MEMBERS)]
    weights, buffers = (max(values) for values in zip(*found, strict=True))
    return {
        "system": system,
        "members": MEMBERS,
        "steps": STEPS,
        "losses": worst_loss,
        "weights": weights,
        "buffers": buffers,
        "rounding": max(weights for weights, _ in rounded),
    }


def _moved(trial: Lone) -> Lone:
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for param in trial.model.parameters():
            signs = torch.randint(0, 2, param.shape, generator=generator).to(param) * 2 - 1
            param.mul_(1 + torch.finfo(torch.float32).eps * signs)
    return trial


def _seed(step: int, member: int) -> int:
    return 1000 * step + member


def _given(work: Work, lone: list[Lone], step: int) -> tuple[Tensor, Draws]:
    """Rows of all members, and the draws that each one's seed gives."""
    torch.manual_seed(_seed(step, 999))
    rows = work.random_rows(MEMBERS)
    own = []
    for member in range(len(lone)):
        torch.manual_seed(_seed(step, member))
        masks = work.settings(member)[1]
        own.append(draw(work.batch, masks, work.shape.kind, work.device))
    return rows, Draws(
        torch.cat([draws.shifts for draws in own]),
        torch.cat([draws.bins for draws in own]),
        torch.cat([draws.frames for draws in own]),
    )


def _apart(
    lone: dict[str, Tensor], packed: dict[str, Tensor], before: dict[str, Tensor]
) -> tuple[float, float]:
    squares, changes, buffers = 0.0, 0.0, 0.0
    for name, tensor in packed.items():
        difference = (lone[name] - tensor).double()
        if "running" in name or "num_batches" in name:
            buffers = max(buffers, float(difference.abs().max()))
        else:
            squares += float(difference.square().sum())
            changes += float((lone[name] - before[name]).double().square().sum())
    return (squares / changes) ** 0.5, buffers
