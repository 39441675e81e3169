"""The options of experiments on a winner, and those that they share with other evaluations."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from raysearch.cli.help_text import add_examples
from raysearch.cli.options import add_cluster, add_run, run_at, storage_folder
from raysearch.run_folder import RunFolder

__all__ = ["AblateOptions", "ExperimentOptions", "SweepOptions", "add_features", "add_folds"]

ABLATE_EXAMPLES = """examples:
  raysearch ablate results/emo
  raysearch ablate results/emo --only augmentation,attention
  raysearch ablate results/emo --only mixup --folds all
"""

SWEEP_EXAMPLES = """examples:
  raysearch sweep results/emo features.mel.n_mels=16,32,64,128
  raysearch sweep results/emo spec_augment.freq_mask_width=0,0.1,0.2,0.4
  raysearch sweep results/emo model.width=8,16 training.mixup_alpha=0,0.2
"""


def add_features(parser: argparse.ArgumentParser) -> None:
    """Add ``--storage`` for a verb that goes by a run."""
    parser.add_argument(
        "--storage",
        type=storage_folder,
        metavar="DIR|URL",
        help="where features are kept (default: by the run)",
    )


def add_folds(parser: argparse.ArgumentParser, what: str = "to train and score on") -> None:
    """Add ``--folds``, which ``raysearch.evaluation.winner_folds.folds_asked`` reads.

    Args:
        parser: the verb's.
        what: they are for.
    """
    parser.add_argument(
        "--folds",
        metavar="all|K,K",
        help=f"outer folds {what} (default: those that were searched, all of them after evaluate"
        " --nested); one has seldom speakers enough to test a difference",
    )


@dataclass(frozen=True)
class ExperimentOptions:
    """What every experiment on a winner is told.

    Attributes:
        run: what was searched.
        folds: on which outer folds; None: on those that were searched.
        storage: where features are kept.
        address: of a running Ray cluster, if there is one.
    """

    run: RunFolder
    folds: str | None
    storage: Path
    address: str | None


@dataclass(frozen=True)
class AblateOptions(ExperimentOptions):
    """``raysearch ablate``: what a finished search's winner owes to each of its parts.

    The winner is trained without each part in every fold, and the difference is tested over the
    folds. After evaluate --nested each fold has a winner of its own. What was trained before is not
    trained again.

    Attributes:
        names: which ablations; none: all.
    """

    names: Sequence[str]

    @classmethod
    def add(cls, parser: argparse.ArgumentParser) -> None:
        """Add the verb's arguments to its parser."""
        add_examples(parser, ABLATE_EXAMPLES)
        add_run(parser)
        parser.add_argument(
            "--only", metavar="A,B", help="augmentation, resolution-32, attention, prosody, ..."
        )
        add_folds(parser)
        add_features(parser)
        add_cluster(parser)

    @classmethod
    def of(cls, arguments: argparse.Namespace) -> Self:
        """Read what was parsed; raises MissingPathError if there is no such run."""
        run, only = run_at(arguments.run), arguments.only
        return cls(
            run=run,
            folds=arguments.folds,
            storage=arguments.storage or run.storage,
            address=arguments.address,
            names=[name.strip() for name in only.split(",")] if only else [],
        )


@dataclass(frozen=True)
class SweepOptions(ExperimentOptions):
    """``raysearch sweep``: a finished search's winner, trained with each value of a setting.

    All other settings stay the winner's. Every value is trained in each fold and compared with the
    winner over the folds; two fields give each pair of their values.

    Attributes:
        axes: one field with its values, or two, as they were written.
    """

    axes: Sequence[str]

    @classmethod
    def add(cls, parser: argparse.ArgumentParser) -> None:
        """Add the verb's arguments to its parser."""
        add_examples(parser, SWEEP_EXAMPLES)
        add_run(parser)
        parser.add_argument(
            "axes",
            nargs="+",
            metavar="FIELD=V,V,...",
            help="a field of the settings and its values; at most two fields",
        )
        add_folds(parser)
        add_features(parser)
        add_cluster(parser)

    @classmethod
    def of(cls, arguments: argparse.Namespace) -> Self:
        """Read what was parsed; raises MissingPathError if there is no such run."""
        run = run_at(arguments.run)
        return cls(
            run=run,
            folds=arguments.folds,
            storage=arguments.storage or run.storage,
            address=arguments.address,
            axes=arguments.axes,
        )
