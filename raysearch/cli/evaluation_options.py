"""The options of the verbs that evaluate finished searches."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from raysearch.cli.experiment_options import add_features, add_folds
from raysearch.cli.help_text import add_examples
from raysearch.cli.options import add_cluster, add_run, add_storage, run_at
from raysearch.config.base import build
from raysearch.corpora.corpus_table import CorpusConfig
from raysearch.errors import UserError
from raysearch.features.disturbance_table import KINDS, kinds_named
from raysearch.run_folder import RunFolder

__all__ = [
    "CompareOptions",
    "CrossCorpusOptions",
    "EvaluateOptions",
]

EVALUATE_EXAMPLES = """examples:
  raysearch evaluate results/emo                   # the searched fold
  raysearch evaluate results/emo --nested          # the search in each fold
  raysearch evaluate results/emo --protocol paper  # the paper's split beside it
  raysearch evaluate results/emo --noise           # in noise, rooms, codecs
  raysearch evaluate results/emo --nested --by sex # women and men compared
"""

COMPARE_EXAMPLES = """examples:
  raysearch compare results/emo results/other        # what may be claimed
  raysearch compare results/emo results/a results/b --html compared.html
"""

CROSS_CORPUS_EXAMPLES = """examples:
  raysearch cross-corpus results/emo results/savee
  raysearch cross-corpus results/emo --target savee=SAVEE/
"""


def _noise_kinds(text: str) -> tuple[str, ...]:
    # While arguments are read: a run behind --noise would be missed before it could be explained.
    try:
        return kinds_named(text)
    except UserError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _columns(text: str) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",")))
    if not all(names):
        raise argparse.ArgumentTypeError("an empty name of a column: write sex,language")
    return names


@dataclass(frozen=True)
class EvaluateOptions:
    """``raysearch evaluate``: score a finished search on its test rows, honestly.

    Attributes:
        run: what was searched.
        nested: whether the search is repeated inside each outer fold.
        reuse_settings: whether the winner's settings are trained in the other folds.
        paper: whether it is scored under the paper's own split, too.
        noise: the kinds of noise that it is scored under, too.
        folds: on which outer folds; None: on those that were searched.
        by: the columns by whose values figures are told and compared.
        storage: where features are kept.
        address: of a running Ray cluster, if there is one.
    """

    run: RunFolder
    nested: bool
    reuse_settings: bool
    paper: bool
    noise: Sequence[str]
    folds: str | None
    by: Sequence[str]
    storage: Path
    address: str | None

    @classmethod
    def add(cls, parser: argparse.ArgumentParser) -> None:
        """Add the verb's arguments to its parser."""
        add_examples(parser, EVALUATE_EXAMPLES)
        add_run(parser)
        which = parser.add_mutually_exclusive_group()
        which.add_argument(
            "--nested",
            action="store_true",
            help="repeat the search inside each outer fold and pool: the honest whole-corpus"
            " figure",
        )
        which.add_argument(
            "--reuse-settings",
            action="store_true",
            help="train the winner's settings in the other folds (cheaper, and labelled)",
        )
        parser.add_argument(
            "--protocol",
            choices=["paper"],
            help="train and score under the paper's own split beside it",
        )
        parser.add_argument(
            "--noise",
            nargs="?",
            type=_noise_kinds,
            const=tuple(KINDS),
            default=(),
            metavar="KINDS",
            help=f"score test rows under noise, too: {','.join(KINDS)}, or some of these"
            " (default: all); write it behind RUN",
        )
        parser.add_argument(
            "--by",
            type=_columns,
            default=(),
            metavar="A,B",
            help="tell the figures by sex, language or a manifest's further column, and compare",
        )
        add_folds(parser, what="of --noise")
        add_features(parser)
        add_cluster(parser)

    @classmethod
    def of(cls, arguments: argparse.Namespace) -> Self:
        """Read what was parsed; raises UserError if it cannot be meant."""
        run = run_at(arguments.run)
        if arguments.folds is not None and not arguments.noise:
            raise UserError(
                f"--folds {arguments.folds}: it goes with --noise; other figures are of the "
                "searched fold, or of all folds by --nested or --reuse-settings"
            )
        return cls(
            run=run,
            nested=arguments.nested,
            reuse_settings=arguments.reuse_settings,
            paper=arguments.protocol is not None,
            noise=arguments.noise,
            folds=arguments.folds,
            by=arguments.by,
            storage=arguments.storage or run.storage,
            address=arguments.address,
        )


