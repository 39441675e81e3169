"""What an experiment tracker is told of a search, and what every one of them can do."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

__all__ = ["CUT_OFF", "Figures", "TrackedSearch", "TrackedTrial", "Tracker"]

Figures = Mapping[str, float]
# Outcomes of a search that was meant to go on; a spent budget is none of them.
CUT_OFF = ("failed", "interrupted")


@dataclass(frozen=True, slots=True)
class TrackedSearch:
    """A search, as a tracker knows it.

    Attributes:
        identity: tells it from every other search of whatever name.
        name: its run's.
        settings: dotted key to value, as they are before anything is searched.
        tags: its corpus, protocol, space and objective.
    """

    identity: str
    name: str
    settings: Mapping[str, object]
    tags: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class TrackedTrial:
    """A trial, as a tracker knows it.

    Attributes:
        number: tells it from the search's other trials.
        settings: searched (or published) dotted field to value.
        tags: what the search's tags do not tell.
    """

    number: int
    settings: Mapping[str, object]
    tags: Mapping[str, str]

    @property
    def name(self) -> str:
        """What its run is called."""
        return f"trial {self.number:04d}"


class Tracker(Protocol):
    """One tracker. Any method may raise, take long or never return: it has a thread of its own.

    To add one, write a class of these methods and give it a row in ``TRACKERS``. It takes no
    arguments, and reads the environment variables that the tracker's own users set.
    """

    def open(self, search: TrackedSearch) -> None:
        """Begin the search's run, or go on with the one that it had."""

    def begin(self, trial: TrackedTrial) -> int | None:
        """Begin a trial's run, or go on with the one that it had.

        Returns:
            The last epoch that the tracker has of it, 0 for none; None if it cannot tell.
        """

    def epoch(self, number: int, epoch: int, figures: Figures) -> None:
        """Take the metrics of a trial's epoch; epochs come in their order."""

    def end(self, number: int, status: str, figures: Figures) -> None:
        """End a trial's run: ``completed``, ``pruned`` or ``failed``, with its best figures."""

    def close(self, outcome: str, figures: Figures) -> None:
        """End the sitting: runs that have not ended wait, the search's has its figures so far.

        Args:
            outcome: ``finished``, or what stopped the search.
            figures: of the whole search.
        """
