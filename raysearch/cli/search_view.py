"""A search on the terminal: its lines, its live table, and its outcome at the end."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

from raysearch.cli.terminal import ProgressLine, show_outcome
from raysearch.ledger import Event
from raysearch.page.live_page import served
from raysearch.page.steered_run import page_of
from raysearch.reporting.live import LiveTable
from raysearch.reporting.slot_board import SlotBoard
from raysearch.run_folder import RunFolder
from raysearch.searching.observers import SearchObserver, Underway
from raysearch.searching.results import Run
from raysearch.service.job_record import recorded
from raysearch.storage.replica import pasted
from raysearch.trial_records import Trials
from raysearch.tuning.budgets import Account
from raysearch.workers.slot_news import SlotNews

__all__ = ["SearchView"]


class SearchView(SearchObserver):
    """Shows a search in the terminal, and keeps what it prints if it is a submitted job.

    Args:
        console: where to.
        progress: the line and bar outside of the live table.
        quiet: whether only the outcome is wanted.
        job: the submission that this process is; None: it is none.
    """

    def __init__(
        self, console: Console, progress: ProgressLine, *, quiet: bool, job: str | None
    ) -> None:
        self._console, self._line, self._quiet, self._job = console, progress, quiet, job
        self._live: LiveTable | None = None
        self._board = SlotBoard()
        self._where: str | None = None

    def say(self, line: str) -> None:
        """Print a line, above the bar if there is one; the page's after the first, the run's."""
        self._line.say(line)
        if self._where is not None:
            self._line.say(self._where)
            self._where = None

    def progress(self, what: str, done: int, total: int) -> None:
        """Draw the bar."""
        self._line.update(what, done, total)

    @contextmanager
    def watch(self, underway: Underway) -> Iterator[None]:
        """Around the search: the job's record, and in it the page and the live table."""
        run = underway.run
        table = LiveTable(
            underway.spec, self._console, quiet=self._quiet, past=run.events, board=self._board
        )
        with (
            recorded(run.root, self._job) as accept,
            self._page(run.root),
            table as self._live,
        ):
            accept()
            yield

    @contextmanager
    def _page(self, folder: Path) -> Iterator[None]:
        """Around the search: its page on loopback; a job's would be on the cluster's head."""
        if self._quiet or self._job is not None:
            yield
            return
        # This process is the search's: it loads no model for a picture.
        with served(page_of(RunFolder(folder), attention=False)) as address:
            later = f"raysearch report {pasted(folder)}"
            self._where = f"page: {address}\n      while the search runs; later: {later}"
            yield

    def changed(self, trials: Trials, event: Event) -> None:
        """Draw the event."""
        if self._live is not None:
            self._live.changed(trials, event)

    def slot(self, news: SlotNews) -> None:
        """Keep what becomes of a slot, for the table."""
        self._board.take(news)

    def spent(self, account: Account) -> None:
        """Draw what is spent."""
        if self._live is not None:
            self._live.spent(account)

    def ended(self, run: Run) -> None:
        """Print the outcome in the place of the table."""
        if self._live is not None:
            self._live.close()
        show_outcome(self._console, run.files, run.spec, run.trials)
