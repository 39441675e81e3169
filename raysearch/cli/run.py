"""``raysearch run``: a search, from nothing to the best model."""

import argparse
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import psutil
from rich.console import Console

from raysearch.cli.options import (
    add_cluster,
    add_resume,
    add_search,
    add_storage,
    names_of,
    names_several,
    overrides,
    runs_at,
)
from raysearch.cli.run_files import data_facts, kept_files
from raysearch.cli.terminal import ProgressLine, dashboard_lines, plain_console, show_outcome
from raysearch.config.overrides import parse_override
from raysearch.config.search import WarmStart
from raysearch.corpora.spelling import spelling_notes
from raysearch.errors import TrialError, UserError
from raysearch.reporting.live import LiveTable
from raysearch.run_folder import RACE, RunFolder, new_name, newest_equal_run
from raysearch.spec import SearchSpec
from raysearch.storage.replica import check_writable, display_path

if TYPE_CHECKING:
    from raysearch.protocols.splits import Split
    from raysearch.tuning.start_source import Source

__all__ = ["add", "spec_from_arguments"]


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
    named = named_folder(arguments) if arguments.resume else None
    if is_race(arguments, named):
        from raysearch.cli.race import race

        return race(arguments, named_folder(arguments), console)
    if arguments.resume == "auto":
        if named is None:
            raise UserError("--resume auto asks for --name RUN")
        arguments.resume = named.spec_file.is_file()
    spec = spec_from_arguments(arguments, named if arguments.resume else None)
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


def is_race(arguments: argparse.Namespace, named: RunFolder | None) -> bool:
    """Whether systems race: asked for, or what is resumed is a race."""
    resumed = named is not None and (named.root / RACE).is_file()
    return names_several(arguments.space) or (not arguments.space and resumed)


def spec_from_arguments(arguments: argparse.Namespace, run: RunFolder | None = None) -> SearchSpec:
    """Build the settings of the search from the options, or from ``run`` if no space is named.

    Raises:
        UserError: it cannot be.
    """
    space = arguments.space
    if run and not space:
        if not run.spec_file.is_file():
            raise UserError(f"{display_path(run.root)}: nothing to resume there")
        space = str(run.spec_file)
    if not space:
        raise UserError("--space NAME|PATH is missing; only --resume --name RUN goes without it")
    given = [*overrides(arguments).items(), *(parse_override(text) for text in arguments.set)]
    return SearchSpec.load(space, given)


def _run_folder(arguments: argparse.Namespace, spec: SearchSpec) -> RunFolder:
    from raysearch.storage.run_storage import fetch_specs

    if named := named_folder(arguments):
        return named
    if arguments.resume:
        fetch_specs(arguments.storage)
        return _fetched(newest_equal_run(arguments.storage, spec))
    return RunFolder(arguments.storage / new_name(spec))


def named_folder(arguments: argparse.Namespace) -> RunFolder | None:
    """The folder of ``--name``, as it is in its storage now; raises UserError for no such name."""
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
    from raysearch.storage.run_storage import fetch_run

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
    from raysearch.evaluation.final_stage import FinalStage
    from raysearch.evaluation.pretrain_stage import PretrainStage
    from raysearch.ray_cluster.resources import local_node
    from raysearch.ray_cluster.session import cluster_session
    from raysearch.ray_cluster.storage_check import check_shared
    from raysearch.service.job_record import recorded
    from raysearch.storage.run_storage import acquire_run
    from raysearch.streaming.preparation import prepare_split
    from raysearch.tuning.start_source import outline, write_learned
    from raysearch.tuning.tuner import Watcher, run_search
    from raysearch.workers.open_pool import plan_for

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
    run.check(spec, resume=bool(arguments.resume), of_space=bool(arguments.space))
    with (
        acquire_run(run.root, progress.say if arguments.resume else None) as lease,
        cluster_session(arguments.address, run.logs) as session,
    ):
        if not session.local:
            check_shared(arguments.storage)
        run.open(spec, resume=bool(arguments.resume))
        with recorded(run.root, arguments.job):
            run.write_splits(audited.split.rows())
            write_learned(run, audited.split, source)
            progress.say(f"run: {display_path(run.root)}")
            notes = (*spec.remarks, *spelling_notes(audited.corpus), *about)
            for line in (*audited.audit.brief(), *notes, *dashboard_lines(session.dashboard_url)):
                progress.say(line)
            with (
                LiveTable(spec, console, quiet=arguments.quiet, past=run.events) as live,
                kept_files(run, spec, audited.split.labels, data_facts(audited)) as files,
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

    before = run.spec().search.warm_start if arguments.resume and run.spec_file.exists() else None
    if before and [one.run for one in before.origins] == names_of(arguments.warm_start):
        return before
    return warm_start(runs_at(arguments.warm_start), spec, split)
