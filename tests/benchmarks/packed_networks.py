"""Networks of equal shapes trained as one, each by its own optimizer settings and on its own rows.

All members' trainable weights are one matrix, a row a member, so Adam is a few kernels however many
members and layers there are. The forward pass is ``torch.func.vmap`` over those rows. Gradients are
taken outside of it, of the sum of all losses: no weight of a member is part of another's loss. So
batch norm updates its stacked running statistics in place, which needs them to be contiguous.

Axes: N members, P weights, B batch, T frames, F bins, K emotions.
"""

import copy
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap

from raysearch.models.base import Model
from raysearch.training.gradient import autocast
from raysearch.training.losses import soft_cross_entropy
from raysearch.training.training_sections import TrainingConfig

__all__ = ["MemberLoss", "Pack", "adam_step"]

EPSILON = 1e-8  # torch's own


class MemberLoss(nn.Module):
    """What one step minimises: the mean loss of a batch, and the model's penalty."""

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.model = model

    def forward(
        self, inputs: dict[str, Tensor], lengths: dict[str, Tensor], targets_BK: Tensor
    ) -> Tensor:
        """A scalar."""
        loss = soft_cross_entropy(self.model(inputs, lengths), targets_BK).mean()
        penalty = self.model.penalty()
        return loss if penalty is None else loss + penalty


class Pack:
    """Members that step together.

    Args:
        models: of one architecture and equal shapes, on one device; their weights are copied.
        trainings: how each learns; optimizer, rates, betas, decay and clip may differ, precision
            may not.
        compiled: compile the forward pass with its gradient, and the optimizer.

    Attributes:
        flat_NP: the weights.
        buffers: a name to all members' buffers, stacked.
    """

    def __init__(
        self,
        models: Sequence[Model],
        trainings: Sequence[TrainingConfig],
        *,
        compiled: bool = False,
    ) -> None:
        first = MemberLoss(models[0])
        params = {name: p for name, p in first.named_parameters() if p.requires_grad}
        self._names, self._shapes = list(params), [p.shape for p in params.values()]
        self._sizes = [p.numel() for p in params.values()]
        self._template = copy.deepcopy(first).to("meta").train()
        device = next(iter(params.values())).device
        self._autocast = autocast(trainings[0], device)
        num_members = len(models)
        self.flat_NP = torch.zeros(num_members, sum(self._sizes), device=device, requires_grad=True)
        self._first_NP = torch.zeros_like(self.flat_NP, requires_grad=False)
        self._second_NP = torch.zeros_like(self._first_NP)
        self.buffers = {
            name: b.new_zeros(num_members, *b.shape) for name, b in first.named_buffers()
        }
        self._frozen = {
            f"model.{name}": p.detach()
            for name, p in models[0].named_parameters()
            if not p.requires_grad
        }
        self._rules = {name: torch.zeros(num_members, 1, device=device) for name in _RULES}
        for member, (model, training) in enumerate(zip(models, trainings, strict=True)):
            self.put(member, model, training)
        losses = vmap(self._loss, randomness="different")
        self._losses: Callable[..., Tensor] = torch.compile(losses) if compiled else losses
        self._adam: Callable[..., None] = torch.compile(adam_step) if compiled else adam_step

    def put(self, member: int, model: Model, training: TrainingConfig) -> None:
        """Start ``model`` in the place of ``member``, as at a rung's end where one is pruned."""
        own = MemberLoss(model)
        params, buffers = dict(own.named_parameters()), dict(own.named_buffers())
        with torch.no_grad():
            self.flat_NP[member] = torch.cat([params[name].flatten() for name in self._names])
            for name, stacked in self.buffers.items():
                stacked[member] = buffers[name]
            for moment_NP in (self._first_NP, self._second_NP):
                moment_NP[member] = 0.0
            for name, read in _RULES.items():
                self._rules[name][member] = read(training)

    def take(self, member: int) -> dict[str, Tensor]:
        """A member's weights and buffers, under the names that its model has for them."""
        parts = self.flat_NP[member].detach().split(self._sizes)
        tensors = dict(zip(self._names, map(Tensor.view, parts, self._shapes), strict=True))
        tensors |= {name: stacked[member] for name, stacked in self.buffers.items()}
        return {name.removeprefix("model."): tensor.clone() for name, tensor in tensors.items()}

    def step(
        self, inputs: Mapping[str, Tensor], lengths: Mapping[str, Tensor], targets_NBK: Tensor
    ) -> Tensor:
        """One optimizer step of every member; the losses before it, (N,).

        Args:
            inputs: a stream's rows x_NBTF, augmented.
            lengths: a stream's valid frames, long (N, B).
            targets_NBK: soft targets.
        """
        with self._autocast:
            losses_N = self._losses(
                self.flat_NP, self.buffers, dict(inputs), dict(lengths), targets_NBK
            )
        (grad_NP,) = torch.autograd.grad(losses_N.sum(), self.flat_NP)
        with torch.no_grad():
            self._adam(self.flat_NP, grad_NP, self._first_NP, self._second_NP, **self._rules)
        return losses_N.detach()

    def _loss(
        self,
        flat_P: Tensor,
        buffers: dict[str, Tensor],
        inputs: dict[str, Tensor],
        lengths: dict[str, Tensor],
        targets_BK: Tensor,
    ) -> Tensor:
        parts = flat_P.split(self._sizes)
        params = dict(zip(self._names, map(Tensor.view, parts, self._shapes), strict=True))
        state = (self._frozen | params, buffers)
        loss: Tensor = functional_call(self._template, state, (inputs, lengths, targets_BK))
        return loss


# What differs from member to member, (N, 1) each. A clip of infinity clips nothing.
_RULES: dict[str, Callable[[TrainingConfig], float]] = {
    "steps_N1": lambda training: 0.0,
    "rates_N1": lambda training: training.learning_rate,
    "beta1_N1": lambda training: training.beta1,
    "beta2_N1": lambda training: training.beta2,
    "coupled_N1": lambda training: training.weight_decay * (training.optimizer == "adam"),
    "decoupled_N1": lambda training: training.weight_decay * (training.optimizer == "adamw"),
    "clips_N1": lambda training: training.gradient_clip or float("inf"),
}


def adam_step(
    flat_NP: Tensor,
    grad_NP: Tensor,
    first_NP: Tensor,
    second_NP: Tensor,
    *,
    steps_N1: Tensor,
    rates_N1: Tensor,
    beta1_N1: Tensor,
    beta2_N1: Tensor,
    coupled_N1: Tensor,
    decoupled_N1: Tensor,
    clips_N1: Tensor,
) -> None:
    """Adam (arXiv 1412.6980) or AdamW (arXiv 1711.05101) of all members, in place.

    The order of operations is that of ``torch.optim``, the clip that of ``clip_grad_norm_``.
    """
    norms_N1 = torch.linalg.vector_norm(grad_NP, dim=1, keepdim=True)
    grad_NP = grad_NP * (clips_N1 / (norms_N1 + 1e-6)).clamp(max=1.0)
    grad_NP = grad_NP + coupled_N1 * flat_NP
    steps_N1.add_(1.0)
    first_NP.lerp_(grad_NP, 1 - beta1_N1.expand_as(grad_NP))
    second_NP.mul_(beta2_N1).add_(grad_NP.square() * (1 - beta2_N1))
    root_NP = second_NP.sqrt() / (1 - beta2_N1**steps_N1).sqrt() + EPSILON
    flat_NP.mul_(1 - rates_N1 * decoupled_N1)
    flat_NP.sub_(rates_N1 / (1 - beta1_N1**steps_N1) * first_NP / root_NP)
