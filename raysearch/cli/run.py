"""``raysearch run``: a search, from nothing to the best model."""

import argparse
import csv
import io
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, get_args

import psutil
from rich.console import Console

from raysearch.cli.options import (
    add_cluster,
    add_data,
    add_resources,
    add_storage,
    overrides,
    run_at,
)
from raysearch.cli.terminal import ProgressLine, show_outcome
from raysearch.config.overrides import parse_override
from raysearch.config.search import Objective
from raysearch.errors import TrialError
from raysearch.files import write_text
from raysearch.ledger import Event, read
from raysearch.reporting.best_model import write_best
from raysearch.reporting.leaderboard import write_leaderboard
from raysearch.reporting.live import LiveTable
from raysearch.reporting.summary import write_summary
from raysearch.reporting.tensorboard import TensorBoardObserver
from raysearch.run_folder import RunFolder, newest_equal_run
from raysearch.spec import SearchSpec
from raysearch.storage.replica import shown
from raysearch.trials import Trials

__all__ = ["add"]


def add(verbs: Any) -> None:
    """Add the verb to the parser."""
    parser = verbs.add_parser("run", help="search for the best model", description=__doc__)
    parser.add_argument("--space", required=True, metavar="NAME|PATH", help="what is searched")
    add_data(parser)
    add_storage(parser)
    parser.add_argument(
        "--name", metavar="RUN", help="the run's folder (default: <space>-<corpus>-<timestamp>)"
    )
    group = parser.add_argument_group("budgets")
    group.add_argument("--trials", type=int, metavar="N", help="trials in all")
    group.add_argument("--max-epochs", type=int, metavar="N", help="epochs of a whole trial")
    group.add_argument("--epoch-budget", type=int, metavar="N", help="epochs of all trials")
    group.add_argument("--time-budget", metavar="30m", help="wall time of the search")
    group.add_argument("--core-budget", metavar="8m", help="the slots' CPUs x wall time")
    parser.add_argument(
        "--objective",
        choices=get_args(Objective),
        help="what the best trial is best at (default: val_uar)",
    )
    add_resources(parser)
    add_cluster(parser)
    parser.add_argument("--seed", type=int, metavar="S")
    parser.add_argument(
        "--warm-start",
        metavar="RUN",
        help="try the three best settings of an earlier run of the same model first",
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="any setting, as training.epochs=30; a searched field that is set is fixed",
    )
    parser.add_argument("--dry-run", action="store_true", help="say what would be done, and stop")
    parser.add_argument(
        "--resume",
        action="store_true",
        help="continue the run of --name, or the newest run of the same settings",
    )
    parser.add_argument("--quiet", action="store_true", help="only the outcome")
    parser.set_defaults(verb=search)


def search(arguments: argparse.Namespace) -> int:
    """Carry the verb out."""
    started = psutil.Process().create_time()
    console = Console()
    spec = SearchSpec.load(
        arguments.space,
        [*overrides(arguments).items(), *(parse_override(text) for text in arguments.set)],
    )
    if arguments.dry_run:
        from raysearch.cli.dry_run import explain

        return explain(spec, arguments.storage, console, local=not arguments.address)
    run = _run_folder(arguments, spec)
    with ProgressLine(console, quiet=arguments.quiet) as progress:
        trials = _search(arguments, spec, run, started, console, progress)
    show_outcome(console, run, spec, trials)
    failed = trials.with_status("failed")
    if failed and len(failed) == len(trials.records):
        raise TrialError(f"every trial failed, the first as {failed[0].reason}")
    return 0


def _run_folder(arguments: argparse.Namespace, spec: SearchSpec) -> RunFolder:
    from raysearch.storage.runs import fetch_run, fetch_specs

    if arguments.name:
        run = RunFolder(arguments.storage / arguments.name)
    elif arguments.resume:
        fetch_specs(arguments.storage)
        run = newest_equal_run(arguments.storage, spec)
    else:
        stamp = time.strftime("%Y%m%d-%H%M%S")
        run = RunFolder(arguments.storage / f"{spec.name}-{spec.corpus.name}-{stamp}")
    fetch_run(run.root)
    return run


