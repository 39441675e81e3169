"""The rows of the live table: what is kept of the trials, and how it is drawn at a width."""

from collections.abc import Sequence
from dataclasses import dataclass
from textwrap import fill, wrap

from rich.console import Console
from rich.table import Table
from rich.text import Text

from raysearch.reporting.slot_board import SlotBoard
from raysearch.reporting.wording import figure
from raysearch.trial_records import TrialRecord, Trials

__all__ = [
    "NUM_BEST",
    "LeaderRow",
    "RunningRow",
    "flowed",
    "is_narrow",
    "leaders_note",
    "leaders_table",
    "leading",
    "running_table",
    "slot_lines",
]

NUM_BEST = 5
# Columns of either table beside the metric's heading; and of a heading in two lines.
_REST, _NARROW = 54, 7
# Cells of a bar of epochs.
_LEAST_BAR, _MOST_BAR = 4, 40
# Slots that are told of, and lines of each.
_NUM_SLOTS, _NUM_LINES = 4, 2


@dataclass(frozen=True, slots=True)
class RunningRow:
    """A trial that runs.

    Attributes:
        number: its number.
        slot: that its last epoch was trained on.
        done: epochs so far.
        planned: epochs of a whole trial.
        again: whether it was begun before.
        figures: the metric, its best so far, the learning rate and the training loss, in words.
    """

    number: int
    slot: int | None
    done: int
    planned: int
    again: bool
    figures: tuple[str, ...]

    @classmethod
    def of(cls, record: TrialRecord, planned: int, objective: str) -> "RunningRow":
        """Keep what is drawn of ``record``."""
        last = record.epochs.get(record.last_epoch)
        metrics = last.metrics if last else {}
        figures = (
            figure(objective, metrics.get(objective)),
            figure(objective, record.best_metric),
            _rate(record),
            figure("val_loss", metrics.get("train_loss")),
        )
        again = record.attempts > 1
        return cls(record.number, record.slot, record.last_epoch, planned, again, figures)

    def place(self, board: SlotBoard) -> str:
        """Name the slot that it has; ``waits`` where it has lost one, and has none yet."""
        if not board.heard:
            return "-" if self.slot is None else str(self.slot)
        slot = board.slot_of(self.number)
        if slot is not None:
            return str(slot)
        return "waits" if self.done or self.again else "-"


@dataclass(frozen=True, slots=True)
class LeaderRow:
    """A trial among the best that have ended or paused.

    Attributes:
        cells: its cells, in words.
        published: whether it completed, and its settings are the published ones.
    """

    cells: tuple[str, ...]
    published: bool

    @classmethod
    def of(cls, record: TrialRecord, objective: str) -> "LeaderRow":
        """Keep what is drawn of ``record``."""
        # The published settings are never stopped early: only a failure is worth a word.
        published = record.status == "completed" and record.published
        return cls(
            (
                f"{record.number:04d}",
                "published" if published else record.standing,
                figure(objective, record.best_metric),
                str(record.best_epoch),
                str(record.last_epoch),
                _rate(record),
            ),
            published,
        )


def running_table(
    console: Console, rows: Sequence[RunningRow], board: SlotBoard, metric: str, height: int
) -> Table:
    """Draw the trials that run, as many as ``height`` lines have room for.

    The bar of epochs takes what width the other columns leave.
    """
    table = _running(console, rows, board, metric, height, bar=0)
    # Of another width than the terminal's, which would hide that the columns do not fit.
    wide = console.options.update(max_width=1000)
    bar = min(console.width - console.measure(table, options=wide).maximum - 2, _MOST_BAR)
    if bar < _LEAST_BAR:
        return table
    return _running(console, rows, board, metric, height, bar=bar)


