"""How much each searched field mattered, by PED-ANOVA (Watanabe et al. 2023, arXiv 2304.10255)."""

import logging
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import optuna  # whose ``importance``, which brings scikit-learn, is imported when it is first used
from optuna.exceptions import ExperimentalWarning
from optuna.trial import FixedTrial, create_trial

from raysearch.config.space import Space
from raysearch.trial_records import TrialRecord, Trials

__all__ = ["MIN_TRIALS", "Importance", "Importances", "importances"]

# With fewer the shares are those of chance.
MIN_TRIALS = 8


@dataclass(frozen=True, slots=True)
class Importance:
    """A searched field and its share of what all of them explain; all shares sum to 1."""

    field: str
    share: float


class Importances:
    """Finds them again and again while trials come: anew once a trial that counts has changed.

    Args:
        space: what is searched.
    """

    def __init__(self, space: Space) -> None:
        self._space = space
        self._seen: dict[int, float | None] | None = None
        self._found: list[Importance] = []

    def of(self, trials: Trials) -> list[Importance]:
        """As ``importances``, of the trials that are not under way."""
        ended = [one for one in trials.records.values() if one.status != "running"]
        seen = {one.number: one.best_value for one in ended}
        if seen != self._seen:
            self._found, self._seen = importances(self._space, ended), seen
        return self._found


def importances(space: Space, trials: Iterable[TrialRecord]) -> list[Importance]:
    """Which fields told the better trials from the others, the most important first.

    Args:
        space: what was searched.
        trials: those that lie in the space and have a value count, each at its best epoch. A field
            counts if every one of them has it: one that applies under a condition does not.

    Returns:
        None of them below ``MIN_TRIALS`` trials.
    """
    complete = [
        create_trial(
            params=asked.params, distributions=asked.distributions, value=record.best_value
        )
        for record in trials
        if record.best_value is not None
        and record.copied_from is None
        and (asked := _asked(space, record.config))
    ]
    if len(complete) < MIN_TRIALS:
        return []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        optuna.logging.set_verbosity(logging.ERROR)
        study = optuna.create_study(direction="maximize")
        study.add_trials(complete)
        evaluator = optuna.importance.PedAnovaImportanceEvaluator()
        found = optuna.importance.get_param_importances(study, evaluator=evaluator)
    return [Importance(name, round(share, 4)) for name, share in found.items()]


def _asked(space: Space, config: Mapping[str, object]) -> FixedTrial | None:
    """Ask for the settings again, for the distributions they came from; None if they are others."""
    values = space.parameters(config)
    if not values:
        return None
    asked = FixedTrial(values)
    space.sample(asked)
    return asked
