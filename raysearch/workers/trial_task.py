"""The order for one trial, as it travels from the driver to the workers that train it.

A worker group's host takes it, too, and has neither torch nor what data is made of: the settings
are plain values, and the features a reference.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from raysearch.storage.publication import Publication

if TYPE_CHECKING:
    from ray import ObjectRef

    from raysearch.streaming.trial_features import TrialFeatures

__all__ = ["TrialTask"]


@dataclass(frozen=True, slots=True)
class TrialTask:
    """All that a worker group must know to train one trial.

    Attributes:
        number: the trial's number in its run.
        trial: its identity, from which its random streams and its name in the ledger come.
        attempt: counts its starts, from 1.
        label: what the dashboard calls it.
        config: its resolved settings, as ``TrialConfig.to_dict`` gives them.
        seed: its own seed.
        objective: the validation metric that chooses its best epoch.
        data: its features; a slot sends a reference to them on. None where nobody trains.
        folder: where its checkpoints are published.
        publication: the run that it belongs to.
        resume: the checkpoint that it goes on from, if it does.
        checkpoint_name: what its checkpoints are called, each in place of the one before; by
            default each is called by its epoch and attempt.
        checkpoint_every_s: the least time between two checkpoints, but for the last.
        elastic: whether its reports tell how many workers trained an epoch.
        suspect: whether it was lost elsewhere, so that it has fewer attempts here.
        last_epoch: the epoch after which it is over, if that is not left to its settings: they plan
            the learning rate, so that fewer epochs there would be another training.
    """

    number: int
    trial: str
    attempt: int
    label: str
    config: Mapping[str, object]
    seed: int
    objective: str
    data: "TrialFeatures | ObjectRef | None"
    folder: str
    publication: Publication
    resume: str | None = None
    checkpoint_name: str | None = None
    checkpoint_every_s: float = float("inf")
    elastic: bool = False
    suspect: bool = False
    last_epoch: int | None = None
