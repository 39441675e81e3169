"""A ledger that is read again and again while its search writes it: only what is new is parsed."""

from pathlib import Path

from raysearch.ledger import Event, take_lines

__all__ = ["GrowingLedger"]


class GrowingLedger:
    """Reads a ledger on from where it was read last.

    A file that was replaced by another one, or cut, is read from its beginning.

    Args:
        path: the ledger's file; it need not be there yet.

    Attributes:
        events: every whole line's.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._forget()

    def read_on(self) -> bool:
        """Read what was written since.

        Returns:
            Whether the events of before stay, and others follow them; else all are new.

        Raises:
            DataError: a damaged line; the next time all is read again.
        """
        try:
            return self._read_on()
        except BaseException:
            self._forget()
            raise

    def _forget(self) -> None:
        self.events: list[Event] = []
        # The last line that was read, and where it begins.
        self._last, self._start = b"", 0

    def _read_on(self) -> bool:
        if not self._path.exists():
            self._forget()
            return False
        with self._path.open("rb") as file:
            file.seek(self._start)
            content = file.read()
            # Each line has a number and a time of its own: who has this one here has those before.
            goes_on = bool(self._last) and content.startswith(self._last)
            if not goes_on:
                self._forget()
                file.seek(0)
                content = file.read()
        new = content[len(self._last) : content.rfind(b"\n") + 1]
        if new:
            take_lines(self.events, new, self._path)
            end = self._start + len(self._last) + len(new)
            self._last = new[new[:-1].rfind(b"\n") + 1 :]
            self._start = end - len(self._last)
        return goes_on
