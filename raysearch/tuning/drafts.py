"""Lets a sampler choose all parameters of a trial before any study hears of the trial."""

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.samplers import BaseSampler
from optuna.study import Study
from optuna.trial import FrozenTrial

__all__ = ["Draft", "WholeSampler"]


class Draft:
    """Asks ``sampler`` what it would suggest for ``trial``.

    Attributes:
        params: what was suggested so far, by parameter.
    """

    def __init__(self, sampler: BaseSampler, study: Study, trial: FrozenTrial) -> None:
        self._sampler, self._study, self._trial = sampler, study, trial
        space = sampler.infer_relative_search_space(study, trial)
        self._together = sampler.sample_relative(study, trial, space)
        self.params: dict[str, object] = {}

    def suggest_float(
        self, name: str, low: float, high: float, *, step: float | None = None, log: bool = False
    ) -> float:
        """A float in [low, high]."""
        return float(self._suggest(name, FloatDistribution(low, high, log=log, step=step)))

    def suggest_int(self, name: str, low: int, high: int) -> int:
        """An integer in [low, high]."""
        return int(self._suggest(name, IntDistribution(low, high)))

    def suggest_categorical(self, name: str, choices: Any) -> Any:
        """One of ``choices``."""
        return self._suggest(name, CategoricalDistribution(choices))

    def _suggest(self, name: str, distribution: BaseDistribution) -> Any:
        self.params[name] = self.value(name, distribution)
        return self.params[name]

    def value(self, name: str, distribution: BaseDistribution) -> Any:
        """Return what is suggested for the parameter ``name``."""
        if name in self._together:
            return self._together[name]
        return self._sampler.sample_independent(self._study, self._trial, name, distribution)


class WholeSampler(BaseSampler):
    """Chooses all parameters of one trial at once, when the first of them is asked for.

    It serves that trial alone; one whose parameters are given asks for none.
    """

    _chosen: Mapping[str, Any] | None = None

    @abstractmethod
    def choose(self, study: Study, trial: FrozenTrial) -> Mapping[str, Any]:
        """Choose every parameter that ``trial`` will ask for."""

    def infer_relative_search_space(
        self, study: Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """Return an empty space, as whatever is asked for has been chosen already."""
        return {}

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, object]:
        """Return nothing, as the relative space is empty."""
        return {}

    def sample_independent(
        self,
        study: Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        """Return what was chosen for that parameter."""
        if self._chosen is None:
            self._chosen = self.choose(study, trial)
        return self._chosen[param_name]
