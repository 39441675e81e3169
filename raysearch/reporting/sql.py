"""SQL over a run's tables, by duckdb: nothing outside of them can be read or written."""

from collections.abc import Sequence
from dataclasses import dataclass

import duckdb

from raysearch.errors import UserError
from raysearch.reporting.run_tables import RunTable

__all__ = ["Answer", "ask"]

# No file, no network, no extension, and no variable of this process.
_CLOSED: dict[str, str | bool | int | float | list[str]] = {
    "enable_external_access": False,
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "python_enable_replacements": False,
}


@dataclass(frozen=True, slots=True)
class Answer:
    """What a query gives: names of columns, and rows of plain values."""

    columns: Sequence[str]
    rows: Sequence[Sequence[object]]


def ask(tables: dict[str, RunTable], query: str) -> Answer:
    """Carry one SELECT out over ``tables``, by their names.

    Raises:
        UserError: the query is wrong, or is no SELECT.
    """
    with duckdb.connect(":memory:", config=_CLOSED) as connection:
        for name, table in tables.items():
            connection.register(name, table.data)
        connection.execute("SET lock_configuration = true")
        try:
            statements = connection.extract_statements(query)
            if [one.type for one in statements] != [duckdb.StatementType.SELECT]:
                raise UserError("query: one SELECT is expected")
            found = connection.execute(statements[0])
            columns = [column[0] for column in found.description or ()]
            return Answer(columns, found.fetchall())
        except duckdb.Error as error:
            raise UserError(f"query: {_in_a_line(error)}") from None


def _in_a_line(error: duckdb.Error) -> str:
    """Its first line, and the names that may have been meant."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    meant = [line for line in lines[1:] if line.startswith(("Candidate", "Did you mean"))]
    return "; ".join([*lines[:1], *meant])
