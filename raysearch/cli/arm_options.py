"""What the verbs that train arms of their own have in common: nets of each, settings, machines."""

import argparse

from raysearch.cli.options import add_cluster, add_data, add_resources, add_storage
from raysearch.errors import UserError

__all__ = ["add_arms", "require_counts"]


def add_arms(parser: argparse.ArgumentParser) -> None:
    """Add the data, all outer folds of which are trained on, and how and where that is done."""
    add_data(parser, fold=False)
    add_storage(parser)
    parser.add_argument(
        "--seeds",
        type=int,
        default=1,
        metavar="N",
        help="nets of each arm and fold (default: 1)",
    )
    parser.add_argument("--seed", type=int, metavar="S")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="any setting, as training.epochs=30",
    )
    add_resources(parser)
    add_cluster(parser)


def require_counts(arguments: argparse.Namespace, *options: str) -> None:
    """Raise UserError for one of ``options`` that is below one; those not given are left."""
    for option in options:
        number = getattr(arguments, option)
        if number is not None and number < 1:
            raise UserError(f"--{option} {number}: one or more")
