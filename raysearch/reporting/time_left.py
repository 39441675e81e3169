"""How long the trials of a search will take yet: a budget's limit, or an estimate, or no word."""

from dataclasses import dataclass

from raysearch.trial_records import Trials
from raysearch.tuning.budgets import Account

__all__ = ["LEAST_ENDED", "TimeLeft", "clock", "epochs_to_come", "time_left"]

# So many trials must have ended or paused before others are expected to take what they took.
LEAST_ENDED = 3


@dataclass(frozen=True, slots=True)
class TimeLeft:
    """When the trials end.

    Attributes:
        seconds: from now.
        budget: the budget that ends them then, at the latest; empty: it is an estimate.
    """

    seconds: float
    budget: str = ""

    def after(self, passed_s: float) -> str:
        """Say it once ``passed_s`` have passed; nothing when the time is over."""
        seconds = self.seconds - passed_s
        if seconds <= 0:
            return ""
        if self.budget:
            return f"trials end within {clock(seconds)} ({self.budget})"
        return f"trials end in about {_roughly(seconds)} (estimate)"


def time_left(
    epochs: float | None, epochs_per_s: float, account: Account | None
) -> TimeLeft | None:
    """Tell when the trials end: by the first of the budgets, or because all have had their epochs.

    Args:
        epochs: that the trials will train yet; None if nobody can tell.
        epochs_per_s: trained in a second so far.
        account: what is left of the budgets, if that is known.

    Returns:
        None if neither is known.
    """
    known = [epochs] if epochs is not None else []
    if account is not None and account.epochs_left is not None:
        known.append(account.epochs_left)
    estimate = TimeLeft(min(known) / epochs_per_s) if known and epochs_per_s > 0 else None
    if account is None or account.left_s is None:
        return estimate
    if estimate is not None and estimate.seconds < account.left_s:
        return estimate
    return TimeLeft(account.left_s, account.budget)


def epochs_to_come(trials: Trials, num_trials: int, max_epochs: int) -> float | None:
    """Estimate the epochs that the trials will train yet, from those that have ended or paused.

    A trial to come takes their mean. One that runs goes as far as the mean of those that went
    further than it has come, or to its end if none did.

    Args:
        trials: so far.
        num_trials: that there will be.
        max_epochs: of a whole trial.

    Returns:
        None if too few have ended.
    """
    records = [record for record in trials.records.values() if record.copied_from is None]
    ended = [r.last_epoch for r in records if r.status != "running" and r.last_epoch]
    if len(ended) < LEAST_ENDED:
        return None
    to_come = max(0, num_trials - len(trials.records)) * sum(ended) / len(ended)
    for running in trials.with_status("running"):
        done = running.last_epoch
        further = [epochs for epochs in ended if epochs > done] or [max_epochs]
        to_come += sum(further) / len(further) - done
    return to_come


def clock(seconds: float) -> str:
    """Write a time as ``h:mm:ss`` or ``m:ss``."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def _roughly(seconds: float) -> str:
    """The time no finer than an estimate of it can be: ``40 s``, ``12 min``, ``3 h 20 min``."""
    if seconds < 50:
        return f"{max(10 * round(seconds / 10), 10)} s"
    minutes = max(1, round(seconds / 60))
    if minutes < 90:
        return f"{minutes} min"
    hours, minutes = divmod(10 * round(minutes / 10), 60)
    return f"{hours} h {minutes} min" if minutes and hours < 10 else f"{hours} h"
