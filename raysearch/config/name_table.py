"""Names to lazily imported classes: a name costs no import until it is used."""

from collections.abc import Mapping
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any

from raysearch.config.base import did_you_mean
from raysearch.errors import UnknownNameError

__all__ = ["Table"]


class Table:
    """Maps names to objects: built-in names, installed entry points, or ``module:attribute``.

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

    def check(self, name: str) -> None:
        """Refuse a name that stands for nothing, without importing what it stands for.

        Raises:
            ValueError: it is none of the table, nor of the form ``module:attribute``.
        """
        if self._target(name) is None:
            raise ValueError(self._unknown(name))

    def load(self, name: str, *, place: str = "") -> Any:
        """Import and return the object that ``name`` stands for.

        Args:
            name: a table's name, or ``package.module:attribute`` for the user's own.
            place: where the name was written, put before the message.

        Raises:
            UnknownNameError: no such name, module or attribute.
        """
        prefix = f"{place}: " if place else ""
        target = self._target(name)
        if target is None:
            raise UnknownNameError(f"{prefix}{self._unknown(name)}")
        module, _, attribute = target.partition(":")
        try:
            return getattr(import_module(module), attribute)
        except (ImportError, AttributeError) as error:
            hint = ""
            if isinstance(error, ModuleNotFoundError) and module.startswith(error.name or "?"):
                hint = "; it is looked for in the working folder and on PYTHONPATH"
            raise UnknownNameError(f"{prefix}{self.kind} {name!r}: {error}{hint}") from error

    def _target(self, name: str) -> str | None:
        # Reading entry points scans every installed package: only for a name of neither kind.
        return name if ":" in name else self._entries.get(name) or self._installed().get(name)

    def _unknown(self, name: str) -> str:
        return f"unknown {self.kind} {name!r}{did_you_mean(name, self.names())}"

    def _installed(self) -> dict[str, str]:
        group = f"raysearch.{self.kind.replace(' ', '_')}"
        return {e.name: e.value for e in entry_points(group=group)}
