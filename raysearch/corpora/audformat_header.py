"""The header of an audformat database: its tables, and what its schemes' labels mean."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from raysearch.config.base import Places
from raysearch.config.loader import read_yaml
from raysearch.corpora.outside_tables import SPLITS
from raysearch.errors import ConfigError

__all__ = ["MAX_BYTES", "Header", "TableInfo", "read_header"]

MAX_BYTES = 64 << 20


@dataclass(frozen=True)
class TableInfo:
    """One table: whether its rows are whole files, its split, and each column's scheme."""

    name: str
    is_filewise: bool
    split: str | None
    schemes: Mapping[str, str | None]

    def column(self, names: Sequence[str]) -> str | None:
        """The column that is called one of ``names``, else the first of such a scheme."""
        for name in names:
            if name in self.schemes:
                return name
        return next((column for column, scheme in self.schemes.items() if scheme in names), None)


@dataclass(frozen=True)
class Header:
    """Tables and label schemes, as ``db.yaml`` describes them."""

    path: Path
    tables: tuple[TableInfo, ...]
    language: str | None
    _labels: Mapping[str, Mapping[str, Any]]

    def labels(self, scheme: str) -> Mapping[str, object]:
        """The labels that ``scheme`` allows, each with what is known of it; empty if any is."""
        return self._labels.get(scheme, {})

    def meaning(self, scheme: str, label: str) -> str:
        """The text that ``label`` stands for, or ``label`` itself."""
        meaning = self.labels(scheme).get(label)
        return meaning if isinstance(meaning, str) and meaning else label

    def details(self, scheme: str, label: str) -> dict[str, str]:
        """What the scheme knows of ``label``: a speaker's sex, for instance."""
        known = self.labels(scheme).get(label)
        return {k: str(v) for k, v in known.items() if v} if isinstance(known, dict) else {}


def read_header(path: Path) -> Header:
    """The header at ``path``.

    Raises:
        MissingPathError: no such file.
        ConfigError: not a header; the message names the line.
    """
    # audformat writes a scheme's labels once and refers to them; large databases list many.
    data, places = read_yaml(path, max_bytes=MAX_BYTES, aliases=True)
    splits = {
        name: SPLITS.get(str(split.get("type", name)).lower())
        for name, split in _section(data, places, "splits").items()
    }
    tables = [
        _table(name, table, splits, places)
        for name, table in _section(data, places, "tables").items()
    ]
    if not tables:
        raise ConfigError(f"{path}: no tables: not the header of an audformat database")
    schemes = _section(data, places, "schemes")
    languages = data.get("languages")
    single = isinstance(languages, list) and len(languages) == 1
    return Header(
        path=path,
        tables=tuple(tables),
        language=str(languages[0]) if single and languages else None,
        _labels={name: _labels(scheme.get("labels")) for name, scheme in schemes.items()},
    )


def _section(data: dict[str, Any], places: Places, name: str) -> dict[str, dict[str, Any]]:
    section = data.get(name) or {}
    if not isinstance(section, dict) or not all(isinstance(v, dict) for v in section.values()):
        raise ConfigError(f"{places.of(name)}: {name!r} is not a map of sections")
    return section


def _table(
    name: str, table: dict[str, object], splits: Mapping[str, str | None], places: Places
) -> TableInfo:
    columns = table.get("columns") or {}
    if not isinstance(columns, dict):
        raise ConfigError(f"{places.of(f'tables.{name}')}: the columns of {name!r} are not a map")
    if "/" in name or "\0" in name:
        raise ConfigError(f"{places.of(f'tables.{name}')}: {name!r} is not a table's name")
    schemes = {
        column: str(info["scheme_id"]) if isinstance(info, dict) and "scheme_id" in info else None
        for column, info in columns.items()
    }
    split = splits.get(str(table.get("split_id")))
    return TableInfo(name, table.get("type") == "filewise", split, schemes)


def _labels(labels: object) -> dict[str, object]:
    # A plain string names a table of its own, which adds nothing that is needed here.
    if isinstance(labels, dict):
        return labels
    return {str(label): None for label in labels} if isinstance(labels, list) else {}
