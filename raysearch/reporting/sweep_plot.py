"""A sweep as a picture: UA by value, with intervals, drawn by matplotlib, which is an extra."""

from pathlib import Path
from typing import TYPE_CHECKING

from raysearch.evaluation.experiment_figures import Sweep, SweptPoint, own_values
from raysearch.evaluation.figures import Figures
from raysearch.reporting.plotting import blank_figure
from raysearch.training.transductive import mark

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw_sweep"]


def draw_sweep(found: Sweep, path: Path) -> None:
    """Draw the UA of every value, and the winner's as a line across.

    Bars are 95% intervals, where there are speakers and folds enough for them. With two fields each
    value of the second has a line of its own.

    Args:
        found: what was swept.
        path: a .png or .svg file.
    """
    figure = blank_figure(7, 4)
    axes = figure.subplots()
    first, *second = found["fields"]
    labels = list(dict.fromkeys(str(point["values"][first]) for point in found["points"]))
    named = zip(found["fields"], own_values(found), strict=True)
    own = ", ".join(f"{field}={values}" for field, values in named)
    ua = 100 * found["winner"]["ua"]["mean"]
    axes.axhline(ua, color="0.5", linestyle="--", label=f"winner ({own})")
    curves = (
        _curves(found["points"], second[0])
        if second
        else {"trained with this value": found["points"]}
    )
    for number, (label, points) in enumerate(curves.items()):
        # Side by side, or their bars would hide each other.
        shift = 0.08 * (number - (len(curves) - 1) / 2)
        places = [labels.index(str(point["values"][first])) + shift for point in points]
        _draw_curve(axes, points, places, label)
    axes.set_xticks(range(len(labels)), labels)
    axes.set(xlabel=first, ylabel=f"test UA, %{mark(found['winner'].get('transductive', False))}")
    figure.legend(loc="outside upper center", ncols=2, frameon=False, fontsize="small")
    figure.savefig(path, dpi=120)


def _curves(points: list[SweptPoint], field: str) -> dict[str, list[SweptPoint]]:
    """The points by their value of ``field``."""
    found: dict[str, list[SweptPoint]] = {}
    for point in points:
        found.setdefault(f"{field}={point['values'][field]}", []).append(point)
    return found


def _draw_curve(axes: "Axes", points: list[SweptPoint], places: list[float], label: str) -> None:
    values = [100 * point["figures"]["ua"]["mean"] for point in points]
    errors = [_reach(point["figures"]) for point in points]
    below, above = [low for low, _ in errors], [high for _, high in errors]
    axes.errorbar(places, values, yerr=[below, above], marker="o", capsize=4, label=label)


def _reach(figures: Figures) -> tuple[float, float]:
    """How far the interval reaches below and above the mean, in points; 0 where there is none."""
    mean, bounds = figures["ua"]["mean"], figures["ua"]["interval"]
    if bounds is None:
        return 0.0, 0.0
    return max(0.0, 100 * (mean - bounds[0])), max(0.0, 100 * (bounds[1] - mean))
