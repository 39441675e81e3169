"""What a worker group says of one epoch of a trial."""

from dataclasses import dataclass, field

from raysearch.workers.faults import Fault

__all__ = ["EpochReport"]


@dataclass(frozen=True, slots=True)
class EpochReport:
    """The result of one epoch of a trial, as its worker group reports it.

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
