"""Emotion over time as a picture, drawn by matplotlib, which is an extra."""

from collections.abc import Sequence
from pathlib import Path

from raysearch.errors import UserError
from raysearch.inference.recognition import Scored
from raysearch.reporting.plotting import blank_figure, can_plot

__all__ = ["check_plotting", "draw_timeline"]


def check_plotting() -> None:
    """Look for matplotlib before anything is computed.

    Raises:
        UserError: it is not installed.
    """
    if not can_plot():
        raise UserError("--plot needs matplotlib: pip install 'raysearch[plot]'")


def draw_timeline(scored: Sequence[Scored], labels: Sequence[str], path: Path) -> None:
    """Draw each emotion's probability, stacked, at the middles of the windows of one recording.

    Args:
        scored: the windows, in order.
        labels: the emotions, from the bottom up.
        path: a .png or .svg file.
    """
    spans = [one.span for one in scored if one.span is not None]
    middles = [(span.start_s + span.end_s) / 2 for span in spans]
    # To both ends of the recording: half of the first and the last window would stay blank.
    times = [spans[0].start_s, *middles, spans[-1].end_s]
    heights = [
        [probs[0], *probs, probs[-1]]
        for name in labels
        for probs in [[one.prediction.probabilities[name] for one in scored]]
    ]
    figure = blank_figure(10, 4)
    axes = figure.subplots()
    colours = [f"C{index}" for index in range(len(labels))]
    axes.stackplot(times, heights, labels=list(labels), colors=colours, alpha=0.85)
    axes.set(
        xlim=(times[0], times[-1]),
        ylim=(0, 1),
        xlabel="seconds",
        ylabel="probability",
        title=Path(scored[0].recording.name).name,
    )
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), reverse=True, frameon=False)
    figure.savefig(path, dpi=120)
