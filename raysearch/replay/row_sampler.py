"""A sampler whose proposals are rows: Optuna is told of the settings that were really run."""

from collections.abc import Mapping, Sequence
from typing import Any

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.samplers import BaseSampler
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from raysearch.config.space import Space
from raysearch.replay.nearest_row import Untried

__all__ = ["RowSampler"]


class RowSampler(BaseSampler):
    """Asks ``inner`` for settings of ``space`` and proposes the nearest row that is untried.

    It serves one trial. All of that trial's parameters are chosen at once, when the first is asked
    for; a trial whose parameters are given asks for none.
    """

    def __init__(self, inner: BaseSampler, space: Space, untried: Untried) -> None:
        self._inner, self._space, self._untried = inner, space, untried
        self._chosen: Mapping[str, Any] | None = None

    def infer_relative_search_space(
        self, study: Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """None: whatever is asked for is looked up."""
        return {}

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """None, as the space is empty."""
        return {}

    def sample_independent(
        self,
        study: Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        """The row's value of that parameter."""
        if self._chosen is None:
            draft = _Draft(self._inner, study, trial)
            row = self._untried.take(self._space.sample(draft))
            self._chosen = self._space.parameters(row.config) or {}
        return self._chosen[param_name]

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        """As ``inner`` has it."""
        self._inner.before_trial(study, trial)

    def after_trial(
        self, study: Study, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None
    ) -> None:
        """As ``inner`` has it."""
        self._inner.after_trial(study, trial, state, values)


class _Draft:
    """A trial as ``sampler`` would have it, of which the study is not told."""

    def __init__(self, sampler: BaseSampler, study: Study, trial: FrozenTrial) -> None:
        self._sampler, self._study, self._trial = sampler, study, trial
        space = sampler.infer_relative_search_space(study, trial)
        self._together = sampler.sample_relative(study, trial, space)

    def suggest_float(
        self, name: str, low: float, high: float, *, step: float | None = None, log: bool = False
    ) -> float:
        return float(self._suggest(name, FloatDistribution(low, high, log=log, step=step)))

    def suggest_int(self, name: str, low: int, high: int) -> int:
        return int(self._suggest(name, IntDistribution(low, high)))

    def suggest_categorical(self, name: str, choices: Any) -> Any:
        return self._suggest(name, CategoricalDistribution(choices))

    def _suggest(self, name: str, distribution: optuna.distributions.BaseDistribution) -> Any:
        if name in self._together:
            return self._together[name]
        return self._sampler.sample_independent(self._study, self._trial, name, distribution)
