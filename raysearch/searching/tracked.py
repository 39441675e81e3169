"""A search that is told to an experiment tracker while it runs: ``--track``."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import cast

from raysearch.config.dotted_keys import flat
from raysearch.errors import SearchInterruptedError
from raysearch.ledger import Event
from raysearch.searching.observers import SearchObserver, Underway
from raysearch.searching.results import Run
from raysearch.tracking.delivery import Delivery
from raysearch.tracking.told_record import ToldRecord
from raysearch.tracking.tracker import Figures, TrackedSearch, Tracker
from raysearch.tracking.tracker_table import TRACKERS
from raysearch.tracking.tracker_thread import TrackerThread
from raysearch.trial_records import Trials

__all__ = ["Tracking"]

# What the search's run does not hold: a space is no setting, and what was published is a trial's.
_LEFT_OUT = ("space", "published", "search.warm_start")


class Tracking(SearchObserver):
    """Tells one tracker of a search: a run a trial, and one of the search above them.

    What it was told is noted in the run's ``tracking`` folder, so that a resumed search goes on
    with the same runs, and brings what the tracker did not take before.

    Args:
        name: of ``TRACKERS``, or ``module:Class``.
        say: takes a line for the user.
    """

    def __init__(self, name: str, say: Callable[[str], None]) -> None:
        self._name, self._say = name, say
        self._thread: TrackerThread | None = None
        self._outcome, self._figures = "failed", cast("Figures", {})

    @contextmanager
    def watch(self, underway: Underway) -> Iterator[None]:
        """Tell for as long as the search lasts, and how it ended."""
        self._thread = TrackerThread(self._name, lambda: self._begin(underway), self._say)
        try:
            yield
        except SearchInterruptedError:
            self._outcome = "interrupted"
            raise
        finally:
            self._thread.close(self._outcome, self._figures)

    def changed(self, trials: Trials, event: Event) -> None:
        """Hand the event over."""
        del trials  # the driver's own, which changes while the tracker is told
        if self._thread is not None:
            self._thread.put(event)

    def say(self, line: str) -> None:
        """Pass nothing on: a tracker has figures, no lines."""

    def progress(self, what: str, done: int, total: int) -> None:
        """Pass nothing on: features are computed before the first trial."""

    def ended(self, run: Run) -> None:
        """Keep the search's figures for its end."""
        self._outcome = run.outcome or "finished"
        self._figures = _numbers(run.summary)

    def _begin(self, underway: Underway) -> Delivery:
        """Read what there is of the ledger, on the tracker's thread."""
        run, spec = underway.run, underway.spec
        told = ToldRecord(run.root / "tracking" / f"{self._name.replace(':', '-')}.json")
        events = run.events()
        settings = flat(spec.to_dict())
        search = TrackedSearch(
            told.identity,
            run.root.name,
            {key: value for key, value in settings.items() if not key.startswith(_LEFT_OUT)},
            {
                "corpus": spec.corpus.name,
                "protocol": spec.protocol.name,
                "space": spec.name,
                "objective": spec.search.objective,
            },
        )

        def make() -> Tracker:
            return cast("Tracker", TRACKERS.load(self._name)())

        trials = Trials.replay(events, spec.search.objective)
        return Delivery(make, search, told, trials, events[-1].seq if events else 0)


def _numbers(summary: Mapping[str, object]) -> Figures:
    return {
        key: float(value)
        for key, value in summary.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }
