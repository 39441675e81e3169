"""``raysearch cross-corpus``: each run's winner on the other runs' corpora, and on further ones."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from raysearch.cli.options import add_cluster, add_run, add_storage, run_at
from raysearch.cli.terminal import ProgressLine, plain_console
from raysearch.config.base import build
from raysearch.errors import UserError
from raysearch.files import write_json
from raysearch.storage.replica import display_path
from raysearch.training.transductive import mark

if TYPE_CHECKING:
    from raysearch.corpora.corpus_table import CorpusConfig

__all__ = ["add"]


def add(verbs: Any) -> None:
    """Add the verb to the parser."""
    parser = verbs.add_parser(
        "cross-corpus", help="score winners on each other's corpora", description=__doc__
    )
    add_run(parser, "runs", nargs="+")
    parser.add_argument(
        "--target",
        action="append",
        default=[],
        metavar="CORPUS=PATH",
        help="a further corpus to score on; once for each",
    )
    parser.add_argument(
        "--output", type=Path, metavar="FILE", help="where to write (default: the storage folder)"
    )
    add_storage(parser)
    add_cluster(parser)
    parser.set_defaults(verb=score_across)


def score_across(arguments: argparse.Namespace) -> int:
    """Carry the verb out."""
    from raysearch.evaluation.cross_corpus import plan_matrix, score_matrix
    from raysearch.ray_cluster.session import cluster_session
    from raysearch.tuning.tuner import Watcher

    runs = [run_at(text) for text in arguments.runs]
    targets = [_target(text) for text in arguments.target]
    plan = plan_matrix(runs, targets, arguments.storage)
    console = plain_console()
    with (
        ProgressLine(console) as progress,
        cluster_session(arguments.address, runs[0].logs),
    ):
        matrix = score_matrix(plan, arguments.storage, Watcher(progress.say, progress.update))
    output = arguments.output or arguments.storage / "cross_corpus.json"
    write_json(output, matrix)
    _show(console, matrix)
    console.print(
        f"written to {display_path(output)}", highlight=False, markup=False, soft_wrap=True
    )
    return 0


def _target(text: str) -> "CorpusConfig":
    from raysearch.corpora.corpus_table import CorpusConfig

    name, _, path = text.partition("=")
    if not path and name != "demo":
        raise UserError(f"--target {text}: write CORPUS=PATH, such as emodb=EMO-DB/")
    data = str(Path(path).expanduser().absolute()) if path else None
    return build(CorpusConfig, {"name": name, "data": data}, prefix="corpus")


def _show(console: Console, matrix: dict[str, dict[str, Any]]) -> None:
    transductive = any(one.get("transductive") for row in matrix.values() for one in row.values())
    title = f"UA{mark(transductive)} (classes), tested across; own: the run's own test speakers"
    table = Table("trained on", title=title, title_justify="left", box=None)
    targets = list(dict.fromkeys([*matrix, *(name for row in matrix.values() for name in row)]))
    for target in targets:
        table.add_column(target, justify="right")
    for source, row in matrix.items():
        table.add_row(source, *(_cell(row[target], target == source) for target in targets))
    console.print(table)
    for source, row in matrix.items():
        for target in targets:
            if target != source:
                _show_crossing(console, f"{source} -> {target}", row[target])


def _cell(figures: dict[str, Any], own: bool) -> str:
    classes = f"{len(figures['labels'])}" + (", own" if own else "")
    return f"{100 * figures['ua']['mean']:.1f}% ({classes})"


def _show_crossing(console: Console, pair: str, figures: dict[str, Any]) -> None:
    bounds = figures["ua"]["interval"]
    span = f", 95% {100 * bounds[0]:.1f} to {100 * bounds[1]:.1f}" if bounds else ""
    console.print(
        f"  {pair}: {figures['num_speakers']} speakers, UA {100 * figures['ua']['mean']:.1f}%{span}"
        f", WA {100 * figures['wa']['mean']:.1f}%, macro-F1 "
        f"{100 * figures['macro_f1']['mean']:.1f}%; {figures['notes'][0]}",
        highlight=False,
        markup=False,
        style="dim",
    )
