"""The benchmarks: which script measures each, and which are cheap."""

from dataclasses import dataclass

__all__ = ["ROWS", "Row"]


@dataclass(frozen=True)
class Row:
    """One benchmark.

    Attributes:
        name: of its figures and their file.
        script: beside this file.
        cheap: whether ``make bench`` measures it, or only ``make bench-full``.
        limit_min: minutes after which it is given up.
        threads: of numeric libraries in every process, where a way does not say otherwise.
    """

    name: str
    script: str
    cheap: bool
    limit_min: float
    threads: int = 1


ROWS = (
    Row("cold_start", "cold_start.py", cheap=True, limit_min=15),
    Row("turnover", "trial_turnover.py", cheap=True, limit_min=20),
    Row("two_slots", "two_slots.py", cheap=True, limit_min=20),
    Row("epochs", "epochs.py", cheap=True, limit_min=15),
    Row("featurize", "featurize.py", cheap=True, limit_min=15),
    Row("train_step", "train_step.py", cheap=True, limit_min=15),
    Row("stream", "stream.py", cheap=True, limit_min=15),
    Row("growth", "growth.py", cheap=True, limit_min=15),
    Row("queue", "queued_searches.py", cheap=False, limit_min=60),
    Row("memory", "memory_per_slot.py", cheap=False, limit_min=90),
)
