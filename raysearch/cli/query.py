"""``raysearch query``: SQL over a run's tables, and what is in them."""

import csv
import io
import json
import math
from datetime import date, datetime
from importlib.util import find_spec

from rich.console import Console
from rich.table import Table
from rich.text import Text

from raysearch.cli.query_options import AnswerFormat, QueryOptions
from raysearch.cli.tables import plain_table, print_table
from raysearch.errors import UserError
from raysearch.reporting.run_tables import ABOUT, RunTable, run_tables
from raysearch.reporting.wording import one_line

if find_spec("duckdb") is not None:
    from raysearch.reporting.sql import Answer, ask

__all__ = ["answer_table", "query", "schema_table"]


def query(options: QueryOptions) -> int:
    """Carry the verb out."""
    tables = run_tables(options.run)
    if options.sql is None:
        _show_schema(tables, options.format)
        return 0
    if find_spec("duckdb") is None:
        raise UserError("query needs duckdb: pip install 'raysearch[query]'")
    answer = ask(tables, options.sql)
    if options.format == "table":
        print_table(Console(), answer_table(answer))
    else:
        print(as_text(answer, options.format), end="")
    return 0


def answer_table(answer: "Answer") -> Table:
    """Draw the rows: numbers to the right, and no value as a dash."""
    table = plain_table()
    for number, name in enumerate(answer.columns):
        numeric = all(
            row[number] is None or isinstance(row[number], int | float) for row in answer.rows
        )
        table.add_column(Text(one_line(name)), justify="right" if numeric else "left")
    for row in answer.rows:
        table.add_row(*(Text(_cell(value)) for value in row))
    return table


def as_text(answer: "Answer", kind: AnswerFormat) -> str:
    """Write the rows for a machine; numbers keep all their digits.

    Raises:
        UserError: an object of JSON would need one name twice.
    """
    rows = [[_plain(value) for value in row] for row in answer.rows]
    if kind == "json":
        _check_names(answer)
        found = [dict(zip(answer.columns, row, strict=True)) for row in rows]
        return json.dumps(found, indent=1, ensure_ascii=False) + "\n"
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(answer.columns)
    writer.writerows(rows)
    return text.getvalue()


def _check_names(answer: "Answer") -> None:
    twice = next((name for name in answer.columns if answer.columns.count(name) > 1), None)
    if twice is not None:
        raise UserError(
            f"query: --json: several columns are called {one_line(twice)!r}: give each a name of"
            " its own by AS"
        )


def schema_table(tables: dict[str, RunTable]) -> Table:
    """Draw what each table holds, column by column."""
    drawn = plain_table("column", "type", "what it is")
    for name, table in tables.items():
        rows = f"{len(table.data)} row" + ("" if len(table.data) == 1 else "s")
        drawn.add_row(Text(name, "bold"), Text(rows, "bold"), Text(ABOUT[name], "bold"))
        for field in table.data.schema:
            about = table.about.get(field.name, "")
            drawn.add_row(Text(f"  {one_line(field.name)}"), str(field.type), Text(about))
    return drawn


def _show_schema(tables: dict[str, RunTable], kind: AnswerFormat) -> None:
    if kind == "table":
        print_table(Console(), schema_table(tables))
        return
    columns = [
        (name, field.name, str(field.type), table.about.get(field.name, ""))
        for name, table in tables.items()
        for field in table.data.schema
    ]
    names = ("table", "column", "type", "about")
    if kind == "json":
        print(json.dumps([dict(zip(names, one, strict=True)) for one in columns], indent=1))
        return
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([names, *columns])
    print(text.getvalue(), end="")


def _cell(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.6g}"
    return one_line(value.isoformat(" ", "seconds") if isinstance(value, datetime) else value)


def _plain(value: object) -> object:
    """Something that JSON has; what is not finite is null, as in the ledger."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, date):
        return value.isoformat()
    return value if value is None or isinstance(value, bool | int | str) else str(value)
