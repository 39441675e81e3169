"""A trial's checkpoint: what its folder holds and how it is read back."""

from collections.abc import Mapping
from pathlib import Path
from typing import Self

from pydantic import Field
from torch import Tensor

from raysearch import published_folder
from raysearch.config.base import Config, Places, build
from raysearch.errors import ConfigError, DataError
from raysearch.training import checkpoint

__all__ = ["BEST", "LAST", "OPTIMIZER", "STATE", "TrialState"]

LAST = "last.safetensors"
BEST = "best.safetensors"
OPTIMIZER = "optimizer.safetensors"
STATE = "state.json"

Tensors = dict[str, Tensor]


class TrialState(Config):
    """What ``state.json`` holds; the schedule's step follows from the epoch."""

    epoch: int = Field(ge=0, description="epochs done")
    best_epoch: int = Field(ge=0, description="epoch of the best weights, 0 before the first")
    best_value: float | None = Field(description="validation value there, higher is better")
    history: list[dict[str, float]] = Field(description="metrics of each epoch done")
    seed: int = Field(description="the trial's own seed")
    objective: str = Field(description="the metric that chose the best epoch")
    extra: dict[str, object] = Field(description="the caller's own values")

    def write(
        self,
        stage: Path,
        last: Mapping[str, Tensor],
        best: Mapping[str, Tensor],
        optimizer: Mapping[str, Tensor],
        prefix: str = "",
    ) -> None:
        """Write the state and its tensors; ``best`` is left out before the first epoch.

        Args:
            stage: the folder.
            last: the weights now.
            best: the best weights so far.
            optimizer: the optimizer's tensors.
            prefix: of every file's name, where one folder holds several states.
        """
        checkpoint.save_tensors(stage / f"{prefix}{LAST}", last)
        checkpoint.save_tensors(stage / f"{prefix}{OPTIMIZER}", optimizer)
        if best:
            checkpoint.save_tensors(stage / f"{prefix}{BEST}", best)
        published_folder.save_json(stage / f"{prefix}{STATE}", self.model_dump(mode="json"))

    @classmethod
    def load(cls, folder: Path, prefix: str = "") -> tuple[Self, Tensors, Tensors, Tensors]:
        """The state, the last weights, the best ones and the optimizer's tensors.

        Raises:
            DataError: not a whole, undamaged checkpoint.
        """
        published_folder.verify(folder)
        path = folder / f"{prefix}{STATE}"
        try:
            state = build(cls, published_folder.load_json(path), places=Places(str(path)))
        except ConfigError as error:
            raise DataError(str(error)) from None
        best = checkpoint.load_tensors(folder / f"{prefix}{BEST}") if state.best_epoch else {}
        last = checkpoint.load_tensors(folder / f"{prefix}{LAST}")
        return state, last, best, checkpoint.load_tensors(folder / f"{prefix}{OPTIMIZER}")
