"""A sampler whose proposals are rows: Optuna is told of the settings that were really run."""

from collections.abc import Mapping

from optuna.samplers import BaseSampler
from optuna.study import Study
from optuna.trial import FrozenTrial

from raysearch.config.space import Space
from raysearch.replay.nearest_row import Untried
from raysearch.tuning.drafts import Draft, WholeSampler

__all__ = ["RowSampler"]


class RowSampler(WholeSampler):
    """Asks ``inner`` for settings of ``space`` and proposes the nearest row that is untried."""

    def __init__(self, inner: BaseSampler, space: Space, untried: Untried) -> None:
        self._inner, self._space, self._untried = inner, space, untried

    def choose(self, study: Study, trial: FrozenTrial) -> Mapping[str, object]:
        """The row's parameters."""
        draft = Draft(self._inner, study, trial)
        row = self._untried.take(self._space.sample(draft))
        return self._space.parameters(row.config) or {}
