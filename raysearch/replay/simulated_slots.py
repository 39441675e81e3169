"""Slots that replay recorded curves, as the conductor sees them."""

from collections.abc import Set as AbstractSet

__all__ = ["SimulatedSlots"]


class SimulatedSlots:
    """So many slots, none of which is ever lost.

    Attributes:
        leaving: the slots whose trial was let go, and has not told its last yet.
    """

    def __init__(self, num_slots: int) -> None:
        self._num_slots = num_slots
        self._busy: set[int] = set()
        self.leaving: set[int] = set()

    def claim(self, avoid: AbstractSet[int] = frozenset()) -> int | None:
        """The first slot that is free."""
        free = (slot for slot in range(self._num_slots) if slot not in self._busy | avoid)
        slot = next(free, None)
        if slot is not None:
            self._busy.add(slot)
        return slot

    def num_open(self) -> int:
        """All of them."""
        return self._num_slots

    def num_up(self) -> int:
        """All of them."""
        return self._num_slots

    def release(self, slot: int) -> None:
        """The trial on ``slot`` has ended, or none came."""
        self._busy.remove(slot)
        self.leaving.discard(slot)

    def alive(self, slot: int) -> bool:
        """Each of them is."""
        return True

    def lose(self, slot: int, reason: str) -> bool:
        """Only a report can tell of a loss, and none does."""
        raise AssertionError(f"slot {slot} was recorded, and cannot be lost: {reason}")

    def rest(self, slot: int, reason: str) -> bool:
        """Only a report can tell of a fault, and none does."""
        raise AssertionError(f"slot {slot} was recorded, and needs no rest: {reason}")

    def let_go(self, slot: int, number: int) -> None:
        """The trial on ``slot`` trains no further."""
        self.leaving.add(slot)
