"""How long the trials of a search will take yet: a budget's limit, or an estimate, or no word."""

import math
import statistics
from dataclasses import dataclass

from raysearch.trial_records import TrialRecord, Trials
from raysearch.tuning.budgets import Account

__all__ = ["LEAST_ENDED", "Pace", "TimeLeft", "Work", "clock", "time_left", "work_to_come"]

# So many trials must have ended or paused before others are expected to take what they took.
LEAST_ENDED = 5
# Standard deviations on either side of a sum that four of five sums lie within.
_SPREAD = 1.28
# The least of an estimate is no less than this part of its middle.
_LEAST_PART = 1 / 3


@dataclass(frozen=True, slots=True)
class Work:
    """Seconds inside batches that the trials will take yet, from the least to the most."""

    least_s: float
    most_s: float


@dataclass(frozen=True, slots=True)
class Pace:
    """What was trained in ``elapsed_s``: epochs, and seconds inside batches of all slots."""

    elapsed_s: float
    epochs: int
    train_s: float


@dataclass(frozen=True, slots=True)
class TimeLeft:
    """When the trials end.

    Attributes:
        least_s, most_s: from now.
        budget: the budget that ends them then, at the latest; empty: it is an estimate.
    """

    least_s: float
    most_s: float
    budget: str = ""

    def after(self, passed_s: float) -> str:
        """Say it once ``passed_s`` have passed; nothing when the time is over."""
        if self.most_s <= passed_s:
            return ""
        if self.budget:
            return f"trials end within {clock(self.most_s - passed_s)} ({self.budget})"
        least, most = (_roughly(s - passed_s) for s in (self.least_s, self.most_s))
        when = f"about {most}" if least == most else f"{least} to {most}"
        return f"trials end in {when} (estimate)"


def time_left(work: Work | None, pace: Pace, account: Account | None) -> TimeLeft | None:
    """Tell when the trials end: by the first of the budgets, or because all have had their epochs.

    Args:
        work: what they will take; None if nobody can tell.
        pace: so far.
        account: what is left of the budgets, if that is known.

    Returns:
        None if neither is known.
    """
    found: list[tuple[float, float]] = []
    if work is not None and pace.train_s > 0:
        each_s = pace.elapsed_s / pace.train_s
        found.append((work.least_s * each_s, work.most_s * each_s))
    if account is not None and account.epochs_left is not None and pace.epochs:
        seconds = account.epochs_left * pace.elapsed_s / pace.epochs
        found.append((seconds, seconds))
    estimate = TimeLeft(min(a for a, _ in found), min(b for _, b in found)) if found else None
    if account is None or account.left_s is None:
        return estimate
    if estimate is not None and estimate.most_s < account.left_s:
        return estimate
    return TimeLeft(0.0, account.left_s, account.budget)


def work_to_come(trials: Trials, num_trials: int, max_epochs: int) -> Work | None:
    """Estimate what the trials will take yet, from those that have ended or paused.

    A trial to come takes their mean, give or take their spread. One that runs goes as far as the
    mean of those that went further than it has come, or to its end if none did, at its own speed.

    Args:
        trials: so far.
        num_trials: that there will be.
        max_epochs: of a whole trial.

    Returns:
        None if too few have ended.
    """
    records = [record for record in trials.records.values() if record.copied_from is None]
    ended = [record for record in records if record.status != "running" and record.epochs]
    if len(ended) < LEAST_ENDED:
        return None
    took = [record.train_s for record in ended]
    mean, to_come = statistics.mean(took), max(0, num_trials - len(trials.records))
    middle = to_come * mean
    for running in trials.with_status("running"):
        middle += _rest(running, ended, max_epochs) if running.epochs else mean
    # The mean is known from as many as have ended, and each trial to come has its own share.
    variance = to_come + to_come**2 / len(took)
    spread = _SPREAD * statistics.stdev(took) * math.sqrt(variance)
    return Work(max(middle - spread, _LEAST_PART * middle), middle + spread)


def _rest(running: TrialRecord, ended: list[TrialRecord], max_epochs: int) -> float:
    done = running.last_epoch
    further = [one.last_epoch for one in ended if one.last_epoch > done] or [max_epochs]
    return (statistics.mean(further) - done) * running.train_s / len(running.epochs)


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
