"""What becomes of a pool's slots, told as it happens, by whoever decides it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

__all__ = ["Hearing", "SlotNews", "SlotState", "unheard"]

# starting: its workers are on their way; free: they have joined, and have no trial; leaving: it
# closes once its trial has published what it holds. Of no slot in particular: waiting: the cluster
# gives fewer than the search could use; cut: this machine has room for fewer.
SlotState = Literal[
    "starting", "free", "training", "resting", "leaving", "closed", "waiting", "cut"
]


@dataclass(frozen=True, slots=True)
class SlotNews:
    """What a slot does from now on.

    Attributes:
        slot: its index; None: slots that are not there.
        state: what it does.
        reason: why, where that is not a matter of course; of ``waiting`` an empty one says that it
            is over.
        number: of the trial that it trains.
        until: when it can take a trial again, of ``time.monotonic()``.
    """

    slot: int | None
    state: SlotState
    reason: str = ""
    number: int | None = None
    until: float | None = None


Hearing = Callable[[SlotNews], None]


def unheard(news: SlotNews) -> None:
    """Do nothing with the news."""
