"""Matplotlib, which is an extra: whether it is there, and a blank figure of it."""

from importlib.util import find_spec
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["blank_figure", "can_plot"]


def can_plot() -> bool:
    """Whether matplotlib is installed."""
    return find_spec("matplotlib") is not None


def blank_figure(width: float, height: float) -> "Figure":
    """A figure of that size in inches, which is bound to no window."""
    # Here, not above: it takes a second, and may not be installed.
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")
