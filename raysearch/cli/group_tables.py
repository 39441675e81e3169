"""An evaluation's figures by columns, as the terminal shows them."""

from collections.abc import Mapping

from rich.console import Console
from rich.table import Table

from raysearch.evaluation.figures import ByColumn, GroupFigures, most_telling, of_metric
from raysearch.evaluation.markdown import interval_in_words
from raysearch.training.validation_metrics import confusion_metrics

__all__ = ["show_groups"]


def show_groups(console: Console, by: Mapping[str, ByColumn]) -> None:
    """Print a table a column, and what may be said of the differences below it."""
    for column, found in by.items():
        labels = [metric.label for metric in confusion_metrics().values()]
        table = Table(f"by {column}", box=None)
        for name in ("speakers", "rows", *labels, "95% interval of UA"):
            table.add_column(name, justify="right")
        for value, figures in found["groups"].items():
            table.add_row(value, *_cells(figures))
        console.print(table)
        for line in _lines(found):
            console.print(f"  {line}", highlight=False, markup=False, soft_wrap=True)


def _cells(figures: GroupFigures) -> list[str]:
    means = [100 * of_metric(figures, key)["mean"] for key in confusion_metrics()]
    span = interval_in_words(figures["ua"]["interval"])
    counts = [str(figures["num_speakers"]), str(figures["num_utterances"])]
    return [*counts, *(f"{mean:.1f}%" for mean in means), span]


def _lines(found: ByColumn) -> list[str]:
    told = most_telling(found)
    lines = [one["sentence"] for one in told]
    if len(told) < len(found["differences"]):
        number = len(found["differences"])
        lines.append(f"{len(told)} of {number} pairs; evaluation.json has all, under by")
    for value, figures in found["groups"].items():
        if figures["lacking"]:
            lines.append(f"note: {value} has no {', '.join(figures['lacking'])}")
    if found["num_left_out"]:
        lines.append(f"note: {found['num_left_out']} utterances have no value and are left out")
    return [*lines, *(f"note: {note}" for note in found["notes"])]
