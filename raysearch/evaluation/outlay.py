"""What an experiment will cost: its trainings, and their time by the winner's recorded epochs."""

from collections.abc import Sequence
from dataclasses import dataclass

from raysearch.evaluation.arm import Arm
from raysearch.trial_records import TrialRecord

__all__ = ["Outlay", "in_words", "outlay_of"]


@dataclass(frozen=True)
class Outlay:
    """The trainings of an experiment.

    Attributes:
        trainings: all that it needs beside the searched net.
        missing: those that are not there yet.
        seconds: what the missing ones take on one slot, if epochs last as the winner's did.
        epoch_s: seconds of one epoch of one net of the winner.
    """

    trainings: int
    missing: int
    seconds: float
    epoch_s: float

    def line(self) -> str:
        """It in a line for the user."""
        if not self.trainings:
            return "nothing is to be trained"
        if not self.missing:
            return f"{self.trainings} trainings, all of them there already"
        there = self.trainings - self.missing
        known = f", {there} of them there already" if there else ""
        epoch = f"{self.epoch_s:.0f}" if self.epoch_s >= 10 else f"{self.epoch_s:.2g}"
        return (
            f"{self.trainings} trainings{known}: about {in_words(self.seconds)} on one slot, by "
            f"the winner's recorded {epoch} s an epoch; settings that cost more take longer"
        )


def outlay_of(arms: Sequence[Arm], winner: TrialRecord) -> Outlay:
    """Count the trainings of ``arms``, each of which occurs once."""
    num_inner = 1 + len(arms[0].audited.inner)  # an epoch of a trial trains a net for each
    epoch_s = winner.train_s / max(1, len(winner.epochs)) / num_inner
    missing = [len(arm.missing) * arm.num_inner for arm in arms]
    epochs = sum(n * arm.epochs for n, arm in zip(missing, arms, strict=True))
    return Outlay(
        trainings=sum(arm.num_retrained * arm.num_inner for arm in arms),
        missing=sum(missing),
        seconds=epochs * epoch_s,
        epoch_s=epoch_s,
    )


def in_words(seconds: float) -> str:
    """A length of time: ``40 s``, ``12 min`` or ``3.5 h``."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
