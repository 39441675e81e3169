"""How a run stands, in one word: the same in lists, on its page and in alerts."""

from typing import Literal, get_args

from raysearch.ledger_events import BY_HAND

__all__ = ["STATES", "State", "state_of"]

State = Literal[
    "running", "finished", "budget spent", "stopped", "interrupted", "failed", "lost", "unreadable"
]
STATES: tuple[State, ...] = get_args(State)
# What a driver says of its end, other than these words themselves.
_OUTCOMES: dict[str, State] = {
    "finished": "finished",
    "interrupted": "interrupted",
    "failed": "failed",
    "epoch budget": "budget spent",
    "time budget": "budget spent",
    "core budget": "budget spent",
    "end of its part": "budget spent",
    BY_HAND: "stopped",
}


def state_of(outcome: str | None, *, is_alive: bool, all_failed: bool) -> State:
    """Return the word; docs/at-the-terminal.md explains each.

    Args:
        outcome: how its last sitting ended, as its driver said; None if it said nothing.
        is_alive: whether a process goes on with it.
        all_failed: whether it has trials, and every one of them failed.
    """
    if is_alive:
        return "running"
    if all_failed:
        return "failed"
    return "lost" if outcome is None else _OUTCOMES.get(outcome, "failed")
