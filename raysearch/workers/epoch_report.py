"""What a worker group says of one epoch of a trial: from rank 0 to the conductor, one object."""

from dataclasses import dataclass, field

from raysearch.workers.faults import Fault
from raysearch.workers.trial_task import TrialTask

__all__ = ["SUPERSEDED", "EpochReport", "lost_with_host"]


@dataclass(frozen=True, slots=True)
class EpochReport:
    """One epoch of a trial, or its end, as its worker group reports it.

    Rank 0 makes it; the group's host sets the attempt, and makes those that tell of a failure.

    Attributes:
        number: the trial.
        attempt: counts the trial's starts, from 1.
        epoch: epochs trained, from 1.
        value: the best objective value so far; higher is better.
        best_epoch: the epoch of that value.
        metrics: this epoch's losses and validation scores.
        train_s: seconds inside training and validation batches on rank 0.
        num_params: parameters of the model.
        workers: ranks that trained it, where their number may change.
        checkpoint: folder published with this epoch, if one was.
        checkpoint_epoch: epochs that the checkpoint holds.
        checkpoint_bytes: its size.
        done: the trial trained all its epochs, or ran out of patience, was let go, or failed.
        failed: why the trial failed.
        fault: whose fault that is.
        slot_lost: the slot takes no more trials.
    """

    number: int
    attempt: int = 0
    epoch: int = 0
    value: float = float("-inf")
    best_epoch: int = 0
    metrics: dict[str, float] = field(default_factory=dict)
    train_s: float = 0.0
    num_params: int = 0
    workers: int = 0
    checkpoint: str | None = None
    checkpoint_epoch: int = 0
    checkpoint_bytes: int = 0
    done: bool = False
    failed: str | None = None
    fault: Fault = Fault.SETTINGS
    slot_lost: bool = False

    @property
    def figures(self) -> dict[str, float]:
        """Its numbers by name, for whoever shows them."""
        told = {"number": self.number, "epoch": self.epoch, "train_s": self.train_s}
        return {**self.metrics, **told}


# To a caller whose booking has passed. It knows which trial it asked for.
SUPERSEDED = EpochReport(-1, failed="superseded", done=True)


def lost_with_host(task: TrialTask) -> EpochReport:
    """Make the last report of a trial whose slot can no longer tell it."""
    return EpochReport(
        task.number,
        attempt=task.attempt,
        done=True,
        failed="its slot's host died",
        fault=Fault.SLOT,
        slot_lost=True,
    )
