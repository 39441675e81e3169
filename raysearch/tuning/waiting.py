"""Trials that wait to be started again, and which slots they were lost on."""

import re
from collections import Counter, defaultdict, deque
from collections.abc import Set as AbstractSet

__all__ = ["SlotHealth", "Waiting"]

BY_CHANCE = 1e-3


class Waiting:
    """Trials that wait to be started again, first in, first out.

    No trial goes back to a slot that it was lost on while there is another.

    A trial that costs a slot its workers again and again may be at fault, or the slot may: it is a
    suspect until another slot, or the same one if it is the last, has tried it once more, or has
    brought it further than it ever was.
    """

    def __init__(self) -> None:
        self._numbers: deque[int] = deque()
        self._lost_on: defaultdict[int, set[int]] = defaultdict(set)
        self._furthest: Counter[int] = Counter()

    def __len__(self) -> int:
        return len(self._numbers)

    def add(self, number: int) -> None:
        """Let the trial wait."""
        self._numbers.append(number)

    def suspect(self, number: int, slot: int) -> bool:
        """Note that the trial was lost on ``slot``.

        Returns:
            Whether it had been lost before, without an epoch since.
        """
        before = bool(self._lost_on[number])
        self._lost_on[number].add(slot)
        return before

    def trained(self, number: int, epoch: int) -> None:
        """Note that the trial's ``epoch`` ended: one that gets further is no suspect any more."""
        if epoch > self._furthest[number]:
            self._furthest[number] = epoch
            self._lost_on.pop(number, None)

    def is_suspect(self, number: int) -> bool:
        """Tell whether the trial fails for good if it is lost once more."""
        return bool(self._lost_on.get(number))

    def take(self, slot: int, *, alone: bool) -> int | None:
        """Take the next trial for ``slot`` out; None if there is none.

        Args:
            slot: where it would go.
            alone: no other slot is open, so that a suspect has to take this one.
        """
        number = next((n for n in self._numbers if alone or slot not in self._lost_on[n]), None)
        if number is not None:
            self._numbers.remove(number)
        return number

    def avoided(self) -> AbstractSet[int]:
        """Return the slots that none of the waiting trials may go to."""
        sets = [self._lost_on.get(number, set()) for number in self._numbers]
        return frozenset(set.intersection(*sets)) if sets else frozenset()


class SlotHealth:
    """Finds the slots on which trials fail that other slots would train.

    What looks like a fault of the settings can be one of a slot that nobody has thought of. It is
    told by what happens elsewhere: a slot is given up after so many failures in a row before a
    first epoch as settings alone, at the rate at which they fail on the other slots, would give
    once in a thousand times. A reason after which a slot trained another trial is the settings' own
    and tells nothing of slots; numbers in it make no other reason.
    """

    def __init__(self) -> None:
        self._in_a_row: Counter[int] = Counter()
        self._failed: Counter[int] = Counter()
        self._trained: Counter[int] = Counter()
        self._reasons: defaultdict[int, set[str]] = defaultdict(set)
        self._of_settings: set[str] = set()

    def trained(self, slot: int) -> None:
        """Note that a trial's first epoch ended on ``slot``."""
        self._of_settings |= self._reasons.pop(slot, set())
        self._in_a_row[slot] = 0
        self._trained[slot] += 1

    def failed(self, slot: int, reason: str) -> bool:
        """Note that a trial failed on ``slot`` before its first epoch.

        Returns:
            Whether the slot is to be given up.
        """
        reason = re.sub(r"[\d.]+", "#", reason)
        if reason in self._of_settings:
            return False
        self._reasons[slot].add(reason)
        self._in_a_row[slot] += 1
        self._failed[slot] += 1
        trained = self._trained.total() - self._trained[slot]
        failed = self._failed.total() - self._failed[slot]
        rate = (failed + 1) / (trained + failed + 2)  # Laplace's: nothing seen is no certainty
        return trained > 0 and rate ** self._in_a_row[slot] < BY_CHANCE
