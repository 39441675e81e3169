"""Names to lazily imported classes: a name costs no import until it is used."""

from collections.abc import Mapping
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any

from raysearch.config.base import did_you_mean
from raysearch.errors import UnknownNameError

__all__ = ["Table"]


class Table:
    """What ``kind`` means by its names: built in, by entry point, or by ``module:attribute``.

    Args:
        kind: the word for one entry, as messages use it: ``"corpus"``, ``"model"``.
        entries: built-in names to ``"module:attribute"``.
    """

    def __init__(self, kind: str, entries: Mapping[str, str]) -> None:
        self.kind = kind
        self._entries = dict(entries)

    @property
    def built_in(self) -> tuple[str, ...]:
        """The built-in names, in the table's order."""
        return tuple(self._entries)

    def names(self) -> list[str]:
        """Every built-in and installed name, sorted."""
        return sorted({**self._installed(), **self._entries})

    def load(self, name: str, *, place: str = "") -> Any:
        """The object that ``name`` stands for.

        Args:
            name: a table's name, or ``package.module:attribute`` for the user's own.
            place: where the name was written, put before the message.

        Raises:
            UnknownNameError: no such name, module or attribute.
        """
        prefix = f"{place}: " if place else ""
        # Reading entry points scans every installed package: only for a name of neither kind.
        target = name if ":" in name else self._entries.get(name) or self._installed().get(name)
        if target is None:
            raise UnknownNameError(
                f"{prefix}unknown {self.kind} {name!r}{did_you_mean(name, self.names())}"
            )
        module, _, attribute = target.partition(":")
        try:
            return getattr(import_module(module), attribute)
        except (ImportError, AttributeError) as error:
            hint = ""
            if isinstance(error, ModuleNotFoundError) and module.startswith(error.name or "?"):
                hint = "; it is looked for in the working folder and on PYTHONPATH"
            raise UnknownNameError(f"{prefix}{self.kind} {name!r}: {error}{hint}") from error

    def _installed(self) -> dict[str, str]:
        return {e.name: e.value for e in entry_points(group=f"raysearch.{self.kind}")}
