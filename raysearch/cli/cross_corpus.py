"""``raysearch cross-corpus``: each run's winner on the other runs' corpora."""

import argparse
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from raysearch.cli.options import add_cluster, add_storage
from raysearch.cli.terminal import ProgressLine
from raysearch.files import write_json
from raysearch.run_folder import RunFolder

__all__ = ["add"]


def add(verbs: Any) -> None:
    """Add the verb to the parser."""
    parser = verbs.add_parser(
        "cross-corpus", help="score winners on each other's corpora", description=__doc__
    )
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN", help="evaluated runs")
    parser.add_argument(
        "--output", type=Path, metavar="FILE", help="where to write (default: the storage folder)"
    )
    add_storage(parser)
    add_cluster(parser)
    parser.set_defaults(verb=score_across)


def score_across(arguments: argparse.Namespace) -> int:
    """Carry the verb out."""
    from raysearch.evaluation.cross_corpus import check_runs, cross_corpus
    from raysearch.tuning.cluster_session import cluster_session
    from raysearch.tuning.tuner import Watcher

    runs = [RunFolder.existing(path) for path in arguments.runs]
    check_runs(runs)
    console = Console()
    with (
        ProgressLine(console) as progress,
        cluster_session(arguments.address, runs[0].logs),
    ):
        matrix = cross_corpus(runs, arguments.storage, Watcher(progress.say, progress.update))
    output = arguments.output or arguments.storage / "cross_corpus.json"
    write_json(output, matrix)
    _show(console, matrix)
    console.print(f"written to {output}", highlight=False, markup=False, soft_wrap=True)
    return 0


def _show(console: Console, matrix: dict[str, dict[str, Any]]) -> None:
    table = Table("trained on", title="UA, tested across", title_justify="left", box=None)
    for target in matrix:
        table.add_column(target, justify="right")
    for source, row in matrix.items():
        cells = [
            f"{100 * figures['ua']['mean']:.1f}%" + (" (own test)" if target == source else "")
            for target, figures in row.items()
        ]
        table.add_row(source, *cells)
    console.print(table)
    for source, row in matrix.items():
        for target, figures in row.items():
            if target != source:
                note = figures["notes"][0]
                console.print(f"  {source} -> {target}: {note}", highlight=False, style="dim")
