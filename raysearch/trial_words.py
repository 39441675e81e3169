"""How a trial stands, in a reader's words, and its settings as a notebook shows them."""

from collections.abc import Mapping
from html import escape

from raysearch.ledger_events import BY_HAND

__all__ = ["STANDINGS", "html_table", "standing"]

# In the order in which trials are counted.
STANDINGS = ("completed", "stopped early", BY_HAND, "failed", "paused", "running")


def standing(status: str, reason: object = None) -> str:
    """Say how a trial stands.

    Args:
        status: as the ledger has it.
        reason: why, as the ledger has it.
    """
    if status != "pruned":
        return status
    return BY_HAND if reason == BY_HAND else "stopped early"


def html_table(head: str, parts: Mapping[str, Mapping[str, object]]) -> str:
    """Draw named values as an HTML table; whatever they hold stands in it as text.

    Args:
        head: the line above it.
        parts: the values by the title above them; a part without any is left out.
    """
    rows = "".join(_part(title, values) for title, values in parts.items() if values)
    return f"<p>{escape(head)}</p><table>{rows}</table>"


def _part(title: str, values: Mapping[str, object]) -> str:
    rows = "".join(
        f"<tr><td>{escape(name)}</td><td>{escape(_text(value))}</td></tr>"
        for name, value in values.items()
    )
    return f'<tr><th colspan="2">{escape(title)}</th></tr>{rows}'


def _text(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
