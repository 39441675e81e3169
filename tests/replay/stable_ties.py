"""Optuna's sampler with one order of equal values on every processor.

TPE sorts what was observed of a field with numpy's quicksort, and equal values of a field with
steps then come in an order that depends on the processor's vector instructions; the width of each
kernel, and so the next proposal, hangs on it. A ledger that is made on one machine is replayed on
others, so both the making and the replay sort stably.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
from optuna.samplers._tpe import parzen_estimator

__all__ = ["stable_ties"]


class _StableNumpy:
    """numpy, but for the order of what is equal."""

    def __getattr__(self, name: str) -> Any:
        return getattr(np, name)

    def argsort(self, values: Any) -> Any:
        """The first of equal ones stays first."""
        return np.argsort(values, kind="stable")


@contextmanager
def stable_ties() -> Iterator[None]:
    """As long as this lasts."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parzen_estimator, "np", _StableNumpy())
        yield
