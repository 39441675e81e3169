"""The ways in which n trials may share a device: alone, as one network, as n streams of one graph.

Each way is a function without arguments that does one optimizer step of all of its members: rows,
masks, forward, gradient, clip, optimizer. A capture puts the whole of that into one CUDA graph.
"""

from collections.abc import Callable, Sequence

import torch
from packed_layers import packable
from packed_networks import Pack
from packing_work import Draws, Work, augment, draw
from torch import Tensor, nn

from raysearch.models.base import Model
from raysearch.training.gradient import autocast
from raysearch.training.losses import soft_cross_entropy
from raysearch.training.optim import build_optimizer, set_learning_rate
from raysearch.training.spec_augment import spec_augment

__all__ = ["Lone", "Packed", "Step", "captured", "in_streams"]

Step = Callable[[], object]
WARM_UP = 3


class Lone:
    """A trial by itself: the steps of ``GradientFit`` with the project's own parts.

    Args:
        work: what it trains.
        member: which one.
        capturable: the optimizer keeps its rate and count on the device, as a CUDA graph needs.
    """

    def __init__(self, work: Work, member: int, *, capturable: bool = False) -> None:
        self.model: Model = work.model(member)
        self._work = work
        self.training, self._masks = work.settings(member)
        self._targets_RK = work.targets(self.training)
        self._optimizer = build_optimizer(self.model.parameter_groups(), self.training)
        self._autocast = autocast(self.training, work.device)
        self._capturable = capturable
        if capturable:
            for group in self._optimizer.param_groups:
                group["capturable"] = True
                group["lr"] = torch.tensor(group["lr"], device=work.device)

    def __call__(self) -> Tensor:
        """One step on random rows; the loss before it."""
        return self.step(self._work.random_rows())

    def step(self, rows_B: Tensor) -> Tensor:
        """One step on ``rows_B``; masks come from torch's default generator."""
        work, stream = self._work, self._work.stream
        lengths = {stream: work.lengths_R[rows_B]}
        inputs = spec_augment(
            {stream: work.x_RTF[rows_B]}, lengths, self._masks, {stream: work.shape}
        )
        with self._autocast:
            logits_BK = self.model(inputs, lengths)
        loss = soft_cross_entropy(logits_BK, self._targets_RK[rows_B]).mean()
        penalty = self.model.penalty()
        loss = loss if penalty is None else loss + penalty
        params = [p for p in self.model.parameters() if p.requires_grad]
        # Not backward(): what accumulates gradients keeps to the stream on which it was made.
        for param, grad in zip(params, torch.autograd.grad(loss, params), strict=True):
            param.grad = grad
        if self.training.gradient_clip is not None:
            nn.utils.clip_grad_norm_(params, self.training.gradient_clip)
        if not self._capturable:
            set_learning_rate(self._optimizer, self.training.learning_rate)
        self._optimizer.step()
        return loss.detach()


class Packed:
    """Members 0 to n - 1 as one network.

    Args:
        work: what they train.
        members: n.
        compiled: as ``Pack``.
        matrices: convolutions as products of matrices.
    """

    def __init__(
        self, work: Work, members: int, *, compiled: bool = False, matrices: bool = False
    ) -> None:
        self._work, self._members = work, members
        trainings, masks = zip(*(work.settings(m) for m in range(members)), strict=True)
        self._masks = masks[0]  # how many; their widths are the members' own
        # A compiler has rules of its own for batch norms.
        self._replaced = {"norms": not compiled, "convs": matrices}
        models = [self.packable(member) for member in range(members)]
        self.pack = Pack(models, trainings, compiled=compiled)
        self._targets_NRK = torch.stack([work.targets(t) for t in trainings])
        self._member_N1 = torch.arange(members, device=work.device)[:, None]
        self._widths = [
            torch.tensor([getattr(m, name) for m in masks], device=work.device).repeat_interleave(
                work.batch
            )
            for name in ("freq_mask_width", "time_mask_width", "time_shift")
        ]

    def packable(self, member: int) -> Model:
        """A member's network as the pack takes it."""
        return packable(self._work.model(member), **self._replaced)

    def __call__(self) -> Tensor:
        """One step of all on random rows; their losses before it, (N,)."""
        rows = self._work.random_rows(self._members)
        draws = draw(len(rows), self._masks, self._work.shape.kind, self._work.device)
        return self.step(rows, draws)

    def step(self, rows: Tensor, draws: Draws) -> Tensor:
        """One step; ``rows`` and ``draws`` are those of the first member, then of the second..."""
        work, stream, members = self._work, self._work.stream, self._members
        lengths = work.lengths_R[rows]
        x_BTF = augment(work.x_RTF[rows], lengths, draws, self._widths, work.shape)
        targets_NBK = self._targets_NRK[self._member_N1, rows.view(members, -1)]
        return self.pack.step(
            {stream: x_BTF.unflatten(0, (members, -1))},
            {stream: lengths.view(members, -1)},
            targets_NBK,
        )


class _Graph:
    """A step captured as one CUDA graph; it keeps the step, whose tensors the graph works on."""

    def __init__(self, step: Step) -> None:
        self._step = step
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(WARM_UP):
                step()
        torch.cuda.current_stream().wait_stream(side)
        torch.cuda.synchronize()
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph):
            step()

    def __call__(self) -> None:
        self._graph.replay()


def captured(step: Step, device: torch.device) -> Step:
    """``step`` as one CUDA graph; on a CPU, which has none, as it is."""
    return _Graph(step) if device.type == "cuda" else step


def in_streams(steps: Sequence[Step], device: torch.device) -> Step:
    """A step that does each of ``steps`` on a stream of its own, on a CPU one after another."""
    if device.type != "cuda":
        return lambda: [step() for step in steps]
    streams = [torch.cuda.Stream() for _ in steps]

    def together() -> None:
        current = torch.cuda.current_stream()
        for step, stream in zip(steps, streams, strict=True):
            stream.wait_stream(current)
            with torch.cuda.stream(stream):
                step()
        for stream in streams:
            current.wait_stream(stream)

    return together
