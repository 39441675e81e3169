"""Lines and one progress bar: what the terminal shows outside the live table."""

from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

__all__ = ["ProgressLine"]


class ProgressLine:
    """A bar for whatever is being counted, on a terminal; a line at its end elsewhere."""

    def __init__(self, console: Console, *, quiet: bool = False) -> None:
        self._console = console
        self._quiet = quiet
        self._bar: Progress | None = None

    def __enter__(self) -> "ProgressLine":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop()

    def say(self, line: str) -> None:
        """Print a line, above the bar if there is one."""
        if not self._quiet:
            self._console.print(line, highlight=False, soft_wrap=True)

    def update(self, what: str, done: int, total: int) -> None:
        """``done`` of ``total`` of ``what``; the bar goes away when all are done."""
        if done >= total:
            self._stop()
            self.say(f"{what}: {total} done")
        elif self._console.is_terminal and not self._quiet:
            if self._bar is None:
                columns = (
                    TextColumn("{task.description}"),
                    BarColumn(),
                    MofNCompleteColumn(),
                    TimeRemainingColumn(),
                )
                self._bar = Progress(*columns, console=self._console, transient=True)
                self._bar.add_task(what, total=total)
                self._bar.start()
            self._bar.update(self._bar.task_ids[0], completed=done, description=what)

    def _stop(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None
