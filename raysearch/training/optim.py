"""Optimizers, the learning rate as a function of the step, and optimizer state as tensors."""

import math
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.optim import Adam, AdamW, Optimizer

from raysearch.errors import DataError
from raysearch.training.training_sections import TrainingConfig

__all__ = [
    "build_optimizer",
    "drop_frozen_gradients",
    "learning_rate_at",
    "load_optimizer_tensors",
    "optimizer_tensors",
    "set_learning_rate",
]


def build_optimizer(
    groups: Mapping[str, Sequence[nn.Parameter]], config: TrainingConfig
) -> Optimizer:
    """Adam or AdamW over named groups; fused, one kernel a step on CPU and GPU alike."""
    cls: type[Adam] = {"adam": Adam, "adamw": AdamW}[config.optimizer]
    return cls(
        [{"params": list(params), "name": name} for name, params in groups.items()],
        lr=config.learning_rate,
        betas=(config.beta1, config.beta2),
        weight_decay=config.weight_decay,
        fused=True,
    )


def learning_rate_at(config: TrainingConfig, step: int, steps_per_epoch: int) -> float:
    """The learning rate of one step, counted from 0; no state, so nothing to restore.

    The horizon is ``config.epochs`` even if a trial is stopped earlier.
    """
    warmup_steps = config.used_warmup_epochs * steps_per_epoch
    if step < warmup_steps:
        return config.learning_rate * (step + 1) / warmup_steps
    if config.schedule == "constant":
        return config.learning_rate
    num_steps = config.epochs * steps_per_epoch - warmup_steps
    progress = min(1.0, (step - warmup_steps) / max(1, num_steps))
    return config.learning_rate * 0.5 * (1 + math.cos(math.pi * progress))


def set_learning_rate(
    optimizer: Optimizer, learning_rate: float, factor_of: Callable[[str], float] | None = None
) -> None:
    """Use ``learning_rate``, times a group's own factor, from the next step on."""
    for group in optimizer.param_groups:
        group["lr"] = learning_rate * (factor_of(group["name"]) if factor_of else 1.0)


def drop_frozen_gradients(optimizer: Optimizer) -> None:
    """Leave groups without a learning rate out of the next step, momenta and decay included.

    Their gradients are computed all the same: data-parallel reduction expects every one.
    """
    for group in optimizer.param_groups:
        if group["lr"] == 0:
            for param in group["params"]:
                param.grad = None


def optimizer_tensors(optimizer: Optimizer) -> dict[str, Tensor]:
    """The optimizer's state as flat CPU tensors named ``<parameter number>.<slot>``."""
    return {
        f"{number}.{slot}": value.detach().cpu().contiguous()
        for number, param in enumerate(_params(optimizer))
        for slot, value in optimizer.state.get(param, {}).items()
    }


def load_optimizer_tensors(optimizer: Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Put back what ``optimizer_tensors`` gave.

    Raises:
        DataError: the tensors do not belong to these parameters.
    """
    params = _params(optimizer)
    state: dict[Tensor, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        number, _, slot = key.partition(".")
        if not number.isdecimal() or int(number) >= len(params) or not slot:
            raise DataError(f"optimizer state {key!r} belongs to no parameter of this model")
        param = params[int(number)]
        if value.dim() and value.shape != param.shape:
            raise DataError(
                f"optimizer state {key!r} has shape {tuple(value.shape)}, "
                f"but its parameter has {tuple(param.shape)}"
            )
        state.setdefault(param, {})[slot] = _like(param, value)
    optimizer.state.clear()
    optimizer.state.update(state)


def _like(param: nn.Parameter, value: Tensor) -> Tensor:
    if value.dim() == 0:  # the step count; fused kernels want it on the parameter's device
        return value.to(param.device, copy=True)
    # The parameter's memory format too: fused kernels walk both in one order.
    return torch.empty_like(param, dtype=value.dtype, requires_grad=False).copy_(value)


def _params(optimizer: Optimizer) -> list[nn.Parameter]:
    return [param for group in optimizer.param_groups for param in group["params"]]
