"""The options of ``raysearch replay``."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from raysearch.cli.help_text import add_examples
from raysearch.replay.search_rules import RULES

__all__ = ["ReplayOptions"]

EXAMPLES = """examples:
  raysearch replay --tables results                    # your own runs
  raysearch replay --tables results --rules tpe,asha --seeds 10
  raysearch replay --tables CURVES/ --slots 4 --budget 600 --json
"""


@dataclass(frozen=True)
class ReplayOptions:
    """``raysearch replay``: which way to search is best, told from recorded learning curves.

    The searches are real but for their trials, which replay what was recorded; nothing is trained,
    and no Ray is started. Tables are Parquet files (settings in the columns hp_*, losses in
    valid_loss, the first before training) and our own runs, of which the trials that reached their
    end count. The forecast of the gain from further compute, which a search gives, is held against
    what came, too.

    Attributes:
        tables: the folder in or below which tables lie.
        rules: the ways to search, by name.
        num_seeds: searches of each.
        budget: epochs of one search; None: what the table has room for.
        slots: trials at a time.
        switch_cost: what it takes to begin a trial.
        switch_in_seconds: whether that is seconds, not epochs.
        json: whether the output is for a machine.
    """

    tables: Path
    rules: Sequence[str]
    num_seeds: int
    budget: int | None
    slots: int
    switch_cost: float
    switch_in_seconds: bool
    json: bool

    @classmethod
    def add(cls, parser: argparse.ArgumentParser) -> None:
        """Add the verb's arguments to its parser."""
        add_examples(parser, EXAMPLES)
        parser.add_argument(
            "--tables",
            type=Path,
            required=True,
            metavar="FOLDER",
            help="where *.parquet files lie, or runs in it or below it",
        )
        parser.add_argument(
            "--rules",
            metavar="A,B",
            help="; ".join(f"{name}: {rule.meaning}" for name, rule in RULES.items())
            + " (default: all)",
        )
        parser.add_argument(
            "--seeds", type=_count, default=3, metavar="N", help="searches of each (default: 3)"
        )
        parser.add_argument(
            "--budget",
            type=_count,
            metavar="EPOCHS",
            help="of one search; where epochs differ in cost, so many mean ones (default: 20 whole "
            "runs of the table, or half of its runs if those are fewer)",
        )
        parser.add_argument(
            "--slots", type=_count, default=1, metavar="K", help="trials at a time (default: 1)"
        )
        parser.add_argument(
            "--switch-cost",
            type=_cost,
            default=(0.0, False),
            metavar="EPOCHS|SECONDSs",
            help="what it takes to begin a trial, out of the budget: 0.5, or 2s where a table"
            " knows how long its epochs took (default: 0)",
        )
        parser.add_argument("--json", action="store_true", help="machine-readable output")

    @classmethod
    def of(cls, arguments: argparse.Namespace) -> Self:
        """Read what was parsed."""
        named = RULES if arguments.rules is None else arguments.rules.split(",")
        cost, in_seconds = arguments.switch_cost
        return cls(
            tables=arguments.tables,
            rules=[name.strip() for name in named if name.strip()],
            num_seeds=arguments.seeds,
            budget=arguments.budget,
            slots=arguments.slots,
            switch_cost=cost,
            switch_in_seconds=in_seconds,
            json=arguments.json,
        )


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r}: a number from 1 on is expected")
    return int(text)


def _cost(text: str) -> tuple[float, bool]:
    """An amount, and whether it is of seconds."""
    try:
        amount = float(text.removesuffix("s"))
    except ValueError:
        amount = -1.0
    if not 0 <= amount < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r}: write epochs as 0.5, seconds as 2s")
    return amount, text.endswith("s")
