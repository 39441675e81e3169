"""Tells when a system's own settings have ended, or will take more than the system may spend."""

from collections.abc import Callable

from raysearch.ledger import TERMINAL
from raysearch.race.accounts import Ground
from raysearch.race.budget_amounts import Amount, share_of
from raysearch.race.entrants import num_given
from raysearch.race.standings import whole_trial
from raysearch.spec import SearchSpec
from raysearch.trial_records import Trials

__all__ = ["own_ended", "own_over"]

# So many of a trial's epochs tell how long all of them take.
EPOCHS_TO_TELL = 2


def own_ended(spec: SearchSpec) -> Callable[[Trials], bool]:
    """Make a test of whether a system's given settings have ended."""
    numbers = range(max(1, num_given(spec)))

    def ended(trials: Trials) -> bool:
        first = [trials.records.get(number) for number in numbers]
        return all(record is not None and record.status in TERMINAL for record in first)

    return ended


def own_over(ground: Ground, system: str, grant: Amount) -> Callable[[Trials], bool]:
    """Make a test of whether the given settings have ended, or will take more than is granted."""
    spec = ground.specs[system]
    ended = own_ended(spec)
    limits = {kind: value for kind, value in grant.items() if kind != "trials"}

    def over(trials: Trials) -> bool:
        if ended(trials):
            return True
        first = trials.records.get(0)
        if first is None or first.last_epoch < EPOCHS_TO_TELL:
            return False
        num_slots = ground.pool.num_open()
        whole = whole_trial(trials, spec, ground.slot_cpus, num_slots)
        # While it lasts, the other slots search on.
        return num_slots * share_of(whole, limits) > 1

    return over
