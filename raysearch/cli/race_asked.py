"""A race as the options ask for it: a new one, or one to go on with."""

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

from raysearch.cli.options import AUTO
from raysearch.cli.run_options import RunOptions
from raysearch.errors import RunExistsError, UserError
from raysearch.race.budget_amounts import BUDGET_KEYS, of_race, of_search
from raysearch.race.entrants import Override, chosen_spaces, entrants, laid_over, num_given
from raysearch.race.race_record import RaceFolder, RaceState
from raysearch.ray_cluster.autoscaler import possible_nodes
from raysearch.ray_cluster.resources import cluster_nodes, local_node
from raysearch.ray_cluster.session import cluster_session
from raysearch.ray_cluster.slot_broker import living_nodes
from raysearch.run_folder import RACE, RunFolder, new_name
from raysearch.spec import SearchSpec
from raysearch.storage.run_storage import fetch_run, fetch_specs

__all__ = ["Plan", "planned"]

DEFAULT_BUDGET = {"search.core_budget": "30m"}
FINAL = "search.final"
# How the final model is made, whichever it is.
_HOW_FINAL = ("final_seeds", "fusion")


@dataclass(frozen=True)
class Plan:
    """A race as the options ask for it.

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


def planned(options: RunOptions, named: RunFolder | None) -> Plan:
    """What is asked for: a new race, or one to go on with.

    Raises:
        UserError: it cannot be.
    """
    given = options.search.settings
    asked = {key: value for key, value in given if key in BUDGET_KEYS}
    final = dict(given).get(FINAL)
    settings = [(k, v) for k, v in given if k not in BUDGET_KEYS and k != FINAL]
    there = named is not None and (named.root / RACE).is_file()
    if options.resume == "auto" and named is None:
        raise UserError("--resume auto asks for --name RUN")
    if options.resume and (there or options.resume != "auto"):
        folder = RaceFolder(named.root) if named else _newest(options, settings)
        return _resumed(folder, settings, asked, final)
    if named is not None and (there or named.spec_file.is_file()):
        raise RunExistsError(
            f"{named.root}: a run of this name exists; continue it with --resume, "
            "or choose another --name"
        )
    found = entrants(_spaces(options), settings)
    first = next(iter(found.specs.values()))
    notes = list(found.notes)
    if not asked:
        asked = dict(DEFAULT_BUDGET)
        notes.append("no budget was given: 30m of core time; --core-budget says otherwise")
    root = named.root if named else options.storage / new_name(replace(first, name="auto"))
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
    specs, otherwise = {}, set[str]()
    for system in state.systems:
        run = folder.run(system)
        specs[system], _ = laid_over(str(run.spec_file), settings)
        run.check(specs[system], resume=True)
        before, now = run.spec().search, specs[system].search
        if any(getattr(before, name) != getattr(now, name) for name in _HOW_FINAL):
            otherwise.add(system)
    state.go_on(
        asked, None if final is None else str(final), made_otherwise=state.winner in otherwise
    )
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


def _newest(options: RunOptions, settings: list[Override]) -> RaceFolder:
    """The newest race of these settings; raises UserError if there is none."""
    storage = options.storage
    fetch_specs(storage)
    specs = entrants(_spaces(options), settings).specs
    files = sorted(storage.glob(f"*/{RACE}"), key=lambda f: f.stat().st_mtime, reverse=True)
    for folder in (RaceFolder(file.parent) for file in files):
        if _is_equal(folder, specs):
            fetch_run(folder.root)
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


def _spaces(options: RunOptions) -> list[str]:
    """Those that ``--space`` lists, or every system's."""
    space = str(options.search.space)
    if space != AUTO:
        return [one for one in space.split(",") if one]
    return chosen_spaces(gpus=_has_gpus(options))


def _has_gpus(options: RunOptions) -> bool:
    """Whether a trial will have a GPU: of this machine, or of the cluster."""
    if options.without_gpus:
        return False
    if not options.address:
        return local_node().gpus > 0
    with (
        tempfile.TemporaryDirectory(prefix="raysearch-") as logs,
        cluster_session(options.address, Path(logs)),
    ):
        return any(node.gpus > 0 for node in possible_nodes(cluster_nodes(living_nodes())))