@dataclass(frozen=True)
class CompareOptions:
    """``raysearch compare``: evaluated runs side by side, and what may be claimed of them.

    Attributes:
        runs: the first is the one that each of the others is compared with.
        paper: whether they are compared under the papers' own splits.
        json: whether the output is for a machine.
        html: the file of a page that draws all of them, if one is wanted.
    """

    runs: Sequence[RunFolder]
    paper: bool
    json: bool
    html: Path | None

    @classmethod
    def add(cls, parser: argparse.ArgumentParser) -> None:
        """Add the verb's arguments to its parser."""
        add_examples(parser, COMPARE_EXAMPLES)
        add_run(parser, "first")
        add_run(parser, "others", nargs="+")
        parser.add_argument(
            "--protocol", choices=["paper"], help="compare under the papers' own splits instead"
        )
        parser.add_argument(
            "--html", type=Path, metavar="FILE", help="draw all runs on one page, too"
        )
        parser.add_argument("--json", action="store_true", help="machine-readable output")

    @classmethod
    def of(cls, arguments: argparse.Namespace) -> Self:
        """Read what was parsed; raises MissingPathError if there is no such run."""
        runs = [run_at(text) for text in (arguments.first, *arguments.others)]
        return cls(runs, arguments.protocol is not None, arguments.json, arguments.html)


@dataclass(frozen=True)
class CrossCorpusOptions:
    """``raysearch cross-corpus``: each run's winner on the other runs' corpora, and further ones.

    Attributes:
        runs: what was searched.
        targets: the further corpora.
        folds: the outer folds of each run whose models are scored; None: those that were searched.
        output: the file to write.
        storage: where features are kept.
        address: of a running Ray cluster, if there is one.
    """

    runs: Sequence[RunFolder]
    targets: Sequence[CorpusConfig]
    folds: str | None
    output: Path
    storage: Path
    address: str | None

    @classmethod
    def add(cls, parser: argparse.ArgumentParser) -> None:
        """Add the verb's arguments to its parser."""
        add_examples(parser, CROSS_CORPUS_EXAMPLES)
        add_run(parser, "runs", nargs="+")
        parser.add_argument(
            "--target",
            action="append",
            default=[],
            metavar="CORPUS=PATH",
            help="a further corpus to score on; once for each",
        )
        parser.add_argument(
            "--output",
            type=Path,
            metavar="FILE",
            help="where to write (default: the storage folder)",
        )
        add_folds(parser)
        add_storage(parser)
        add_cluster(parser)

    @classmethod
    def of(cls, arguments: argparse.Namespace) -> Self:
        """Read what was parsed; raises UserError if a run or a target cannot be meant."""
        storage = arguments.storage
        return cls(
            runs=[run_at(text) for text in arguments.runs],
            targets=[_target(text) for text in arguments.target],
            folds=arguments.folds,
            output=arguments.output or storage / "cross_corpus.json",
            storage=storage,
            address=arguments.address,
        )


def _target(text: str) -> CorpusConfig:
    name, _, path = text.partition("=")
    if not path and name != "demo":
        raise UserError(f"--target {text}: write CORPUS=PATH, such as emodb=EMO-DB/")
    data = str(Path(path).expanduser().absolute()) if path else None
    return build(CorpusConfig, {"name": name, "data": data}, prefix="corpus")
