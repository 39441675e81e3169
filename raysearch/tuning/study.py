"""Which settings to try next: Optuna's ask and tell, kept equal to the ledger.

Ray Tune's own OptunaSearch tells trials that the scheduler stopped as complete, with the value
they happened to have, and ignores points to evaluate for conditional spaces; so the study is held
here, by ask and tell. It is written to a journal that optuna-dashboard opens while the search
runs, and that is rebuilt from the ledger when a search is resumed.
"""

import contextlib
import logging
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers import BaseSampler, TPESampler
from optuna.storages import InMemoryStorage, JournalStorage
from optuna.trial import TrialState

from raysearch.config.distributions import Distribution
from raysearch.config.identity import seed_from
from raysearch.config.space import Space
from raysearch.tuning.journal import UnsyncedJournal

__all__ = ["Study", "num_startup_trials"]

# Optuna's TPE leaves failed trials out, and would go on to propose what fails: settings of which it
# knows nothing look promising. A pruned trial that reported nothing counts as worse than any other.
_STATES = {
    "completed": TrialState.COMPLETE,
    "pruned": TrialState.PRUNED,
    "failed": TrialState.PRUNED,
}
# Says so in the journal.
FAILED = "failed"


def num_startup_trials(num_trials: int) -> int:
    """Random trials before the sampler models anything, fixed when a search first starts."""
    return max(4, num_trials // 4)


class Study:
    """An Optuna study whose trial numbers are the ledger's.

    Args:
        path: the journal file; an existing one is replaced. None: the study is in memory alone.
        name: the study's name.
        space: what to sample from.
        seed: the search's seed; each trial's proposal depends on it, on the trial's number, and
            on the trials told so far.
        num_startup: random trials before TPE.
        around: what stands between each trial's sampler and the study, if anything does.
    """

    def __init__(
        self,
        path: Path | None,
        name: str,
        space: Space,
        *,
        seed: int,
        num_startup: int,
        around: Callable[[BaseSampler], BaseSampler] = lambda sampler: sampler,
    ) -> None:
        optuna.logging.set_verbosity(logging.ERROR)
        self._space, self._around = space, around
        self._seed = seed
        self._num_startup = num_startup
        self._trials: dict[int, optuna.Trial] = {}
        self._reported: dict[int, int] = {}
        with _quiet():
            self._study = optuna.create_study(
                storage=_journal(path) if path else InMemoryStorage(),
                study_name=name,
                direction="maximize",
                sampler=self._sampler(0),
            )

    def propose(self, number: int) -> dict[str, Any]:
        """Values for trial ``number``, which must be the next one."""
        with _quiet():
            self._study.sampler = self._sampler(number)
            trial = self._ask(number)
            return self._space.sample(trial)

    def enqueue(self, number: int, values: Mapping[str, Any], label: str | None = None) -> None:
        """Take trial ``number``, the next one, with given ``values`` of the searched fields.

        Those that lie in the space inform the sampler; the others cannot.
        """
        parameters = list(self._parameters(values))
        with _quiet():
            self._study.enqueue_trial({name: value for name, _, value in parameters})
            trial = self._ask(number)
            for name, distribution, _ in parameters:
                distribution.suggest(trial, name)
            if label:
                trial.set_user_attr("label", label)

    def add(
        self,
        number: int,
        values: Mapping[str, Any],
        status: str,
        curve: Mapping[int, float],
        label: str | None = None,
    ) -> None:
        """Take trial ``number``, the next one, which has ended: at one stroke, not step by step.

        It leaves what ``enqueue``, ``report`` and ``finish`` would have left.

        Args:
            number: the trial's.
            values: of the searched fields, as ``enqueue`` takes them.
            status: as ``finish`` takes it.
            curve: the best value up to each epoch.
            label: what it is called.
        """
        noted = _Noted(dict[str, Any](), {})
        for name, distribution, value in self._parameters(values):
            noted.params[name] = value
            distribution.suggest(noted, name)
        state, last = _STATES[status], curve[max(curve)] if curve else None
        attributes = ({"label": label} if label else {}) | _told(status)
        trial = optuna.trial.create_trial(
            state=state,
            value=last,
            params=noted.params,
            distributions=noted.distributions,
            user_attrs=attributes,
            intermediate_values=dict(curve),
        )
        with _quiet():
            self._study.add_trial(trial)

    def _parameters(self, values: Mapping[str, Any]) -> Iterator[tuple[str, Distribution, Any]]:
        known: dict[str, Any] = {}
        for field in self._space.fields:
            parameter = self._space.parameter(field, known)
            if parameter and field in values and parameter[1].contains(values[field]):
                known[field] = values[field]
                yield parameter[0], parameter[1], values[field]

    def report(self, number: int, epoch: int, value: float) -> None:
        """Epoch ``epoch``'s value so far; an epoch that was reported before is skipped."""
        if epoch > self._reported.get(number, 0):
            self._reported[number] = epoch
            self._trials[number].report(value, epoch)

    def finish(self, number: int, status: str, value: float | None) -> None:
        """End trial ``number`` as ``completed``, ``pruned`` or ``failed``.

        A pruned or failed trial keeps the value of its last epoch as Optuna records it.
        """
        trial = self._trials.pop(number)
        with _quiet():
            for name, said in _told(status).items():
                trial.set_user_attr(name, said)
            self._study.tell(trial, value if status == "completed" else None, state=_STATES[status])

    def _ask(self, number: int) -> optuna.Trial:
        trial = self._study.ask()
        assert trial.number == number, f"the study is at trial {trial.number}, not {number}"
        self._trials[number] = trial
        return trial

    def _sampler(self, number: int) -> BaseSampler:
        sampler = TPESampler(
            seed=seed_from(self._seed, "sampler", number),
            n_startup_trials=self._num_startup,
            multivariate=True,
            group=True,
            constant_liar=True,
        )
        return self._around(sampler)


def _journal(path: Path) -> JournalStorage:
    """A new journal at ``path``."""
    path.unlink(missing_ok=True)
    # A driver that was killed while it wrote left its lock; the run's lease says it is gone.
    path.with_name(f"{path.name}.lock").unlink(missing_ok=True)
    return JournalStorage(UnsyncedJournal(str(path)))


def _told(status: str) -> dict[str, Any]:
    """What a trial's own attributes say of how it ended."""
    return {FAILED: True} if status == "failed" else {}


@dataclass(frozen=True)
class _Noted:
    """Stands in for an Optuna trial: answers with ``params``, and notes what was asked for."""

    params: dict[str, Any]
    distributions: dict[str, optuna.distributions.BaseDistribution]

    def suggest_float(
        self, name: str, low: float, high: float, *, step: float | None = None, log: bool = False
    ) -> Any:
        return self._note(name, FloatDistribution(low, high, log=log, step=step))

    def suggest_int(self, name: str, low: int, high: int) -> Any:
        return self._note(name, IntDistribution(low, high))

    def suggest_categorical(self, name: str, choices: Any) -> Any:
        return self._note(name, CategoricalDistribution(choices))

    def _note(self, name: str, distribution: optuna.distributions.BaseDistribution) -> Any:
        self.distributions[name] = distribution
        return self.params[name]


@contextlib.contextmanager
def _quiet() -> Any:
    """Optuna warns that these sampler options are experimental."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        yield
