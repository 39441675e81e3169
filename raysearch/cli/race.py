"""``raysearch run --space auto``, or ``--space A,B,C``: which system is best for these data?"""

import argparse
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from rich.console import Console

from raysearch.cli.race_asked import Plan, planned
from raysearch.cli.terminal import ProgressLine, dashboard_lines
from raysearch.corpora.spelling import spelling_notes
from raysearch.errors import RaysearchError, UserError
from raysearch.race.budget_amounts import in_words
from raysearch.run_folder import RunFolder
from raysearch.storage.replica import check_writable, display_path

if TYPE_CHECKING:
    from raysearch.ray_cluster.session import ClusterSession
    from raysearch.streaming.preparation import AuditedSplit

__all__ = ["race"]


def race(arguments: argparse.Namespace, named: RunFolder | None, console: Console) -> int:
    """Carry the verb out; ``named`` is the folder of ``--name``."""
    if arguments.warm_start:
        raise UserError(
            "--warm-start: an earlier run's settings are one system's, and several are to race: "
            "give --space NAME"
        )
    plan = planned(arguments, named)
    if arguments.dry_run:
        from raysearch.cli.race_plan import explain_race

        return explain_race(
            plan.specs, plan.state, plan.total, plan.notes, arguments.storage, console
        )
    with ProgressLine(console, quiet=arguments.quiet) as progress:
        _race(arguments, plan, console, progress)
    return 0


def _race(
    arguments: argparse.Namespace, plan: Plan, console: Console, progress: ProgressLine
) -> None:
    from raysearch.ray_cluster.resources import local_node
    from raysearch.ray_cluster.session import cluster_session
    from raysearch.ray_cluster.storage_check import check_shared
    from raysearch.service.job_record import recorded
    from raysearch.storage.run_storage import acquire_run
    from raysearch.streaming.preparation import prepare_split
    from raysearch.tuning.interrupts import signals
    from raysearch.workers.open_pool import plan_for

    first = next(iter(plan.specs.values()))
    if not arguments.address:
        plan_for(first, [local_node()])  # what can never fit is refused before anything starts
    check_writable(arguments.storage)
    audited = prepare_split(first, arguments.storage)
    folder = plan.folder
    with (
        acquire_run(folder.root, progress.say if arguments.resume else None),
        signals(),
        cluster_session(arguments.address, folder.root / "logs") as session,
        recorded(folder.root, arguments.job),
    ):
        if not session.local:
            check_shared(arguments.storage)
        for system, spec in plan.specs.items():
            run = folder.run(system)
            run.open(spec, resume=run.spec_file.is_file())
        folder.save(plan.state)
        progress.say(f"run: {display_path(folder.root)}")
        notes = spelling_notes(audited.corpus)
        for line in (*audited.audit.brief(), *notes, *dashboard_lines(session.dashboard_url)):
            progress.say(line)
        _say_plan(plan, progress)
        _run(arguments, plan, audited, session, console, progress)


def _say_plan(plan: Plan, progress: ProgressLine) -> None:
    systems = ", ".join(plan.state.systems)
    progress.say(f"race of {len(plan.specs)} systems on {in_words(plan.total)}: {systems}")
    for line in plan.notes:
        progress.say(line)
    if not plan.resumed:
        for system, why in plan.state.left_out.items():
            progress.say(f"left out: {system}: {why}")


def _run(
    arguments: argparse.Namespace,
    plan: Plan,
    audited: "AuditedSplit",
    session: "ClusterSession",
    console: Console,
    progress: ProgressLine,
) -> None:
    """The race on slots of its own, then what it found."""
    from raysearch.cli.race_view import RaceView, show_race
    from raysearch.race.accounts import Ground
    from raysearch.race.driver import Race
    from raysearch.race.outcome import Outcome, outcome, write_board
    from raysearch.tuning.tuner import Watcher, prepared_bank, say_slots
    from raysearch.workers.open_pool import open_pool

    banks = {}
    for system in (*plan.state.playing, *plan.state.unjudged):
        watcher = Watcher(_prefixed(system, progress), progress.update)
        banks[system] = prepared_bank(plan.specs[system], audited, arguments.storage, watcher)
    most = max(plan.specs.values(), key=lambda spec: spec.search.trials)
    number, counted = len(plan.specs), "trials" in plan.total
    view = RaceView(console, progress, audited, number, counted=counted, quiet=arguments.quiet)
    with open_pool(most, RunFolder(plan.folder.root), session, progress.say) as pool:
        say_slots(pool, progress.say)
        ground = Ground(plan.specs, audited, session, pool, banks)
        run = Race(plan.folder, plan.state, ground, plan.total, view)

        def board() -> Outcome:
            found = outcome(run.state, run.seen, plan.specs, audited)
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
