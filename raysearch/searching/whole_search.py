"""A search from its settings to its best model: the one use case, whoever asks for it."""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from raysearch.config.search import WarmStart
from raysearch.corpora.spelling import spelling_notes
from raysearch.errors import UserError
from raysearch.evaluation.final_stage import FinalStage
from raysearch.evaluation.pretrain_stage import PretrainStage
from raysearch.protocols.splits import Split
from raysearch.ray_cluster.resources import local_node
from raysearch.ray_cluster.session import ClusterSession, cluster_session, dashboard_lines
from raysearch.ray_cluster.storage_check import check_shared
from raysearch.run_folder import RunFolder, new_name, newest_equal_run
from raysearch.run_lease import Lease
from raysearch.searching.observers import SearchObserver, Underway, watcher_of
from raysearch.searching.results import Run
from raysearch.searching.run_files import kept_files, note_data
from raysearch.spec import SearchSpec
from raysearch.storage.replica import check_writable, display_path, open_storage
from raysearch.storage.run_storage import existing_run, fetch_run, fetch_specs
from raysearch.storage.two_kinds import Storage, storage_of
from raysearch.streaming.preparation import AuditedSplit, prepare_split
from raysearch.tuning.start_source import Source, find_source, fitted, outline
from raysearch.tuning.stop_rules import check_named
from raysearch.tuning.tuner import Begun, Watcher, run_search
from raysearch.tuning.warm_start import run_name
from raysearch.tuning.warm_start import warm_start as settings_of
from raysearch.workers.open_pool import plan_for
from raysearch.workers.pool import WorkerPool

__all__ = ["HeldSearch", "named_run", "search", "search_since"]


def search(
    spec: SearchSpec,
    *,
    storage: str | Path = "results",
    name: str | None = None,
    address: str | None = None,
    resume: bool = False,
    warm_start: Sequence[str | Path] = (),
    observers: Sequence[SearchObserver] = (),
) -> Run:
    """Search for the best model, to its end or to the end of its budgets.

    Args:
        spec: the search; ``load_space`` gives one.
        storage: where runs and features are kept: a folder, ``s3://BUCKET/PREFIX`` or
            ``gs://BUCKET/PREFIX``.
        name: of the run; ``<space>-<corpus>-<timestamp>`` by default.
        address: a running Ray cluster; by default RAY_ADDRESS, else a private Ray is started.
        resume: go on with the run of that name, or with the newest run of equal settings.
        warm_start: earlier runs whose best settings are tried first.
        observers: who is told of it while it runs.

    Returns:
        The finished run.

    Raises:
        UserError: a setting, a path or a name is wrong, or the run may not be resumed.
        DataError: the data cannot support an honest search.
        TrialError: every trial failed.
        InfrastructureError: workers, nodes or storage were lost for good; it can be resumed.
        SearchInterruptedError: a signal came; it can be resumed.
    """
    return search_since(
        time.time(),
        spec,
        storage=storage,
        name=name,
        address=address,
        resume=resume,
        warm_start=warm_start,
        observers=observers,
    )


def search_since(
    started: float,
    spec: SearchSpec,
    *,
    storage: str | Path,
    name: str | None = None,
    address: str | None = None,
    resume: bool = False,
    warm_start: Sequence[str | Path] = (),
    observers: Sequence[SearchObserver] = (),
) -> Run:
    """Search as ``search`` does, for a command that began before this module was imported.

    The run's times count from ``started``, in seconds since 1970.
    """
    check_named(spec.search.objective, spec.search.scheduler)
    place, told = open_storage(str(storage).removeprefix("file://")), watcher_of(observers)
    kept = storage_of(place)
    address = address or os.environ.get("RAY_ADDRESS")
    named = None if name is None else named_run(place, name)
    source = find_source(spec, place, named if resume else None)
    spec, settings = fitted(spec, source)
    run = named or _unnamed_run(place, spec, resume=resume)
    if not address:
        plan_for(spec, [local_node()])  # what can never fit is refused before anything starts
    check_writable(place)
    audited = prepare_split(spec, place)
    about = []
    if source is not None:
        source.check((audited.split, *audited.inner))
        about = outline(spec, source, audited.split.labels, settings)
    if warm_start:
        given = _warm_start(warm_start, spec, run if resume else None, audited.split)
        spec = replace(spec, search=spec.search.model_copy(update={"warm_start": given}))
        about.append(given.line())
    run.check(spec, resume=resume)
    with (
        kept.lease(run.root, told.say if resume else None) as lease,
        cluster_session(address, run.logs) as session,
    ):
        if not session.local:
            check_shared(place)
        run.open(spec, resume=resume)
        held = HeldSearch(run, spec, lease, audited, session, kept, place, started)
        with _watched(observers, held) as found:
            note_data(run, audited, source.learned if source else None)
            _say_first(held, about, told.say)
            held.conduct(told, begin=_begin(held, source, told))
    return found


