"""Slots that take the trials that the recorded ones took."""

from collections.abc import Callable
from collections.abc import Set as AbstractSet

from recorded_ledger import DivergedError

__all__ = ["RecordedSlots"]


class RecordedSlots:
    """As many as the search had.

    Args:
        num_slots: how many.
        offered: which one was given a trial here; ``None``: none was.

    Attributes:
        busy: those that have a trial.
        lost: those that take no more.
        leaving: those whose trial was let go and has not told its last yet.
    """

    def __init__(self, num_slots: int, offered: Callable[[], int | None]) -> None:
        self._num_slots, self._offered = num_slots, offered
        self.busy, self.lost, self.leaving = set[int](), set[int](), set[int]()

    def free(self) -> list[int]:
        """Those that can take a trial."""
        return [s for s in range(self._num_slots) if s not in self.busy | self.lost]

    def claim(self, avoid: AbstractSet[int] = frozenset()) -> int | None:
        """The one that took a trial here; raises DivergedError if it could not."""
        slot = self._offered()
        if slot is None:
            return None
        if slot in avoid or slot not in self.free():
            raise DivergedError(f"slot {slot} took a trial, which now has one or is avoided")
        self.busy.add(slot)
        return slot

    def num_open(self) -> int:
        """All but the lost ones."""
        return self._num_slots - len(self.lost)

    def num_up(self) -> int:
        """All but the lost ones."""
        return self.num_open()

    def release(self, slot: int) -> None:
        """The trial on ``slot`` has ended, or none came."""
        self.busy.remove(slot)
        self.leaving.discard(slot)

    def alive(self, slot: int) -> bool:
        """Each of them is: a loss is told by a report."""
        return True

    def lose(self, slot: int, reason: str) -> bool:
        """``slot`` takes no more trials; whether others are left."""
        self.busy.discard(slot)
        self.leaving.discard(slot)
        self.lost.add(slot)
        return self.num_open() > 0

    def rest(self, slot: int, reason: str) -> bool:
        """A ledger does not tell a slot that rests from one that took another trial at once."""
        raise DivergedError(f"slot {slot} rests: {reason}")

    def let_go(self, slot: int, number: int) -> None:
        """The trial on ``slot`` trains no further."""
        self.leaving.add(slot)
