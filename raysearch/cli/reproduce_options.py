"""The options of ``raysearch reproduce``."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from raysearch.cli.arm_options import add_arms, require_counts
from raysearch.cli.help_text import add_examples
from raysearch.cli.options import (
    Setting,
    add_budgets,
    given_settings,
    run_at,
)
from raysearch.errors import UserError
from raysearch.run_folder import RunFolder

__all__ = ["ReproduceOptions"]

# Of a search of its own, where no budget is given.
NUM_TRIALS = 8
BUDGETS = ("trials", "epoch_budget", "time_budget", "core_budget")

EXAMPLES = """examples:
  raysearch reproduce emohrnet --corpus emodb --data EMO-DB/ --dry-run
  raysearch reproduce cnn1d_attention --corpus emodb --data EMO-DB/
  raysearch reproduce emohrnet --run results/emo --epochs 20
"""


@dataclass(frozen=True)
class ReproduceOptions:
    """``raysearch reproduce``: a paper's figure made again, and what its difference is made of.

    The published settings are trained as published, under the paper's split and under an honest
    one, and a search's winner beside them. What is trained is kept: the same command goes on.

    Attributes:
        system: the space with the published settings: a name or a path.
        settings: what is laid over it.
        run: the search whose winner is taken; None: one of its own.
        epochs: the most epochs of the published settings; None: as published.
        seeds: nets of each arm and fold.
        nested: whether it searches inside each fold.
        name: of the folder, if one is given.
        dry_run: only say what it would cost.
        storage: where it and features are kept.
        address: of a running Ray cluster, if there is one.
    """

    system: str
    settings: Sequence[Setting]
    run: RunFolder | None
    epochs: int | None
    seeds: int
    nested: bool
    name: str | None
    dry_run: bool
    storage: Path
    address: str | None

    @classmethod
    def add(cls, parser: argparse.ArgumentParser) -> None:
        """Add the verb's arguments to its parser."""
        add_examples(parser, EXAMPLES)
        parser.add_argument("system", metavar="SYSTEM", help="a space with published settings")
        parser.add_argument(
            "--run", metavar="RUN", help="take this search's winner and data (default: search)"
        )
        parser.add_argument(
            "--epochs",
            type=int,
            metavar="N",
            help="at most N of the published epochs, which is then said of every figure",
        )
        parser.add_argument(
            "--nested", action="store_true", help="search inside each fold, for an honest winner"
        )
        parser.add_argument("--dry-run", action="store_true", help="say what it costs, and stop")
        parser.add_argument(
            "--name", metavar="NAME", help="its folder (default: reproduce-SYSTEM-CORPUS)"
        )
        add_budgets(parser, trials=f"trials of the search (default: {NUM_TRIALS})")
        add_arms(parser)

    @classmethod
    def of(cls, arguments: argparse.Namespace) -> Self:
        """Read what was parsed.

        Raises:
            UserError: a number below one, or a budget of a search that is not made.
            ConfigError: a ``--set`` of no form.
            MissingPathError: no such run.
        """
        require_counts(arguments, "epochs", "seeds")
        budgets = [name for name in BUDGETS if getattr(arguments, name) is not None]
        given = [*budgets, *(["max_epochs"] if arguments.max_epochs is not None else [])]
        if arguments.run and given:
            option = given[0].replace("_", "-")
            raise UserError(f"--{option}: of a search, and --run {arguments.run} has made it")
        settings = given_settings(arguments)
        if not budgets:
            settings.insert(0, ("search.trials", NUM_TRIALS))
        return cls(
            system=arguments.system,
            settings=settings,
            run=run_at(arguments.run) if arguments.run else None,
            epochs=arguments.epochs,
            seeds=arguments.seeds,
            nested=arguments.nested,
            name=arguments.name,
            dry_run=arguments.dry_run,
            storage=arguments.storage,
            address=arguments.address,
        )
