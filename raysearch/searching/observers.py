"""What a search needs of whoever watches it: the terminal, a notebook, a job's record."""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Protocol

from raysearch.ledger import Event
from raysearch.run_folder import RunFolder
from raysearch.searching.results import Run
from raysearch.spec import SearchSpec
from raysearch.streaming.preparation import AuditedSplit
from raysearch.trial_records import Trials
from raysearch.tuning.budgets import Account
from raysearch.tuning.tuner import Watcher
from raysearch.workers.slot_news import SlotNews

__all__ = ["SearchObserver", "Underway", "watcher_of"]


@dataclass(frozen=True)
class Underway:
    """A search whose run is held and open, before its first trial.

    Attributes:
        run: its folder.
        spec: its settings.
        audited: its data.
    """

    run: RunFolder
    spec: SearchSpec
    audited: AuditedSplit


class SearchObserver(Protocol):
    """Watches a search. Derive from it, and define what you want to hear; the rest does nothing."""

    def say(self, line: str) -> None:
        """Hear a line for the user."""

    def progress(self, what: str, done: int, total: int) -> None:
        """Hear that ``done`` of ``total`` of ``what`` are done, as features are computed."""

    def watch(self, underway: Underway) -> AbstractContextManager[object]:
        """Return what is entered once the run is open, and left when its last file is written."""
        del underway
        return nullcontext()

    def changed(self, trials: Trials, event: Event) -> None:
        """Hear that ``event`` was written into the ledger; ``trials`` holds it already."""

    def slot(self, news: SlotNews) -> None:
        """Hear what becomes of a slot, from whichever thread decides it."""
        del news

    def spent(self, account: Account) -> None:
        """Hear what the trials have spent, at each one's start and after each epoch."""
        del account

    def ended(self, run: Run) -> None:
        """Hear that the search is over, and its files are written; not after an error."""


def watcher_of(observers: Sequence[SearchObserver]) -> Watcher:
    """Return all ``observers`` as the one watcher that a sitting of a search tells."""

    def say(line: str) -> None:
        for one in observers:
            one.say(line)

    def progress(what: str, done: int, total: int) -> None:
        for one in observers:
            one.progress(what, done, total)

    def slot(news: SlotNews) -> None:
        for one in observers:
            one.slot(news)

    def spent(account: Account) -> None:
        for one in observers:
            one.spent(account)

    return Watcher(say, progress, tuple(observers), slot, spent)
