"""``raysearch run --space auto``, or ``--space A,B,C``: which system is best for these data?"""

import argparse
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from raysearch.cli.options import AUTO, overrides
from raysearch.cli.terminal import ProgressLine, dashboard_lines
from raysearch.config.overrides import parse_override
from raysearch.corpora.spelling import spelling_notes
from raysearch.errors import RaysearchError, RunExistsError, UserError
from raysearch.race.amounts import BUDGET_KEYS, in_words, of_race, of_search
from raysearch.race.entrants import Override, chosen_spaces, entrants, laid_over, num_given
from raysearch.race.record import RaceFolder, RaceState
from raysearch.run_folder import RACE, RunFolder, new_name
from raysearch.spec import SearchSpec
from raysearch.storage.replica import check_writable, shown

if TYPE_CHECKING:
    from raysearch.tuning.cluster_session import ClusterSession
    from raysearch.tuning.preparation import AuditedSplit

__all__ = ["Plan", "planned", "race"]

DEFAULT_BUDGET = {"search.core_budget": "30m"}
FINAL = "search.final"


@dataclass(frozen=True)
class Plan:
    """A race as it is asked for.

    Attributes:
        folder: where it is kept.
        state: its record, new or as it was left.
        specs: system to its settings.
        total: what it may spend.
        notes: what a user should know of the options.
        resumed: whether it was begun before.
    """

    folder: RaceFolder
    state: RaceState
    specs: dict[str, SearchSpec]
    total: dict[str, float]
    notes: list[str]
    resumed: bool


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


def planned(arguments: argparse.Namespace, named: RunFolder | None) -> Plan:
    """What is asked for: a new race, or one to go on with.

    Raises:
        UserError: it cannot be.
    """
    given = [*overrides(arguments).items(), *(parse_override(text) for text in arguments.set)]
    asked = {key: value for key, value in given if key in BUDGET_KEYS}
    final = dict(given).get(FINAL)
    settings = [(k, v) for k, v in given if k not in BUDGET_KEYS and k != FINAL]
    there = named is not None and (named.root / RACE).is_file()
    if arguments.resume == "auto" and named is None:
        raise UserError("--resume auto asks for --name RUN")
    if arguments.resume and (there or arguments.resume != "auto"):
        folder = RaceFolder(named.root) if named else _newest(arguments, settings)
        return _resumed(folder, settings, asked, final)
    if named is not None and (there or named.spec_file.is_file()):
        raise RunExistsError(
            f"{named.root}: a run of this name exists; continue it with --resume, "
            "or choose another --name"
        )
    found = entrants(_spaces(arguments), settings)
    first = next(iter(found.specs.values()))
    notes = list(found.notes)
    if not asked:
        asked = dict(DEFAULT_BUDGET)
        notes.append("no budget was given: 30m of core time; --core-budget says otherwise")
    root = named.root if named else arguments.storage / new_name(replace(first, name="auto"))
    state = RaceState(
        systems=list(found.specs), left_out=found.left_out, asked=asked, final=final or "auto"
    )
    return _plan(RaceFolder(root), state, found.specs, notes, resumed=False)


def _resumed(
    folder: RaceFolder, settings: list[Override], asked: dict[str, object], final: object
) -> Plan:
    if not folder.file.is_file():
        raise UserError(f"{folder.root}: no race to resume there; leave --resume out")
    state = folder.load()
    state.go_on(asked, None if final is None else str(final))
    specs = {}
    for system in state.systems:
        run = folder.run(system)
        specs[system], _ = laid_over(str(run.spec_file), settings)
        run.check(specs[system], resume=True)
    return _plan(folder, state, specs, [], resumed=True)


def _plan(
    folder: RaceFolder,
    state: RaceState,
    specs: dict[str, SearchSpec],
    notes: list[str],
    *,
    resumed: bool,
) -> Plan:
    total = _total(specs, state)
    return Plan(folder, state, of_race(specs, total), total, notes, resumed)


def _total(specs: dict[str, SearchSpec], state: RaceState) -> dict[str, float]:
    """What the race may spend; every kind that is asked for, of all systems together."""
    first = next(iter(specs.values()))
    data = first.to_dict()
    data["search"] |= {key.partition(".")[2]: value for key, value in state.asked.items()}
    data["search"]["final"] = state.final
    search = SearchSpec.from_dict(data).search
    total = of_search(search, frozenset(state.asked))
    if total.get("trials", float("inf")) < sum(num_given(spec) for spec in specs.values()):
        raise UserError(
            f"--trials {total['trials']:.0f}: {len(specs)} systems begin with their own settings, "
            "a trial each; give more"
        )
    return total


def _newest(arguments: argparse.Namespace, settings: list[Override]) -> RaceFolder:
    """The newest race of these settings; raises UserError if there is none."""
    storage: Path = arguments.storage
    specs = entrants(_spaces(arguments), settings).specs
    files = sorted(storage.glob(f"*/{RACE}"), key=lambda f: f.stat().st_mtime, reverse=True)
    for folder in (RaceFolder(file.parent) for file in files):
        if _is_equal(folder, specs):
            return folder
    raise UserError(
        f"{storage}: no race has these settings; name the one to resume with --name, "
        "or leave --resume out"
    )


def _is_equal(folder: RaceFolder, specs: dict[str, SearchSpec]) -> bool:
    try:
        before = {system: folder.run(system).spec() for system in folder.load().systems}
    except UserError:
        return False  # written by another version, or by hand
    if before.keys() != specs.keys():
        return False
    return not any(before[system].differences(spec) for system, spec in specs.items())


def _spaces(arguments: argparse.Namespace) -> list[str]:
    """Those that ``--space`` lists, or every system's."""
    if arguments.space != AUTO:
        return [space for space in str(arguments.space).split(",") if space]
    return chosen_spaces(gpus=_has_gpus(arguments))


def _has_gpus(arguments: argparse.Namespace) -> bool:
    """Whether a trial will have a GPU: of this machine, or of the cluster."""
    if arguments.gpus_per_worker == 0:
        return False
    if not arguments.address:
        from raysearch.tuning.resources import local_node

        return local_node().gpus > 0
    import tempfile

    from raysearch.tuning.autoscaler import possible_nodes
    from raysearch.tuning.cluster_session import cluster_session
    from raysearch.tuning.desk import living_nodes
    from raysearch.tuning.resources import cluster_nodes

    with (
        tempfile.TemporaryDirectory(prefix="raysearch-") as logs,
        cluster_session(arguments.address, Path(logs)),
    ):
        return any(node.gpus > 0 for node in possible_nodes(cluster_nodes(living_nodes())))


def _race(
    arguments: argparse.Namespace, plan: Plan, console: Console, progress: ProgressLine
) -> None:
    from raysearch.storage.runs import hold
    from raysearch.tuning.cluster_session import cluster_session
    from raysearch.tuning.interrupts import signals
    from raysearch.tuning.preparation import prepare_split
    from raysearch.tuning.resources import local_node
    from raysearch.tuning.shared import check_shared
    from raysearch.tuning.sizing import plan_for

    first = next(iter(plan.specs.values()))
    if not arguments.address:
        plan_for(first, [local_node()])  # what can never fit is refused before anything starts
    check_writable(arguments.storage)
    audited = prepare_split(first, arguments.storage)
    folder = plan.folder
    with (
        hold(folder.root, progress.say if arguments.resume else None),
        signals(),
        cluster_session(arguments.address, folder.root / "logs") as session,
    ):
        if not session.local:
            check_shared(arguments.storage)
        for system, spec in plan.specs.items():
            run = folder.run(system)
            run.open(spec, resume=run.spec_file.is_file())
        folder.save(plan.state)
        progress.say(f"run: {shown(folder.root)}")
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
    from raysearch.tuning.sizing import open_pool
    from raysearch.tuning.tuner import Watcher, prepared_bank, say_slots

    banks = {}
    for system in (*plan.state.playing, *plan.state.unjudged):
        watcher = Watcher(_prefixed(system, progress), progress.update)
        banks[system] = prepared_bank(plan.specs[system], audited, arguments.storage, watcher)
    most = max(plan.specs.values(), key=lambda spec: spec.search.trials)
    view = RaceView(console, progress, audited, len(plan.specs), quiet=arguments.quiet)
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
