"""The search on the terminal: a live table, or plain lines where there is no terminal."""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from textwrap import wrap
from types import TracebackType

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from raysearch.forecast.progress import Progress
from raysearch.ledger import TERMINAL, Event
from raysearch.ledger_events import EpochDone, Resumed, Steered
from raysearch.reporting.live_rows import (
    NUM_BEST,
    LeaderRow,
    RunningRow,
    flowed,
    is_narrow,
    leaders_note,
    leaders_table,
    leading,
    running_table,
    slot_lines,
)
from raysearch.reporting.prospects import in_short
from raysearch.reporting.sentences import print_sentence
from raysearch.reporting.slot_board import SlotBoard
from raysearch.reporting.time_left import Pace, TimeLeft, Work, clock, time_left, work_to_come
from raysearch.reporting.wording import counted, figure, metric_name, one_line
from raysearch.sparing import Sparing
from raysearch.spec import SearchSpec
from raysearch.steering import in_words
from raysearch.training.transductive import is_transductive, mark
from raysearch.trial_records import TrialRecord, Trials
from raysearch.tuning.budgets import Account

__all__ = ["LiveTable"]

PLAIN_EVERY_S = 10.0


@dataclass(frozen=True, slots=True)
class _Drawn:
    """What is drawn, as of the last event.

    rich draws in a thread of its own, which must not read what the driver is changing.
    """

    at: float
    counts: str
    left: TimeLeft | None
    running: Sequence[RunningRow]
    leaders: Sequence[LeaderRow]


class LiveTable:
    """Draws the trials of a search as a live table, as the ledger grows.

    Args:
        spec: the search.
        console: where to.
        quiet: draw nothing.
        past: what the ledger of a search that goes on holds, for the forecast.
        counted: whether the search is to have the trials that ``spec`` names.
        board: what the slots do; None: nobody tells.
    """

    _drawn: _Drawn

    def __init__(
        self,
        spec: SearchSpec,
        console: Console,
        *,
        quiet: bool = False,
        past: Callable[[], Iterable[Event]] = tuple,
        counted: bool = True,
        board: SlotBoard | None = None,
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
        self._board = board or SlotBoard()
        self._account: Account | None = None
        self._account_at, self._train_s = time.time(), 0.0
        self._work: Work | None = None
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
        if event.event == "epoch":
            self._num_epochs += 1
            self._train_s += event.train_s
        if self._live is not None:
            self._follow(trials, event)
            self._keep(trials)
            if not self._live.is_started:
                self._begun = time.time()
                self._live.start()
        elif not self._quiet:
            self._say(trials, event)

    def spent(self, account: Account) -> None:
        """Draw what the trials have spent."""
        self._account, self._account_at = account, time.time()
        self._drawn = replace(self._drawn, at=time.time(), left=self._time_left())

    def say(self, line: str) -> None:
        """Print a line above the table."""
        if not self._quiet:
            self._print(line)

    def _print(self, text: str) -> None:
        # A reason or a path may hold brackets, which rich would take for markup, or refuse.
        print_sentence(self._console, one_line(text))

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
        drawn, console = self._drawn, self._console
        above = [*self._header(drawn), *slot_lines(console, self._board)]
        headings = 2 if is_narrow(console, self._metric) else 1
        note = leaders_note(drawn.leaders)
        # Each table has a title, the first one a caption; the cursor takes a line.
        others = len(above) + 2 * (1 + headings) + NUM_BEST + len(note) + 2
        room = console.height - others
        running = running_table(console, drawn.running, self._board, self._metric, room)
        if not drawn.leaders:
            return Group(*above, running)
        leaders = leaders_table(console, drawn.leaders, self._metric)
        if not drawn.running:  # the final model is being learned
            return Group(*above, leaders, *note)
        return Group(*above, running, leaders, *note)

    def _keep(self, trials: Trials) -> None:
        planned = self._spec.training.epochs
        if self._counted:
            num_trials = self._spec.search.trials + trials.num_added
            self._work = work_to_come(trials, num_trials, planned)
        running = trials.with_status("running")
        self._drawn = _Drawn(
            time.time(),
            self._counts(trials),
            self._time_left(),
            [RunningRow.of(record, planned, self._objective) for record in running],
            leading(trials, self._objective),
        )

    def _time_left(self) -> TimeLeft | None:
        elapsed = max(time.time() - self._begun, 1e-9)
        pace = Pace(elapsed, self._num_epochs, self._train_s)
        return time_left(self._work, pace, self._account)

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

    def _header(self, drawn: _Drawn) -> list[Text]:
        now = time.time()
        elapsed = max(now - self._begun, 1e-9)
        rate = 60 * self._num_epochs / elapsed
        counts = wrap(drawn.counts, self._console.width)
        parts = [*counts, f"{rate:.1f} epochs/min", clock(elapsed)]
        if self._account is not None:
            parts.append(self._core_time(self._account, now - self._account_at))
        if drawn.left is not None:
            parts.append(drawn.left.after(now - drawn.at))
        return [*flowed(parts, self._console.width), *flowed([self._prospect], 0)]

    def _core_time(self, account: Account, since_s: float) -> str:
        spent = clock(account.core_s + account.cpus * since_s)
        most = account.most_core_s
        return f"core time {spent}" + ("" if most is None else f" of {clock(most)}")

    def _counts(self, trials: Trials) -> str:
        ended = {word: n for word, n in trials.counts.items() if word != "running"}
        counts = ", ".join(f"{number} {word}" for word, number in ended.items())
        total = f" of {self._spec.search.trials + trials.num_added}" if self._counted else ""
        return f"{len(trials.records)}{total} trials  {counts or 'none ended'}"


def _ended(record: TrialRecord, best: TrialRecord | None, objective: str, metric: str) -> str:
    name = f"trial {record.number:04d}"
    if record.published:
        name += ", the paper's published settings,"
    if record.status == "failed":
        return f"{name} failed: {record.reason}"
    if record.copied_from is not None:
        return f"{name} repeats trial {record.copied_from:04d}"
    line = f"{name} {record.standing} after {counted(record.last_epoch, 'epoch')}"
    line += f"  {metric} {figure(objective, record.best_metric)}"
    if best is not None and best.number != record.number:
        line += f"  (best {figure(objective, best.best_metric)}, trial {best.number:04d})"
    return line
