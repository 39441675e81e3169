"""The settings of a trial as a table: what differs from the space's own comes first."""

from collections.abc import Mapping

from rich.table import Table
from rich.text import Text

from raysearch.cli.tables import plain_table
from raysearch.reporting.wording import one_line

__all__ = ["settings_table"]


def settings_table(config: Mapping[str, object], own: Mapping[str, object]) -> Table:
    """Draw a trial's settings, one row each.

    Args:
        config: the searched, or the published, fields and their values.
        own: the values that the space has where nothing is searched.
    """
    changed = {key: value for key, value in config.items() if _short(value) != _short(own.get(key))}
    same = {key: value for key, value in config.items() if key not in changed}
    table = plain_table("setting", "value")
    for key, value in changed.items():
        was = f"  (the space's own: {_short(own.get(key))})" if key in own else ""
        table.add_row(Text(key), Text.assemble((_short(value), "bold"), (was, "dim")))
    for key, value in same.items():
        table.add_row(Text(key, "dim"), Text(_short(value), "dim"))
    return table


def _short(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else one_line(value)
