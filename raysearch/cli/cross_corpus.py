"""``raysearch cross-corpus``: each run's winner on the other runs' corpora, and on further ones."""

from contextlib import ExitStack

from rich.console import Console
from rich.table import Table

from raysearch.cli.evaluation_options import CrossCorpusOptions
from raysearch.cli.terminal import ProgressLine, plain_console
from raysearch.evaluation.cross_corpus import (
    Matrix,
    outlay_lines,
    plan_matrix,
    score_matrix,
    train_winners,
)
from raysearch.evaluation.figures import Figures, method_of
from raysearch.evaluation.markdown import interval_in_words
from raysearch.files import write_json
from raysearch.ray_cluster.session import cluster_session
from raysearch.storage.replica import display_path
from raysearch.storage.run_storage import acquire_run
from raysearch.training.transductive import mark
from raysearch.tuning.tuner import Watcher

__all__ = ["score_across"]


def score_across(options: CrossCorpusOptions) -> int:
    """Carry the verb out."""
    runs, storage = options.runs, options.storage
    plan = plan_matrix(runs, options.targets, storage, options.folds)
    console = plain_console()
    with ExitStack() as stack:
        leases = [stack.enter_context(acquire_run(run.root)) for run in runs]
        progress = stack.enter_context(ProgressLine(console))
        for line in outlay_lines(plan, runs):
            progress.say(line)
        session = stack.enter_context(cluster_session(options.address, runs[0].logs))
        watcher = Watcher(progress.say, progress.update)
        plan = train_winners(plan, runs, leases, session, storage, watcher)
        matrix = score_matrix(plan, storage, watcher)
    write_json(options.output, matrix)
    _show(console, matrix)
    console.print(
        f"written to {display_path(options.output)}", highlight=False, markup=False, soft_wrap=True
    )
    return 0


def _show(console: Console, matrix: Matrix) -> None:
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


def _cell(figures: Figures, own: bool) -> str:
    classes = f"{len(figures['labels'])}" + (", own" if own else "")
    return f"{100 * figures['ua']['mean']:.1f}% ({classes})"


def _show_crossing(console: Console, pair: str, figures: Figures) -> None:
    bounds = figures["ua"]["interval"]
    span = f", 95% {interval_in_words(bounds)}" if bounds else ""
    span += f" ({method_of(figures)})" if bounds else ""
    console.print(
        f"  {pair}: {figures['num_speakers']} speakers, UA {100 * figures['ua']['mean']:.1f}%{span}"
        f", WA {100 * figures['wa']['mean']:.1f}%, macro-F1 "
        f"{100 * figures['macro_f1']['mean']:.1f}%; {figures['notes'][0]}",
        highlight=False,
        markup=False,
        style="dim",
    )
