"""``raysearch run --space auto``, or ``--space A,B,C``: which system is best for these data?"""

from collections.abc import Callable
from contextlib import suppress

from rich.console import Console

from raysearch.cli.race_asked import Plan, planned
from raysearch.cli.race_plan import explain_race
from raysearch.cli.race_view import RaceView, show_race
from raysearch.cli.run_options import RunOptions
from raysearch.cli.terminal import ProgressLine
from raysearch.corpora.spelling import spelling_notes
from raysearch.errors import RaysearchError, UserError
from raysearch.race.accounts import Ground
from raysearch.race.board import Board, board_of, write_board
from raysearch.race.budget_amounts import in_words
from raysearch.race.driver import Race
from raysearch.ray_cluster.resources import local_node
from raysearch.ray_cluster.session import ClusterSession, cluster_session, dashboard_lines
from raysearch.ray_cluster.storage_check import check_shared
from raysearch.run_folder import RunFolder
from raysearch.service.job_record import recorded
from raysearch.storage.replica import check_writable, display_path
from raysearch.storage.run_storage import acquire_run
from raysearch.streaming.preparation import AuditedSplit, prepare_split
from raysearch.tuning.interrupts import signals
from raysearch.tuning.stop_rules import check_named
from raysearch.tuning.tuner import Watcher, prepared_bank, say_slots
from raysearch.workers.open_pool import open_pool, plan_for

__all__ = ["race"]


def race(options: RunOptions, named: RunFolder | None, console: Console) -> int:
    """Carry the verb out; ``named`` is the folder of ``--name``."""
    if options.search.warm_start:
        raise UserError(
            "--warm-start: an earlier run's settings are one system's, and several are to race: "
            "give --space NAME"
        )
    plan = planned(options, named)
    if options.dry_run:
        return explain_race(
            plan.specs, plan.state, plan.total, plan.notes, options.storage, console
        )
    with ProgressLine(console, quiet=options.quiet) as progress:
        _race(options, plan, console, progress)
    return 0


def _race(options: RunOptions, plan: Plan, console: Console, progress: ProgressLine) -> None:
    first = next(iter(plan.specs.values()))
    if not options.address:
        plan_for(first, [local_node()])  # what can never fit is refused before anything starts
    check_writable(options.storage)
    for spec in plan.specs.values():
        check_named(spec.search.objective, spec.search.scheduler)
    audited = prepare_split(first, options.storage)
    folder = plan.folder
    with (
        acquire_run(folder.root, progress.say if options.resume else None),
        signals(),
        cluster_session(options.address, folder.root / "logs") as session,
        recorded(folder.root, options.job) as accept,
    ):
        if not session.local:
            check_shared(options.storage)
        for system, spec in plan.specs.items():
            run = folder.run(system)
            run.open(spec, resume=run.spec_file.is_file())
        folder.save(plan.state)
        accept()
        progress.say(f"run: {display_path(folder.root)}")
        notes = spelling_notes(audited.corpus)
        for line in (*audited.audit.brief(), *notes, *dashboard_lines(session.dashboard_url)):
            progress.say(line)
        _say_plan(plan, progress)
        _run(options, plan, audited, session, console, progress)


def _say_plan(plan: Plan, progress: ProgressLine) -> None:
    systems = ", ".join(plan.state.systems)
    progress.say(f"race of {len(plan.specs)} systems on {in_words(plan.total)}: {systems}")
    for line in plan.notes:
        progress.say(line)
    if not plan.resumed:
        for system, why in plan.state.left_out.items():
            progress.say(f"left out: {system}: {why}")


def _run(
    options: RunOptions,
    plan: Plan,
    audited: AuditedSplit,
    session: ClusterSession,
    console: Console,
    progress: ProgressLine,
) -> None:
    """The race on slots of its own, then what it found."""
    banks = {}
    for system in (*plan.state.playing, *plan.state.unjudged):
        watcher = Watcher(_prefixed(system, progress), progress.update)
        banks[system] = prepared_bank(plan.specs[system], audited, options.storage, watcher)
    most = max(plan.specs.values(), key=lambda spec: spec.search.trials)
    number, counted = len(plan.specs), "trials" in plan.total
    view = RaceView(console, progress, number, counted=counted, quiet=options.quiet)
    place = RunFolder(plan.folder.root)
    with open_pool(most, place, session, progress.say, view.board.take) as pool:
        say_slots(pool, progress.say)
        ground = Ground(plan.specs, audited, session, pool, banks)
        run = Race(plan.folder, plan.state, ground, plan.total, view)

        def board() -> Board:
            found = board_of(run.state, run.seen, plan.specs, audited)
            write_board(plan.folder, found)
            return found

        try:
            run.run()
        except BaseException:
            with suppress(OSError, RaysearchError):  # what ended the race is told instead
                board()
            raise
        found = board()
    winner = found.rows[0].system
    show_race(console, plan.folder, found, plan.folder.run(winner), plan.specs[winner])
    found.check()


def _prefixed(system: str, progress: ProgressLine) -> Callable[[str], None]:
    return lambda line: progress.say(f"{system}: {line}")
