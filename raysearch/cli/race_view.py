"""A race on the terminal: whose turn it is, a table a round, and what may be said at the end."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from rich.console import Console
from rich.table import Table

from raysearch.cli.terminal import ProgressLine, heading, show_outcome
from raysearch.race.board import Board, points, statements
from raysearch.race.race_record import Place, RaceFolder, Round
from raysearch.race.standings import Seen
from raysearch.race.verdicts import num_rounds
from raysearch.reporting.live import LiveTable
from raysearch.reporting.sentences import print_sentence
from raysearch.reporting.slot_board import SlotBoard
from raysearch.reporting.wording import figure, metric_name, one_line
from raysearch.run_folder import RunFolder
from raysearch.spec import SearchSpec
from raysearch.storage.replica import display_path
from raysearch.tuning.tuner import Watcher

__all__ = ["RaceView", "show_race"]

_WORDS = {
    "best": "the best so far",
    "behind": "out: clearly behind",
    "not judged": "not judged yet",
    "no score": "out: no score",
    "not distinguished": "not distinguished",
}


class RaceView:
    """Shows a race in the terminal.

    Args:
        console: where to.
        progress: the line and bar outside of the live table.
        num_systems: that began.
        counted: whether its budget is one of trials.
        quiet: whether only the outcome is wanted.

    Attributes:
        board: what the slots do, which all turns share.
    """

    def __init__(
        self,
        console: Console,
        progress: ProgressLine,
        num_systems: int,
        *,
        counted: bool,
        quiet: bool,
    ) -> None:
        self._console, self._progress, self.board = console, progress, SlotBoard()
        self._last, self._counted, self._quiet = num_rounds(num_systems), counted, quiet

    @contextmanager
    def turn(
        self, round_: Round | None, system: str, spec: SearchSpec, run: RunFolder
    ) -> Iterator[Watcher]:
        """Around one turn: a line, then the live table."""
        self._progress.say(self._announced(round_, system, spec))
        live_table = LiveTable(
            spec,
            self._console,
            quiet=self._quiet,
            past=run.events,
            counted=self._counted,
            board=self.board,
        )
        with live_table as live:
            yield Watcher(self._progress.say, self._progress.update, (live,), spent=live.spent)

    def _announced(self, round_: Round | None, system: str, spec: SearchSpec) -> str:
        if round_ is None:
            return f"{system}: all that is left, and the final model"
        if round_.second:
            return f"second chance: {system} goes on with its own settings"
        what = "its own settings first" if round_.number == 1 else "searches on"
        turns = round_.systems.index(system) + 1
        line = f"round {round_.number} of {self._last}, system {turns} of {len(round_.systems)}: "
        return line + f"{system} {what}"

    @contextmanager
    def leaving(
        self, system: str, spec: SearchSpec, run: RunFolder, num_paused: int
    ) -> Iterator[Watcher]:
        """Around the end of the paused trials of a system that is out."""
        what = "its paused trial ends" if num_paused == 1 else f"its {num_paused} paused trials end"
        self._progress.say(f"{system}: out; {what}, and free their disk")
        yield Watcher(self._progress.say, self._progress.update)

    def turn_over(self, system: str, seen: Seen) -> None:
        """Print one line that says what the system has found in its turn."""
        best = seen.best
        objective = seen.trials.objective
        value = figure(objective, best.best_metric if best else None)
        number = len(seen.trials.records)
        trials = "1 trial" if number == 1 else f"{number} trials"
        self._progress.say(f"{system}: {metric_name(objective)} {value} after {trials}")

    def round_over(self, round_: Round, seen: Mapping[str, Seen]) -> None:
        """Print the table of a round that is over."""
        if self._quiet:
            return
        objective = next(iter(seen.values())).trials.objective
        table = Table(
            title="after second chances"
            if round_.second
            else f"after round {round_.number} of {self._last}",
            title_justify="left",
            title_style="bold",
            box=None,
        )
        table.add_column("system")
        for name in (metric_name(objective), "behind", "+-", "trials"):
            table.add_column(name, justify="right", no_wrap=True)
        table.add_column("")
        for system, place in round_.places.items():
            best = seen[system].best
            table.add_row(
                system,
                figure(objective, best.best_metric if best else None),
                "" if place.behind is None else points(objective, place.behind),
                "" if place.error is None else points(objective, place.error),
                str(len(seen[system].trials.records)),
                self._said(round_, place),
            )
        self._console.print(table)

    def _said(self, round_: Round, place: Place) -> str:
        word = _WORDS[place.verdict]
        if place.stays or round_.number == self._last or word.startswith("out"):
            return word
        return f"out, as the budget does not reach for all; {word}"


def show_race(
    console: Console, folder: RaceFolder, found: Board, winner: RunFolder, spec: SearchSpec
) -> None:
    """The winner's own outcome, then what may be said of the systems."""
    heading(console, "\nwinner", found.rows[0].system)
    show_outcome(console, winner, spec, found.rows[0].seen.trials)
    heading(console, "\nrace", f"{len(found.rows)} systems")
    for line in statements(found):
        print_sentence(console, one_line(line))
    board = display_path(folder.root / "leaderboard.md")
    console.print(f"leaderboard: {board}", soft_wrap=True)