def _search(
    arguments: argparse.Namespace,
    spec: SearchSpec,
    run: RunFolder,
    started: float,
    console: Console,
    progress: ProgressLine,
) -> Trials:
    from raysearch.storage.runs import hold
    from raysearch.tuning.cluster_session import cluster_session
    from raysearch.tuning.preparation import prepare_split
    from raysearch.tuning.resources import local_node
    from raysearch.tuning.tuner import Watcher, plan_for, run_search

    if not arguments.address:
        plan_for(spec, [local_node()])  # what can never fit is refused before anything starts
    audited = prepare_split(spec, arguments.storage)
    if arguments.warm_start:
        from raysearch.tuning.warm_start import warm_start

        given = warm_start(run_at(arguments.warm_start), spec, audited.split)
        spec = replace(spec, search=spec.search.model_copy(update={"warm_start": given}))
    run.check(spec, resume=arguments.resume)
    with hold(run.root, progress.say if arguments.resume else None) as lease:
        run.open(spec, resume=arguments.resume)
        _write_splits(run, audited.split)
        progress.say(f"run: {shown(run.root)}")
        for line in audited.audit.brief():
            progress.say(line)
        with (
            cluster_session(arguments.address, run.logs) as session,
            LiveTable(spec, console, quiet=arguments.quiet) as live,
            _files(run, spec, audited.split.labels, _facts(audited)) as files,
        ):
            for line in _dashboard(session.dashboard_url):
                progress.say(line)
            return run_search(
                spec,
                run,
                lease,
                audited,
                session,
                started=started,
                storage=arguments.storage,
                watcher=Watcher(progress.say, progress.update, (live, *files)),
            )


@contextmanager
def _files(
    run: RunFolder, spec: SearchSpec, labels: tuple[str, ...], facts: dict[str, Any]
) -> Iterator[tuple[Any, ...]]:
    """The run's files, kept up to date while it runs and written a last time however it ends."""
    board = TensorBoardObserver(run.root / "tensorboard")
    try:
        yield (board, _FilesObserver(run, spec))
    finally:
        board.close()
        if run.ledger_file.exists():
            trials = run.trials()
            write_leaderboard(run, spec, trials)
            write_best(run, spec, trials, labels, facts)
            write_summary(run, read(run.ledger_file), trials)


class _FilesObserver:
    """Rewrites the leaderboard when a trial ends, and sends what changed to the storage.

    What is there at the beginning is sent at once: a run that dies early can be resumed, too.
    """

    def __init__(self, run: RunFolder, spec: SearchSpec) -> None:
        from raysearch.storage.runs import RunSender

        self._run, self._spec = run, spec
        self._sender = RunSender(run.root)
        self._sender.send()

    def changed(self, trials: Trials, event: Event) -> None:
        if event.event in ("completed", "pruned", "failed"):
            write_leaderboard(self._run, self._spec, trials)
            self._sender.send()


def _facts(audited: Any) -> dict[str, Any]:
    """What the model card says of the data."""
    sides = dict(audited.split.sides())
    return {
        f"{name} speakers": ", ".join(sorted({row.speaker for row in sides[name]}))
        for name in ("train", "validation")
    } | {"audit": audited.audit.verdict}


def _write_splits(run: RunFolder, split: Any) -> None:
    text = io.StringIO()
    writer = csv.DictWriter(
        text, ["utterance", "speaker", "fold", "split"], lineterminator="\n", extrasaction="ignore"
    )
    writer.writeheader()
    writer.writerows(split.rows())
    write_text(run.splits_file, text.getvalue())


def _dashboard(url: str | None) -> list[str]:
    if url is None:
        return []
    return [
        f"dashboard: http://{url} (it asks for a token: `ray get-auth-token` prints yours)",
        "  Jobs > the job > Task Table lists the trials by name, state and duration",
    ]
