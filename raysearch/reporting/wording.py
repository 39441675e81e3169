"""How figures, and words that come from outside, are written in tables, cards and lines."""

from typing import Any

__all__ = ["cell", "figure", "metric_name", "one_line"]

_NAMES = {
    "val_uar": "val UA",
    "val_uar_mean3": "3-epoch val UA",
    "val_wa": "val WA",
    "val_macro_f1": "val F1",
    "val_loss": "val loss",
}


def metric_name(metric: str) -> str:
    """Name the metric as a column's heading."""
    return _NAMES.get(metric, metric)


def figure(metric: str, value: float | None) -> str:
    """Write ``value`` for a reader: scores in percent, a loss as a number, none as a dash."""
    if value is None:
        return "-"
    return f"{value:.3f}" if metric.endswith("loss") else f"{100 * value:.1f}%"


def one_line(text: Any) -> str:
    """Return ``text`` without line breaks, escape sequences and what UTF-8 cannot hold.

    Reasons and paths are whatever a library or a file system gave.
    """

    def mended(letter: str) -> str:
        return " " if letter.isspace() else "?"

    words = str(text)
    if words.isprintable():
        return words
    return "".join(a if a.isprintable() else mended(a) for a in words)


def cell(text: Any) -> str:
    """Return ``text`` so that in a Markdown table no cell or tag begins or ends in it."""
    escaped = one_line(text).replace("\\", "\\\\").replace("|", "\\|")
    return escaped.replace("<", "&lt;")
