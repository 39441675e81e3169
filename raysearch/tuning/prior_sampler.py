"""A sampler that starts where good values are expected, and believes its trials more and more."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from raysearch.config.priors import Prior
from raysearch.config.space import Space
from raysearch.tuning.drafts import Draft, WholeSampler

__all__ = ["PriorSampler"]

# The part of the first trials that are drawn as if nothing were expected.
EVEN_SHARE = 0.25
NUM_DRAFTS = 8
# beta is a tenth of the trials planned, SMAC3's default; a quarter of these come first.
BETA_SHARE = 0.4
# A lower power hardly tells two drafts apart.
LEAST_POWER = 0.05
_ENDED = (TrialState.COMPLETE, TrialState.PRUNED)


class PriorSampler(WholeSampler):
    """Proposes settings from expected good values at first, then more and more from trials.

    piBO (Hvarfner et al. 2022, arXiv 2204.11051) multiplies what an acquisition function says of
    settings by the power beta / n of their prior, n being the trials so far. TPE tells nobody what
    its acquisition function says, so its proposals stand for it: of eight drafts one is drawn by
    that power of its prior, in parts of an even one. The first ``num_startup`` trials are drawn
    from the prior, but for one in four, so that nothing is excluded. As the power falls, settings
    that were wrongly expected to be good are given up for those that proved to be better.

    It serves one trial.

    Args:
        inner: draws at random until ``num_startup`` trials have ended, then by what they told.
        space: what is sampled from.
        seed: of that trial.
        num_startup: trials before ``inner`` models anything.
    """

    def __init__(self, inner: BaseSampler, space: Space, *, seed: int, num_startup: int) -> None:
        self._inner, self._space, self._num_startup = inner, space, num_startup
        self._priors = space.priors()
        self._rng = np.random.default_rng(seed)

    def choose(self, study: Study, trial: FrozenTrial) -> Mapping[str, object]:
        """Choose all parameters of ``trial``."""
        num_ended = len(study.get_trials(deepcopy=False, states=_ENDED))
        if num_ended < self._num_startup:
            priors = {} if self._rng.random() < EVEN_SHARE else self._priors
            return self._filled(_Expected(self._inner, study, trial, priors, self._rng))
        power = BETA_SHARE * self._num_startup / max(1, num_ended)
        count = NUM_DRAFTS if power >= LEAST_POWER else 1
        drafts = [self._filled(Draft(self._inner, study, trial)) for _ in range(count)]
        ratios = np.array([self._log_ratio(params) for params in drafts])
        weights = np.exp(power * (ratios - ratios.max()))
        return drafts[self._rng.choice(count, p=weights / weights.sum())]

    def _filled(self, draft: Draft) -> Mapping[str, object]:
        self._space.sample(draft)
        return draft.params

    def _log_ratio(self, params: Mapping[str, object]) -> float:
        priors = self._priors.items()
        return math.fsum(prior.log_ratio(params[name]) for name, prior in priors if name in params)


class _Expected(Draft):
    """Parameters that have a prior are drawn from it, the others as ``sampler`` has them."""

    def __init__(
        self,
        sampler: BaseSampler,
        study: Study,
        trial: FrozenTrial,
        priors: Mapping[str, Prior],
        rng: np.random.Generator,
    ) -> None:
        super().__init__(sampler, study, trial)
        self._priors, self._rng = priors, rng

    def value(self, name: str, distribution: BaseDistribution) -> Any:
        """From the prior, if there is one."""
        if name in self._priors:
            return self._priors[name].draw(self._rng.random())
        return super().value(name, distribution)
