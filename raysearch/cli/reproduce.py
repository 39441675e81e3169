"""``raysearch reproduce``: a paper's figure made again, and what its difference is made of."""

import time
from dataclasses import dataclass, replace

from rich.console import Console

from raysearch.cli.reproduce_options import ReproduceOptions
from raysearch.cli.reproduction_cost import show_cost
from raysearch.cli.search_view import SearchView
from raysearch.cli.tables import plain_table, print_table
from raysearch.cli.terminal import ProgressLine, heading, plain_console
from raysearch.errors import UserError
from raysearch.evaluation.evaluate import best_record, is_over
from raysearch.evaluation.experiment_figures import Reproduction
from raysearch.evaluation.reproduce import check_spec, reproduce, stored_reproduction, winner_of
from raysearch.evaluation.reproduction_plan import Plan, Winner, planned
from raysearch.evaluation.reproduction_text import (
    ARM_HEADER,
    STEP_HEADER,
    arm_rows,
    interval_lines,
    metric_label,
    step_rows,
    summary,
)
from raysearch.protocols.folds import outer_folds
from raysearch.ray_cluster.session import cluster_session
from raysearch.run_folder import RunFolder
from raysearch.searching.other_folds import search_other_folds
from raysearch.searching.whole_search import named_run, search_since
from raysearch.spec import SearchSpec
from raysearch.storage.replica import display_path
from raysearch.storage.run_storage import acquire_run
from raysearch.streaming.preparation import AuditedSplit, prepare_split
from raysearch.tuning.tuner import Watcher

__all__ = ["reproduce_system"]


def reproduce_system(options: ReproduceOptions) -> int:
    """Carry the verb out."""
    started, console = time.time(), plain_console()
    spec = _spec(options)
    check_spec(spec)
    work = _work(options, spec, prepare_split(spec, options.storage))
    if work.folder.spec_file.exists():  # what is stored there is of these settings, or refused
        work.folder.check(spec, resume=True)
    plan = work.plan(work.winner or Winner(spec.base))
    found = stored_reproduction(work.folder, plan) if work.winner else None
    if found is None or options.dry_run:
        show_cost(console, plan, work.search, work.num_searches)
        if options.dry_run:
            return 0
        found = _found(work, started, console)
    else:
        console.print("reproduced before; the stored figures:", highlight=False)
    _show(console, found)
    where = display_path(work.folder.root / "reproduction.json")
    console.print(f"written to {where}", highlight=False, markup=False, soft_wrap=True)
    return 0


@dataclass(frozen=True)
class _Work:
    """What is to be done, and what of it is done.

    Attributes:
        options: what was asked for.
        spec: the system.
        audited: its data.
        folder: of the reproduction.
        run: the search whose winner is taken.
        winner: of that search; None before it is over.
        search: the settings of a search that is still to be made.
        num_searches: how many are to be made.
    """

    options: ReproduceOptions
    spec: SearchSpec
    audited: AuditedSplit
    folder: RunFolder
    run: RunFolder
    winner: Winner | None
    search: SearchSpec | None
    num_searches: int

    def plan(self, winner: Winner) -> Plan:
        """The arms, with this winner."""
        cap, num_seeds = self.options.epochs, self.options.seeds
        return planned(self.spec, self.audited.corpus, winner, cap=cap, num_seeds=num_seeds)


def _work(options: ReproduceOptions, spec: SearchSpec, audited: AuditedSplit) -> _Work:
    name = options.name or f"reproduce-{spec.name}-{spec.corpus.name}"
    run = options.run or named_run(options.storage, f"{name}-search")
    search = options.run.spec() if options.run else _search_spec(spec)
    over = options.run is not None or is_over(run, search)
    winner = winner_of(run, audited) if over else None
    others = 0
    if options.nested and not (winner and winner.of_fold):
        others = len(outer_folds(audited.corpus, spec.protocol)) - 1
    needed = (0 if over else 1) + others
    folder = named_run(options.storage, name)
    return _Work(
        options,
        spec,
        audited,
        folder,
        run,
        winner if not others else None,
        search if needed else None,
        needed,
    )


def _spec(options: ReproduceOptions) -> SearchSpec:
    """The system's settings; of ``--run`` its corpus and protocol.

    Raises:
        UserError: that run is of another system, or of other data than are asked for.
    """
    spec = SearchSpec.load(options.system, options.settings)
    if options.run is None:
        return spec
    own = options.run.spec()
    if own.model.name != spec.model.name:
        raise UserError(
            f"{options.run.root}: a search of {own.model.name}, not of {spec.model.name}: name its "
            "own system"
        )
    best_record(options.run)  # a run without a winner is refused before anything is read
    given = {key.partition(".")[0] for key, _ in options.settings}
    for section, theirs, ours in (
        ("corpus", own.corpus, spec.corpus),
        ("protocol", own.protocol, spec.protocol),
    ):
        if section in given and theirs != ours:
            raise UserError(f"{options.run.root}: its {section} is another: leave --{section} out")
    return replace(spec, corpus=own.corpus, protocol=own.protocol)


def _search_spec(spec: SearchSpec) -> SearchSpec:
    """The search of which only the best trial's settings are wanted."""
    # The published settings are trained apart, and its final model would be for nothing.
    changes = {"published_first": False, "final": "single", "fusion": False}
    return replace(spec, search=spec.search.model_copy(update=changes))


def _found(work: _Work, started: float, console: Console) -> Reproduction:
    """Search, if that is still to be done, then train and score the arms."""
    options, run, folder = work.options, work.run, work.folder
    if options.run is None and work.search is not None and not is_over(run, work.search):
        _search(work, work.search, started, console)
    with (
        acquire_run(folder.root) as lease,
        ProgressLine(console) as progress,
        cluster_session(options.address, folder.logs) as session,
    ):
        folder.open(work.spec, resume=folder.spec_file.exists())
        progress.say(f"reproduction: {display_path(folder.root)}")
        watcher = Watcher(progress.say, progress.update)
        if options.nested:
            with acquire_run(run.root):
                search_other_folds(run, session, storage=options.storage, watcher=watcher)
        return reproduce(
            work.plan(winner_of(run, work.audited)),
            folder,
            lease,
            session,
            storage=options.storage,
            watcher=watcher,
        )


def _search(work: _Work, spec: SearchSpec, started: float, console: Console) -> None:
    with ProgressLine(console) as progress:
        search_since(
            started,
            spec,
            storage=work.options.storage,
            name=work.run.root.name,
            address=work.options.address,
            resume=work.run.spec_file.exists(),
            observers=[SearchView(console, progress, quiet=False, job=None)],
        )


def _show(console: Console, found: Reproduction) -> None:
    label = metric_label(found)
    heading(console, "\nreproduction", f"{found['system']} on {found['corpus']}")
    if found["paper"]:
        console.print(found["paper"], highlight=False, style="dim")
    for header, rows in ((ARM_HEADER, arm_rows(found)), (STEP_HEADER, step_rows(found))):
        table = plain_table(header[0])
        for title in header[1:]:
            # Numbers stay whole; words fold.
            whole = title not in ("split", "verdict")
            name = label if title == "value" else title
            table.add_column(name, no_wrap=whole, overflow="fold")
        for row in rows:
            table.add_row(*row)
        print_table(console, table)
        console.print()
    console.print(summary(found), highlight=False)
    for step in found["steps"]:
        if step["interval"] is None:
            console.print(f"  {step['name']}: {step['why']}", highlight=False, style="dim")
    for line in (*found["notes"], *interval_lines(found)):
        console.print(f"  note: {line}", highlight=False)
