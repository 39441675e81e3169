"""The search on the terminal: a live table, or plain lines where there is no terminal."""

import time
from collections.abc import Callable, Iterable
from textwrap import fill
from types import TracebackType

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from raysearch.forecast.progress import Progress
from raysearch.ledger import TERMINAL, Event
from raysearch.ledger_events import EpochDone, Resumed, Steered
from raysearch.reporting.prospects import in_short
from raysearch.reporting.wording import figure, metric_name, one_line
from raysearch.sparing import Sparing
from raysearch.spec import SearchSpec
from raysearch.steering import in_words
from raysearch.training.transductive import is_transductive, mark
from raysearch.trial_records import Status, TrialRecord, Trials

__all__ = ["LiveTable"]

NUM_BEST = 5
_STATUSES: tuple[Status, ...] = ("completed", "pruned", "failed", "paused")
PLAIN_EVERY_S = 10.0
# Columns of the running trials beside the metric's heading; and of a heading in two lines.
_REST, _NARROW = 52, 7
# Lines of the table beside the running trials, and one for the cursor.
_LINES = NUM_BEST + 9


class LiveTable:
    """Draws the trials of a search as a live table, as the ledger grows.

    Args:
        spec: the search.
        console: where to.
        quiet: draw nothing.
        past: what the ledger of a search that goes on holds, for the forecast.
        counted: whether the search is to have the trials that ``spec`` names.
    """

    def __init__(
        self,
        spec: SearchSpec,
        console: Console,
        *,
        quiet: bool = False,
        past: Callable[[], Iterable[Event]] = tuple,
        counted: bool = True,
    ) -> None:
        self._spec = spec
        self._counted = counted
        self._console = console
        self._quiet = quiet
        self._begun = time.time()
        self._last_line = time.time()
        self._num_epochs = 0
        self._objective = spec.search.objective
        self._metric = metric_name(self._objective) + mark(is_transductive(spec))
        self._past, self._progress = past, Progress(spec)
        self._sparing, self._prospect = Sparing(), ""
        self._keep(Trials(self._objective))
        self._live: Live | None = None
        # A dumb terminal cannot be drawn over: it gets lines.
        if console.is_terminal and not console.is_dumb_terminal and not quiet:
            self._live = Live(
                get_renderable=self.table, console=console, refresh_per_second=4, transient=True
            )

    def __enter__(self) -> "LiveTable":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Take the table away. Twice is fine."""
        if self._live is not None:
            self._live.stop()

    def changed(self, trials: Trials, event: Event) -> None:
        """Update the table by one ledger event."""
        if event.event == "steered":
            self.say(f"asked for: {in_words(event.told(Steered))}")
            return
        self._num_epochs += event.event == "epoch"
        if self._live is not None:
            self._follow(trials, event)
            self._keep(trials)
            if not self._live.is_started:
                self._begun = time.time()
                self._live.start()
        elif not self._quiet:
            self._say(trials, event)

    def say(self, line: str) -> None:
        """Print a line above the table."""
        if not self._quiet:
            self._print(line)

    def _print(self, text: str) -> None:
        # A reason or a path may hold brackets, which rich would take for markup, or refuse.
        text = one_line(text)
        self._console.print(text, markup=False, emoji=False, highlight=False, soft_wrap=True)

    # ---- plain lines -------------------------------------------------------------------------

    def _say(self, trials: Trials, event: Event) -> None:
        record = trials.records[event.number]
        if event.event == "pruned" and record.pauses and event.slot is None:
            return  # the search has ended, or its disk is full: how far it came was told
        if event.event in TERMINAL or event.event == "paused":
            self._line(_ended(record, self._best(trials), self._objective, self._metric))
        elif event.event == "epoch" and time.time() - self._last_line >= PLAIN_EVERY_S:
            told = event.told(EpochDone)
            value = figure(self._objective, told.metrics.get(self._objective))
            epochs = f"{told.epoch}/{self._spec.training.epochs}"
            self._line(f"trial {event.number:04d} epoch {epochs}  {self._metric} {value}")
        elif event.event == "resumed":
            resumed = event.told(Resumed)
            why, epoch = "promoted" if resumed.promoted else "a new attempt", resumed.epoch
            self._line(f"trial {event.number:04d} goes on after epoch {epoch}, {why}")

    def _line(self, text: str) -> None:
        self._last_line = time.time()
        self._print(text)

    def _best(self, trials: Trials) -> TrialRecord | None:
        ranked = trials.ranked()
        return ranked[0] if ranked else None

    # ---- the live table ----------------------------------------------------------------------

    def table(self) -> Group:
        """Build the whole picture as it stands."""
        counts, prospect, *tables = self._drawn
        ahead = [Text(prospect)] if prospect else []
        return Group(self._header(counts), *ahead, *tables)

    def _keep(self, trials: Trials) -> None:
        # rich draws in a thread of its own, which must not read what the driver is changing.
        tables = self._running(trials), self._leaders(trials)
        self._drawn = self._counts(trials), self._prospect, *tables

    def _follow(self, trials: Trials, event: Event) -> None:
        if self._live and not self._live.is_started and event.seq > 1:
            self._progress = Progress(self._spec, self._past())
        self._progress.take(event)
        if event.event == "epoch":
            # It takes the longer the more epochs there are.
            self._sparing(lambda: self._look_ahead(trials))

    def _look_ahead(self, trials: Trials) -> None:
        outlook = self._progress.outlook(trials)
        self._prospect = in_short(outlook, self._objective, self._metric) if outlook else ""

    def _header(self, counts: str) -> Text:
        elapsed = max(time.time() - self._begun, 1e-9)
        rate = 60 * self._num_epochs / elapsed
        return Text(f"{counts}   {rate:.1f} epochs/min   {_clock(elapsed)}")

    def _counts(self, trials: Trials) -> str:
        counts = ", ".join(
            f"{len(found)} {status}"
            for status in _STATUSES
            if (found := trials.with_status(status))
        )
        total = f" of {self._spec.search.trials + trials.num_added}" if self._counted else ""
        return f"{len(trials.records)}{total} trials  {counts or 'none ended'}"

    def _titled(self, title: str, *columns: str) -> Table:
        """A table whose headings take two lines where there is no room for one."""
        table = Table(title=title, title_justify="left", box=None, title_style="bold")
        narrow = self._console.width < _REST + len(self._metric)
        for name in columns:
            heading = fill(name, _NARROW, break_long_words=False) if narrow else name
            table.add_column(heading, justify="right", no_wrap=True)
        return table

    def _running(self, trials: Trials) -> Table:
        columns = ("trial", "slot", "epoch", self._metric, "best", "lr", "train loss")
        table = self._titled("running", *columns)
        running = trials.with_status("running")
        shown = running[: max(self._console.height - _LINES, 1)]
        if more := len(running) - len(shown):
            table.caption, table.caption_justify = f"and {more} more", "left"
        for record in shown:
            last = record.epochs.get(record.last_epoch)
            metrics = last.metrics if last else {}
            table.add_row(
                f"{record.number:04d}",
                "-" if record.slot is None else str(record.slot),
                f"{record.last_epoch}/{self._spec.training.epochs}",
                figure(self._objective, metrics.get(self._objective)),
                figure(self._objective, record.best_metric),
                _rate(record),
                figure("val_loss", metrics.get("train_loss")),
            )
        return table

    def _leaders(self, trials: Trials) -> Table:
        columns = ("trial", "status", self._metric, "at epoch", "epochs", "lr")
        table = self._titled("best so far", *columns)
        # A repetition is equal to its original: it would only fill the table.
        ended = [r for r in trials.ranked() if r.status != "running" and r.copied_from is None]
        for record in ended[:NUM_BEST]:
            # The published settings are never stopped early: only a failure is worth a word.
            completed = record.status == "completed"
            published = completed and record.published
            table.add_row(
                f"{record.number:04d}",
                "published" if published else record.status,
                figure(self._objective, record.best_metric),
                str(record.best_epoch),
                str(record.last_epoch),
                _rate(record),
            )
        return table


def _ended(record: TrialRecord, best: TrialRecord | None, objective: str, metric: str) -> str:
    name = f"trial {record.number:04d}"
    what = "published settings " if record.published else ""
    if record.status == "failed":
        return f"{name} {what}failed: {record.reason}"
    if record.copied_from is not None:
        return f"{name} repeats trial {record.copied_from:04d}"
    line = f"{name} {what}{record.status} after {record.last_epoch} epochs"
    line += f"  {metric} {figure(objective, record.best_metric)}"
    if best is not None and best.number != record.number:
        line += f"  (best {figure(objective, best.best_metric)}, trial {best.number:04d})"
    return line


def _rate(record: TrialRecord) -> str:
    rate = record.config.get("training.learning_rate")
    return f"{rate:.1e}" if isinstance(rate, float) else "-"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
