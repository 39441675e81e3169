"""``raysearch run``: a search, from nothing to the best model."""

import argparse
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import psutil
from rich.console import Console

from raysearch.cli.options import (
    add_cluster,
    add_resume,
    add_search,
    add_storage,
    overrides,
    runs_at,
)
from raysearch.cli.terminal import ProgressLine, plain_console, show_outcome
from raysearch.config.overrides import parse_override
from raysearch.config.search import WarmStart
from raysearch.corpora.spelling import spelling_notes
from raysearch.errors import RaysearchError, TrialError, UserError
from raysearch.ledger import TERMINAL, Event, read
from raysearch.patience import no_room, patiently
from raysearch.reporting.best_model import write_best
from raysearch.reporting.leaderboard import write_leaderboard
from raysearch.reporting.live import LiveTable
from raysearch.reporting.summary import write_summary
from raysearch.reporting.tensorboard import TensorBoardObserver
from raysearch.run_folder import RunFolder, new_name, newest_equal_run
from raysearch.sparing import Sparing
from raysearch.spec import SearchSpec
from raysearch.storage.replica import check_writable, shown
from raysearch.trials import Trials

if TYPE_CHECKING:
    from raysearch.protocols.splits import Split
    from raysearch.tuning.start_source import Source

__all__ = ["add", "wanted"]


def add(verbs: Any) -> None:
    """Add the verb to the parser."""
    parser = verbs.add_parser("run", help="search for the best model", description=__doc__)
    add_search(parser)
    add_storage(parser)
    add_cluster(parser)
    parser.add_argument("--dry-run", action="store_true", help="say what would be done, and stop")
    add_resume(parser)
    parser.add_argument("--job", help=argparse.SUPPRESS)  # this process is a submitted job's
    parser.add_argument("--quiet", action="store_true", help="only the outcome")
    parser.set_defaults(verb=search)


def search(arguments: argparse.Namespace) -> int:
    """Carry the verb out."""
    started = psutil.Process().create_time()
    console = plain_console()
    named = _named(arguments) if arguments.resume else None
    if arguments.resume == "auto":
        if named is None:
            raise UserError("--resume auto asks for --name RUN")
        arguments.resume = named.spec_file.is_file()
    spec = wanted(arguments, named if arguments.resume else None)
    source, settings = None, list[str]()
    if spec.pretrain.wanted:
        from raysearch.tuning.start_source import find_source, fitted

        source = find_source(spec, arguments.storage, named if arguments.resume else None)
        spec, settings = fitted(spec, source)
    if arguments.dry_run:
        from raysearch.cli.dry_run import explain

        return explain(
            spec, arguments.storage, console, local=not arguments.address, start=(source, settings)
        )
    run = _run_folder(arguments, spec)
    with ProgressLine(console, quiet=arguments.quiet) as progress:
        _search(arguments, spec, run, started, console, progress, (source, settings))
    return 0


def wanted(arguments: argparse.Namespace, run: RunFolder | None = None) -> SearchSpec:
    """The search that the options ask for; where they name no space, that of ``run``.

    Raises:
        UserError: it cannot be.
    """
    space = arguments.space
    if run and not space:
        if not run.spec_file.is_file():
            raise UserError(f"{shown(run.root)}: nothing to resume there")
        space = str(run.spec_file)
    if not space:
        raise UserError("--space NAME|PATH is missing; only --resume --name RUN goes without it")
    given = [*overrides(arguments).items(), *(parse_override(text) for text in arguments.set)]
    return SearchSpec.load(space, given)


def _run_folder(arguments: argparse.Namespace, spec: SearchSpec) -> RunFolder:
    from raysearch.storage.runs import fetch_specs

    if named := _named(arguments):
        return named
    if arguments.resume:
        fetch_specs(arguments.storage)
        return _fetched(newest_equal_run(arguments.storage, spec))
    return RunFolder(arguments.storage / new_name(spec))


def _named(arguments: argparse.Namespace) -> RunFolder | None:
    name: str | None = arguments.name
    if name is None:
        return None
    if not name.strip() or "/" in name or name.startswith((".", "-")) or not name.isprintable():
        raise UserError(
            f"--name {name!r}: one folder's name, which does not begin with . or -;"
            " where it is kept is --storage's to say"
        )
    return _fetched(RunFolder(arguments.storage / name))


def _fetched(run: RunFolder) -> RunFolder:
    from raysearch.storage.runs import fetch_run

    fetch_run(run.root)
    return run


