"""Where a network weighs its frames: the weights pass a module that can be listened to.

What is seen is what the forward pass used. Axes: B windows, C channels, H frequencies, W equal
stretches of a window's time.
"""

from collections.abc import Mapping

from torch import Tensor, nn

__all__ = ["Attended", "attention"]


class Attended(nn.Module):
    """Hands on weights as they are: a model's part whose attention can be seen has one."""

    def forward(self, weights: Tensor, *others: Tensor) -> Tensor:
        """Return ``weights``: (B, W), (B, H, W) or (B, C, H, W).

        Args:
            weights: by which the network multiplies what lies there; 0 on padding, or not read.
            others: by which the same values are multiplied as well.
        """
        return weights


def attention(
    model: nn.Module, inputs: Mapping[str, Tensor], lengths: Mapping[str, Tensor]
) -> Tensor | None:
    """Run ``model``, and return the weights_BHW that its last attention gave, means over channels.

    Args:
        model: in evaluation mode.
        inputs: as for ``Model.forward``.
        lengths: likewise.

    Returns:
        H is 1 for attention over time alone; None where the model has no such attention.
    """
    seen: list[Tensor] = []

    def listen(module: nn.Module, given: tuple[Tensor, ...], handed_on: Tensor) -> None:
        weights = handed_on
        for other in given[1:]:
            weights = weights * other
        seen.append(_over_time(weights))

    hooks = [
        part.register_forward_hook(listen) for part in model.modules() if isinstance(part, Attended)
    ]
    try:
        if hooks:
            model(inputs, lengths)
    finally:
        for hook in hooks:
            hook.remove()
    return seen[-1] if seen else None


def _over_time(weights: Tensor) -> Tensor:
    if weights.ndim == 2:
        return weights[:, None]
    return weights.mean(dim=1) if weights.ndim == 4 else weights
