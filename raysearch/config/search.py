"""How a search goes: its budgets, scheduler, objective and resources."""

import re
from typing import Literal

from pydantic import Field, ValidationInfo, field_validator, model_validator

from raysearch.config.base import Config
from raysearch.config.metric_table import METRICS
from raysearch.config.stop_rule_table import STOP_RULES

__all__ = ["Final", "Origin", "SearchConfig", "WarmStart", "parse_duration"]

Final = Literal["auto", "single", "refit", "bag", "ensemble"]
"""What a search ends with; ``auto`` is decided by inner validation.

- ``single``: the best trial's weights;
- ``refit``: its settings, learned again with several seeds from training and validation rows
  together, averaged;
- ``bag``: the nets of all its inner folds together;
- ``ensemble``: several of the trials whose weights were kept, chosen greedily.
"""

_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0}


def parse_duration(text: str) -> float:
    """Seconds in ``"30m"``, ``"1h30m"`` or ``"90s"``.

    Raises:
        ValueError: another form, or no time at all.
    """
    parts = re.findall(r"(\d+(?:\.\d+)?)([hms])", text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise ValueError("write a time as '30m', '1h30m' or '90s'")
    seconds = sum(float(number) * _UNITS[unit] for number, unit in parts)
    if seconds <= 0:
        raise ValueError("a time budget must be above 0")
    return seconds


class Origin(Config):
    """An earlier run from which settings were taken."""

    run: str = Field(min_length=1, description="Its name.")
    likeness: float | None = Field(
        None, ge=0, le=1, description="How like its data are; null: nobody asked."
    )


class WarmStart(Config):
    """Settings of earlier runs that are tried before the sampler's own."""

    origins: tuple[Origin, ...] = Field(min_length=1, description="The runs.")
    settings: tuple[dict[str, bool | int | float | str | None], ...] = Field(
        description="Dotted field to value, in the order in which they are tried."
    )
    taken: tuple[tuple[str, int, float], ...] = Field(
        (),
        description="Of each of the settings: its run, its rank among that run's, and its weight, "
        "likeness / rank, by which they are ordered.",
    )
    saw_test: bool = Field(
        description="Whether one of those runs learned from rows that are tested here."
    )

    @model_validator(mode="before")
    @classmethod
    def _of_one_run(cls, data: object) -> object:
        """As runs had it that could name one origin only."""
        if not isinstance(data, dict) or "origin" not in data or "origins" in data:
            return data
        rest = {key: value for key, value in data.items() if key != "origin"}
        return {"origins": [{"run": data["origin"]}], **rest}

    def line(self) -> str:
        """Name the earlier runs that the settings come from, in a line for the user."""
        runs = [run for run, _, _ in self.taken]
        parts = [
            origin.run
            if origin.likeness is None
            else f"{origin.run} ({runs.count(origin.run)}, likeness {origin.likeness:.2f})"
            for origin in self.origins
        ]
        return f"warm start: {len(self.settings)} settings of {', '.join(parts)}"


class SearchConfig(Config):
    """The ``search`` section: how many trials, on what, by which rules."""

    trials: int = Field(20, ge=1, description="Trials in all, failed ones included.")
    epoch_budget: int | None = Field(None, ge=1, description="Epochs of all trials together.")
    time_budget: str | None = Field(
        None, description="Wall time from the first trial on: '30m', '90s'."
    )
    core_budget: str | None = Field(
        None, description="CPUs of all slots x wall time from the first trial on: '8m'."
    )
    objective: str = Field(
        "val_uar_mean3",
        description="What the best trial is best at, a metric's name or your module:Class; "
        "val_uar_mean3 is the mean UA of an epoch and the two before it: one lucky epoch does not "
        "win it.",
    )
    inner_folds: int | None = Field(
        None,
        ge=1,
        le=10,
        description="Disjoint validation sets that a trial's value is the mean of; none given: two"
        " where one is too small to tell settings apart, else one.",
    )
    scheduler: str = Field(
        "promote",
        description="What keeps unpromising trials short: promote pauses them, and goes on with "
        "those that prove to be among the best; asha and median stop them for good; none leaves "
        "them; or your module:Class.",
    )
    grace_epochs: int | None = Field(
        None,
        ge=1,
        description="Epochs that every trial is given, its warm-up not counted; null: a twentieth "
        "of training.epochs for promote, three at least; a fifth for the others, before which "
        "trials were seen to change places.",
    )
    reduction_factor: int = Field(
        3,
        ge=2,
        description="asha and promote keep one trial in this many; with no more in a rung asha "
        "stops none.",
    )
    extrapolation: float = Field(
        0.5,
        ge=0,
        le=1,
        description="promote ranks trials by what they are expected to have after as many epochs "
        "again: their value, and this part of what the last doubling of their epochs has brought "
        "beyond its noise.",
    )
    noise: float | None = Field(
        None,
        ge=0,
        description="asha and promote hold back no trial that is behind by less than so many "
        "standard errors of the difference of two validation values; null: 1 for asha, which stops "
        "trials for good, and 0 for promote, which may go on with them.",
    )
    paused_disk_gib: float = Field(
        10.0,
        gt=0,
        description="Disk for the checkpoints of paused trials, of 16 bytes a parameter and "
        "validation set: 300 trials of a million parameters and two sets fit. Beyond it the least "
        "promising ones end; the best one stays.",
    )
    keep_best: int = Field(
        5, ge=1, description="Checkpoints of the best trials that are kept; an ensemble is of them."
    )
    final: Final = Field("auto", description="What becomes of the trials: the model at the end.")
    fusion: bool = Field(
        True,
        description="Average the final model with a plain model on functionals, by a share that "
        "inner validation chooses.",
    )
    final_seeds: int = Field(4, ge=1, le=20, description="Nets that a refit is the mean of.")
    seed: int = Field(0, ge=0, lt=2**31, description="Seed of the sampler and of every trial.")
    checkpoint_every_s: float = Field(30, ge=0, description="Least seconds between checkpoints.")
    priors: bool = Field(
        True, description="Begin where the space expects good values; else evenly, everywhere."
    )
    warm_start: WarmStart | None = Field(None, description="Settings of earlier runs.")
    published_first: bool = Field(True, description="Run the published settings first.")
    defaults_first: bool = Field(
        True, description="Then the space's own defaults: random draws may all be worse."
    )
    workers: int = Field(1, ge=1, le=1024, description="Training processes of one trial.")
    max_workers: int | None = Field(
        None,
        ge=1,
        le=1024,
        description="With it a trial has from 'workers' to so many, as nodes come and go; what it "
        "then finds is not reproduced bit for bit.",
    )
    cpus_per_worker: int = Field(1, ge=1, description="CPU cores of one training process.")
    gpus_per_worker: float | None = Field(
        None, ge=0, description="GPUs of one training process; none given: one if there are any."
    )
    slots: int | None = Field(None, ge=1, description="Trials at a time; none given: what fits.")
    priority: int = Field(
        0, ge=-100, le=100, description="On a shared cluster: higher ones get slots first."
    )
    share: float = Field(
        1.0, gt=0, le=1, description="On a shared cluster: the largest part of it to take."
    )
    tier: Literal["auto", "device", "host", "stream"] = Field(
        "auto", description="Where the features lie while training."
    )
    stream_disk_gib: float | None = Field(
        None,
        gt=0,
        description="Disk for the parts of features that a node fetches from a storage by URL; "
        "none given: half of what is free.",
    )
    max_attempts: int = Field(3, ge=1, description="Starts of one trial before it has failed.")
    hang_s: float = Field(
        600,
        gt=0,
        description="A worker may count as hung after so many seconds without an answer, or after "
        "a multiple of what such work took before if that is longer; a trial's first epoch has "
        "three times as long.",
    )

    @field_validator("objective")
    @classmethod
    def _check_objective(cls, value: str) -> str:
        METRICS.check(value)
        return value

    @field_validator("scheduler")
    @classmethod
    def _check_scheduler(cls, value: str) -> str:
        STOP_RULES.check(value)
        return value

    @field_validator("max_workers")
    @classmethod
    def _check_max_workers(cls, value: int | None, info: ValidationInfo) -> int | None:
        if value is not None and value < info.data.get("workers", 1):
            raise ValueError("below 'workers', the least")
        return value

    @property
    def workers_of_identity(self) -> int | str:
        """The number of workers, or its range, as it enters a trial's identity."""
        return f"{self.workers}:{self.max_workers}" if self.max_workers else self.workers

    @field_validator("time_budget", "core_budget")
    @classmethod
    def _check_time(cls, value: str | None) -> str | None:
        if value is not None:
            parse_duration(value)
        return value

    @property
    def stream_disk_bytes(self) -> int | None:
        """Disk for fetched parts in bytes; None for half of what is free."""
        return None if self.stream_disk_gib is None else int(self.stream_disk_gib * 2**30)

    @property
    def paused_disk_bytes(self) -> int:
        """Disk for the checkpoints of paused trials in bytes."""
        return int(self.paused_disk_gib * 2**30)

    @property
    def time_budget_s(self) -> float | None:
        """The time budget in seconds."""
        return None if self.time_budget is None else parse_duration(self.time_budget)

    @property
    def core_budget_s(self) -> float | None:
        """The core budget in seconds of one CPU."""
        return None if self.core_budget is None else parse_duration(self.core_budget)