def _search(
    arguments: argparse.Namespace,
    spec: SearchSpec,
    run: RunFolder,
    started: float,
    console: Console,
    progress: ProgressLine,
    start: "tuple[Source | None, list[str]]",
) -> None:
    from raysearch.evaluation.final import FinalStage
    from raysearch.evaluation.pretrain import PretrainStage
    from raysearch.service.record import recorded
    from raysearch.storage.runs import hold
    from raysearch.tuning.cluster_session import cluster_session
    from raysearch.tuning.preparation import prepare_split
    from raysearch.tuning.resources import local_node
    from raysearch.tuning.shared import check_shared
    from raysearch.tuning.sizing import plan_for
    from raysearch.tuning.start_source import outline, write_learned
    from raysearch.tuning.tuner import Watcher, run_search

    if not arguments.address:
        plan_for(spec, [local_node()])  # what can never fit is refused before anything starts
    check_writable(arguments.storage)
    audited = prepare_split(spec, arguments.storage)
    source, settings = start
    about = []
    if source is not None:
        source.check((audited.split, *audited.inner))
        about = outline(spec, source, audited.split.labels, settings)
    if arguments.warm_start:
        given = _warm_start(arguments, spec, run, audited.split)
        spec = replace(spec, search=spec.search.model_copy(update={"warm_start": given}))
        about.append(given.line())
    run.check(spec, resume=bool(arguments.resume))
    with (
        hold(run.root, progress.say if arguments.resume else None) as lease,
        cluster_session(arguments.address, run.logs) as session,
    ):
        if not session.local:
            check_shared(arguments.storage)
        run.open(spec, resume=bool(arguments.resume))
        with recorded(run.root, arguments.job):
            run.write_splits(audited.split.rows())
            write_learned(run, audited.split, source)
            progress.say(f"run: {shown(run.root)}")
            notes = (*spelling_notes(audited.corpus), *about)
            for line in (*audited.audit.brief(), *notes, *_dashboard(session.dashboard_url)):
                progress.say(line)
            with (
                LiveTable(spec, console, quiet=arguments.quiet) as live,
                _files(run, spec, audited.split.labels, _facts(audited)) as files,
            ):
                watcher = Watcher(progress.say, progress.update, (live, *files))
                begin = None
                if source is not None:
                    begin = PretrainStage(
                        run, spec, lease, audited, source, arguments.storage, watcher
                    )
                trials = run_search(
                    spec,
                    run,
                    lease,
                    audited,
                    session,
                    started=started,
                    storage=arguments.storage,
                    watcher=watcher,
                    begin=begin,
                    finish=FinalStage(run, spec, lease, audited, watcher),
                )
            show_outcome(console, run, spec, trials)
            failed = trials.with_status("failed")
            if failed and len(failed) == len(trials.records):
                raise TrialError(f"every trial failed, the first as {failed[0].reason}")


def _warm_start(
    arguments: argparse.Namespace, spec: SearchSpec, run: RunFolder, split: "Split"
) -> WarmStart:
    """What is tried first; a resumed run keeps what it took, whatever became of its origins."""
    from raysearch.tuning.warm_start import warm_start

    origins = runs_at(arguments.warm_start)
    before = run.spec().search.warm_start if arguments.resume and run.spec_file.exists() else None
    if before and [one.run for one in before.origins] == [one.root.name for one in origins]:
        return before
    return warm_start(origins, spec, split)


@contextmanager
def _files(
    run: RunFolder, spec: SearchSpec, labels: tuple[str, ...], facts: dict[str, Any]
) -> Iterator[tuple[Any, ...]]:
    """The run's files, kept up to date while it runs and written a last time however it ends."""
    board = TensorBoardObserver(run.root / "tensorboard")

    def last_time() -> None:
        board.close()
        if run.ledger_file.exists():
            trials = run.trials()
            write_leaderboard(run, spec, trials)
            write_best(run, spec, trials, labels, {**facts, **_start_fact(run)})
            write_summary(run, read(run.ledger_file), trials)

    files = _FilesObserver(run, spec)
    try:
        yield (board, files)
    except BaseException:
        with suppress(OSError, RaysearchError):  # a full disk must not hide what ended the search
            last_time()
        raise
    finally:
        files.close()
    patiently(last_time, no_room)


class _FilesObserver:
    """Rewrites the leaderboard when trials end, and has what changed sent to the storage.

    The more trials, the longer a board takes and the seldomer it is drawn.
    """

    def __init__(self, run: RunFolder, spec: SearchSpec) -> None:
        from raysearch.storage.sending import BackgroundSender

        self._run, self._spec = run, spec
        self._sparing = Sparing()
        self._sender = BackgroundSender(run.root)

    def changed(self, trials: Trials, event: Event) -> None:
        if event.event in TERMINAL or event.event == "paused":
            self._sparing(lambda: write_leaderboard(self._run, self._spec, trials))
            self._sender.ring()

    def close(self) -> None:
        self._sender.close()


def _start_fact(run: RunFolder) -> dict[str, str]:
    from raysearch.tuning.start_record import record_of

    record = record_of(run)
    return {"started from": record.line()} if record else {}


def _facts(audited: Any) -> dict[str, Any]:
    """What the model card says of the data."""
    sides = dict(audited.split.sides())
    return {
        f"{name} speakers": ", ".join(sorted({row.speaker for row in sides[name]}))
        for name in ("train", "validation")
    } | {"validation sets": 1 + len(audited.inner), "audit": audited.audit.verdict}


def _dashboard(url: str | None) -> list[str]:
    if url is None:
        return []
    return [
        f"dashboard: http://{url} (it asks for a token: `ray get-auth-token` prints yours)",
        "  Jobs > the job > Task Table, function WorkerGroupHost.trial: the trials, by name",
    ]