@dataclass(frozen=True)
class HeldSearch:
    """A search in a folder that this process holds, on a Ray that is connected.

    Attributes:
        run: the folder, opened for the settings.
        spec: the settings.
        lease: of the folder.
        audited: the data.
        session: the connected Ray.
        storage: where the run is kept.
        features: the folder in which the feature store lies.
        started: when the command began, in seconds since 1970.
    """

    run: RunFolder
    spec: SearchSpec
    lease: Lease
    audited: AuditedSplit
    session: ClusterSession
    storage: Storage
    features: Path
    started: float

    def conduct(self, told: Watcher, begin: Callable[[WorkerPool], Begun] | None = None) -> None:
        """Run, or continue, the search to its final model, and keep its folder's files.

        Args:
            told: who is told.
            begin: makes what the trials start from. Raises as ``run_search`` does.
        """
        with kept_files(self.run, self.spec, self.audited) as files:
            told = replace(told, observers=(*told.observers, *files))
            run_search(
                self.spec,
                self.run,
                self.lease,
                self.audited,
                self.session,
                started=self.started,
                storage=self.storage,
                features=self.features,
                watcher=told,
                begin=begin,
                finish=FinalStage(self.run, self.spec, self.lease, self.audited, told),
            )


def named_run(storage: Path, name: str) -> RunFolder:
    """The folder of the run ``name``, as it is in its storage now; it need not be there.

    Raises:
        UserError: it is no name.
    """
    if not name.strip() or "/" in name or name.startswith((".", "-")) or not name.isprintable():
        raise UserError(
            f"--name {name!r}: one folder's name, which does not begin with . or -;"
            " where it is kept is --storage's to say"
        )
    return _fetched(RunFolder(storage / name))


def _unnamed_run(storage: Path, spec: SearchSpec, *, resume: bool) -> RunFolder:
    if not resume:
        return RunFolder(storage / new_name(spec))
    fetch_specs(storage)
    return _fetched(newest_equal_run(storage, spec))


def _fetched(run: RunFolder) -> RunFolder:
    fetch_run(run.root)
    return run


def _warm_start(
    places: Sequence[str | Path], spec: SearchSpec, resumed: RunFolder | None, split: Split
) -> WarmStart:
    """What is tried first; a resumed run keeps what it took, whatever became of its origins."""
    if resumed is not None and resumed.spec_file.exists():
        before = resumed.spec().search.warm_start
        if before and [one.run for one in before.origins] == [run_name(one) for one in places]:
            return before
    return settings_of([existing_run(str(place)) for place in places], spec, split)


@contextmanager
def _watched(observers: Sequence[SearchObserver], held: HeldSearch) -> Iterator[Run]:
    """Around the search: what observers enter, and their word at its end."""
    underway, found = Underway(held.run, held.spec, held.audited), Run(held.run.root)
    with ExitStack() as entered:
        for one in observers:
            entered.enter_context(one.watch(underway))
        yield found
        for one in observers:
            one.ended(found)
        found.check()


def _say_first(held: HeldSearch, about: Sequence[str], say: Callable[[str], None]) -> None:
    say(f"run: {display_path(held.run.root)}")
    notes = (*held.spec.remarks, *spelling_notes(held.audited.corpus), *about)
    dashboard = dashboard_lines(held.session.dashboard_url)
    for line in (*held.audited.audit.brief(), *notes, *dashboard):
        say(line)


def _begin(
    held: HeldSearch, source: Source | None, told: Watcher
) -> Callable[[WorkerPool], Begun] | None:
    if source is None:
        return None
    return PretrainStage(held.run, held.spec, held.lease, held.audited, source, held.features, told)
