"""The options of ``raysearch query``."""

import argparse
from dataclasses import dataclass
from typing import Literal, Self

from raysearch.cli.help_text import add_examples
from raysearch.cli.options import add_run, run_at
from raysearch.errors import UserError
from raysearch.run_folder import RunFolder

__all__ = ["AnswerFormat", "QueryOptions"]

AnswerFormat = Literal["table", "json", "csv"]

EXAMPLES = """examples:
  raysearch query results/emo --schema
  raysearch query results/emo 'SELECT number, best FROM trials ORDER BY best'
  raysearch query results/emo 'SELECT count(*) AS n FROM epochs' --json
"""


@dataclass(frozen=True)
class QueryOptions:
    """``raysearch query``: one SELECT over a run's ledger and predictions, by duckdb.

    The tables are trials, epochs, events, predictions and splits; ``--schema`` prints their
    columns. They are read-only, and SQL reaches no other file. It needs ``raysearch[query]``.

    Attributes:
        run: the run; of a race, the winner's.
        sql: the SELECT; None: the schema is wanted.
        format: what is printed.
    """

    run: RunFolder
    sql: str | None
    format: AnswerFormat

    @classmethod
    def add(cls, parser: argparse.ArgumentParser) -> None:
        """Add the verb's arguments to its parser."""
        add_examples(parser, EXAMPLES)
        add_run(parser)
        parser.add_argument("sql", nargs="?", metavar="SQL", help="one SELECT")
        parser.add_argument("--schema", action="store_true", help="print the tables and columns")
        parser.add_argument(
            "--json",
            dest="format",
            action="store_const",
            const="json",
            default="table",
            help="a list of objects, for a machine",
        )
        parser.add_argument(
            "--csv", dest="format", action="store_const", const="csv", help="the rows as CSV"
        )

    @classmethod
    def of(cls, arguments: argparse.Namespace) -> Self:
        """Read what was parsed; raises UserError unless one thing is asked for."""
        if arguments.schema == (arguments.sql is not None):
            raise UserError("query: give either a SELECT or --schema")
        return cls(run_at(arguments.run), arguments.sql, arguments.format)