def _running(
    console: Console,
    rows: Sequence[RunningRow],
    board: SlotBoard,
    metric: str,
    height: int,
    *,
    bar: int,
) -> Table:
    columns = ["trial", "slot", "epoch", metric, "best", "lr", "train loss"]
    if bar:
        columns.insert(3, "")
    table = _titled(console, "running", metric, columns)
    shown = rows[: max(height, 1)]
    if more := len(rows) - len(shown):
        table.caption, table.caption_justify = f"and {more} more", "left"
    for row in shown:
        cells: list[Text | str] = [
            f"{row.number:04d}",
            row.place(board),
            f"{row.done}/{row.planned}",
            *row.figures,
        ]
        if bar:
            cells.insert(3, _bar(row.done, row.planned, bar, ascii_only=_only_ascii(console)))
        table.add_row(*cells)
    return table


def leaders_table(console: Console, rows: Sequence[LeaderRow], metric: str) -> Table:
    """Draw the best trials so far."""
    columns = ["trial", "status", metric, "at epoch", "epochs", "lr"]
    table = _titled(console, "best so far", metric, columns)
    narrow = is_narrow(console, metric)
    for row in rows:
        number, status, *rest = row.cells
        table.add_row(number, status.removeprefix("stopped ") if narrow else status, *rest)
    return table


def leaders_note(rows: Sequence[LeaderRow]) -> list[Text]:
    """Say what the table of the best calls published, if it calls a trial so."""
    told = Text(" published: the paper's settings, run here", "dim")
    return [told] if any(row.published for row in rows) else []


def slot_lines(console: Console, board: SlotBoard) -> list[Text]:
    """Say of each slot that trains nothing why it does not, a line or two each."""
    waits = board.waits()
    lines = [Text("slots", "bold")] if waits else []
    for slot, why in waits[:_NUM_SLOTS]:
        told = wrap(why, max(console.width - 8, 20))
        if len(told) > _NUM_LINES:
            told = [*told[: _NUM_LINES - 1], f"{told[_NUM_LINES - 1][: console.width - 12]} ..."]
        lines.append(Text(f"  {slot:>4}  {told[0]}"))
        lines += [Text(f"        {line}") for line in told[1:]]
    if more := len(waits) - _NUM_SLOTS:
        lines += [Text(f"and {more} more")] if more > 0 else []
    return lines


def flowed(parts: Sequence[str], width: int) -> list[Text]:
    """Put the parts side by side, as many as fit into each line."""
    lines: list[str] = []
    for part in filter(None, parts):
        if lines and len(lines[-1]) + 3 + len(part) <= width:
            lines[-1] += f"   {part}"
        else:
            lines.append(part)
    return [Text(line) for line in lines]


def leading(trials: Trials, objective: str) -> list[LeaderRow]:
    """The best trials that have ended or paused."""
    # A repetition is equal to its original: it would only fill the table.
    ended = [r for r in trials.ranked() if r.status != "running" and r.copied_from is None]
    return [LeaderRow.of(record, objective) for record in ended[:NUM_BEST]]


def is_narrow(console: Console, metric: str) -> bool:
    """Whether headings take two lines, as there is no room for one."""
    return console.width < _REST + len(metric)


def _titled(console: Console, title: str, metric: str, columns: Sequence[str]) -> Table:
    table = Table(title=title, title_justify="left", box=None, title_style="bold")
    for name in columns:
        narrow = is_narrow(console, metric)
        heading = fill(name, _NARROW, break_long_words=False) if narrow else name
        table.add_column(heading, justify="right", no_wrap=True)
    return table


def _bar(done: int, planned: int, width: int, *, ascii_only: bool) -> Text:
    full = min(width, width * done // max(planned, 1))
    filled, empty = ("#", ".") if ascii_only else ("━", "─")
    return Text.assemble((filled * full, "green"), (empty * (width - full), "dim"))


def _only_ascii(console: Console) -> bool:
    return console.legacy_windows or console.options.ascii_only


def _rate(record: TrialRecord) -> str:
    rate = record.config.get("training.learning_rate")
    return f"{rate:.1e}" if isinstance(rate, float) else "-"
