"""What a tracker has been told of a search, kept in the run's folder beside the ledger."""

import json
import uuid
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import cast

from raysearch.files import write_json

__all__ = ["ToldRecord"]


class ToldRecord:
    """Which epochs and ends of trials a tracker has: a resumed search tells it none twice.

    Args:
        path: the file; a damaged one counts as none.

    Attributes:
        identity: of the search, made up when the tracker first heard of it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.identity = uuid.uuid4().hex[:12]
        self._epochs: dict[int, int] = {}
        self._ended: set[int] = set()
        try:
            self._take(json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            self._epochs, self._ended = {}, set()

    def last_epoch(self, number: int) -> int:
        """Return the last epoch of the trial that was told; 0 for none."""
        return self._epochs.get(number, 0)

    def has_ended(self, number: int) -> bool:
        """Whether the trial's end was told."""
        return number in self._ended

    def note_epoch(self, number: int, epoch: int) -> None:
        """Note that the tracker has the trial's epochs up to ``epoch``."""
        self._epochs[number] = epoch

    def note_end(self, number: int) -> None:
        """Note that the tracker has the trial's end."""
        self._ended.add(number)

    def save(self) -> None:
        """Write the file.

        Raises:
            OSError: it cannot be written.
        """
        self._path.parent.mkdir(exist_ok=True)
        epochs = {str(number): epoch for number, epoch in sorted(self._epochs.items())}
        content = {"identity": self.identity, "epochs": epochs, "ended": sorted(self._ended)}
        write_json(self._path, content)

    def _take(self, content: Mapping[str, object]) -> None:
        epochs = cast("Mapping[str, int]", content["epochs"])
        ended = cast("Iterable[int]", content["ended"])
        self._epochs = {int(number): int(epoch) for number, epoch in epochs.items()}
        self._ended = {int(number) for number in ended}
        self.identity = str(content["identity"])
