"""Which settings to try next: Optuna's sampler, kept equal to the ledger.

Ray Tune's own OptunaSearch tells trials that the scheduler stopped as complete, with the value
they happened to have, and ignores points to evaluate for conditional spaces; so the study is held
here. It has two faces, both rebuilt from the ledger when a search is resumed. A journal, which
optuna-dashboard opens while the search runs, tells what is: a trial that pauses runs, and one whose
settings failed has failed. The sampler sees what there is to learn: see :class:`Study`.
"""

import contextlib
import logging
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import optuna
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers import BaseSampler, TPESampler
from optuna.trial import FrozenTrial, TrialState, create_trial

from raysearch.config.distributions import Distribution
from raysearch.config.identity import seed_from
from raysearch.config.space import Space
from raysearch.tuning.journal import StudyJournal
from raysearch.tuning.prior_sampler import PriorSampler
from raysearch.tuning.sampler_view import SamplerView

__all__ = ["Study", "num_startup_trials"]

# As many as Optuna draws by default: more of them were no better on recorded curves.
MOST_STARTUP = 10

_STATES = {
    "running": TrialState.RUNNING,
    "paused": TrialState.RUNNING,
    "completed": TrialState.COMPLETE,
    "pruned": TrialState.PRUNED,
    "failed": TrialState.FAIL,
}


def num_startup_trials(num_trials: int) -> int:
    """Return how many trials are drawn at random before the sampler models anything.

    The number is fixed when a search first starts.
    """
    return min(max(4, num_trials // 4), MOST_STARTUP)


class Study:
    """Asks Optuna's sampler for settings and tells it of trials, by the ledger's numbers.

    TPE counts a trial that runs among the bad ones, so that its neighbours are not tried at the
    same time, and leaves one that failed out, so that settings that fail look as promising as
    others nobody knows. So it is told that a trial which has paused was pruned where it is, for
    good or until it is promoted, and that one which failed was pruned before it reported anything,
    which is worse than any other.

    Args:
        path: the journal file; an existing one is replaced. None: the study is in memory alone.
        name: the study's name.
        space: what to sample from.
        seed: the search's seed; each trial's proposal depends on it, on the trial's number, and
            on the trials told so far.
        num_startup: random trials before TPE.
        priors: whether the space's priors count.
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
        priors: bool = True,
        around: Callable[[BaseSampler], BaseSampler] = lambda sampler: sampler,
    ) -> None:
        optuna.logging.set_verbosity(logging.ERROR)
        self._space, self._around = space, around
        self._expects = priors and bool(space.priors())
        self._seed = seed
        self._num_startup = num_startup
        self._trials: list[_Told] = []
        self._journal = StudyJournal(path, name) if path else None

    def propose(self, number: int, held: Mapping[int, int] | None = None) -> Mapping[str, object]:
        """Choose values for trial ``number``, which must be the next one.

        TPE ranks whoever came further before the others. A trial that was let run to its end by
        right, not for its values, would be among its best ones for ever.

        Args:
            number: the trial's.
            held: such trials, and the epoch after which others of their values pause.
        """
        held = held or {}
        with _quiet():
            view = SamplerView([told.seen(held.get(n)) for n, told in enumerate(self._trials)])
            study = optuna.create_study(
                storage=view, direction="maximize", sampler=self._sampler(number)
            )
            values = self._space.sample(study.ask())
        self.enqueue(number, values)
        return values

    def enqueue(self, number: int, values: Mapping[str, object], label: str | None = None) -> None:
        """Add trial ``number``, the next one, with given ``values`` of the searched fields.

        Those that lie in the space inform the sampler; the others cannot.
        """
        self.add(number, values, "running", {}, label)

    def add(
        self,
        number: int,
        values: Mapping[str, object],
        status: str,
        curve: Mapping[int, float],
        label: str | None = None,
    ) -> None:
        """Add trial ``number``, the next one, with all that an earlier driver learned of it.

        It leaves what ``enqueue``, ``report``, ``pause`` and ``finish`` would have left.

        Args:
            number: the trial's.
            values: of the searched fields, as ``enqueue`` takes them.
            status: as the ledger has it.
            curve: the best value up to each epoch.
            label: what it is called.
        """
        assert number == len(self._trials), (
            f"the study is at trial {len(self._trials)}, not {number}"
        )
        noted = _Noted(dict[str, object](), {})
        for name, distribution, value in self._parameters(values):
            noted.params[name] = value
            distribution.suggest(noted, name)
        told = _Told(noted, status, dict(curve), paused=status == "paused")
        self._trials.append(told)
        attributes = {"label": label} if label else {}
        if self._journal:
            self._journal.add(told.frozen(_STATES[status], told.value, told.curve, attributes))

    def _parameters(self, values: Mapping[str, object]) -> Iterator[tuple[str, Distribution, Any]]:
        known: dict[str, object] = {}
        for name in self._space.fields:
            parameter = self._space.parameter(name, known)
            if parameter and name in values and parameter[1].contains(values[name]):
                known[name] = values[name]
                yield parameter[0], parameter[1], values[name]

    def report(self, number: int, epoch: int, value: float) -> None:
        """Tell the value that the trial has after ``epoch``; one told before is skipped."""
        told = self._trials[number]
        if epoch > max(told.curve, default=0):
            told.curve[epoch], told.shown = value, None
            if self._journal:
                self._journal.report(number, epoch, value)

    def pause(self, number: int) -> None:
        """Tell that trial ``number`` has paused: the sampler learns from what it has reached."""
        told = self._trials[number]
        told.paused, told.shown = True, None

    def finish(self, number: int, status: str, value: float | None) -> None:
        """End trial ``number`` as ``completed``, ``pruned`` or ``failed``.

        A pruned trial keeps the value of its last epoch as Optuna records it.
        """
        told = self._trials[number]
        told.status, told.final, told.shown = status, value, None
        if self._journal:
            self._journal.end(number, _STATES[status], told.value)

    def _sampler(self, number: int) -> BaseSampler:
        sampler: BaseSampler = TPESampler(
            seed=seed_from(self._seed, "sampler", number),
            n_startup_trials=self._num_startup,
            multivariate=True,
            group=True,
            constant_liar=True,
        )
        if self._expects:
            seed = seed_from(self._seed, "prior", number)
            sampler = PriorSampler(sampler, self._space, seed=seed, num_startup=self._num_startup)
        return self._around(sampler)


@dataclass(frozen=True)
class _Noted:
    """Stands in for an Optuna trial: answers with ``params``, and notes what was asked for."""

    params: dict[str, object]
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


@dataclass
class _Told:
    """What is known of one trial.

    Attributes:
        settings: its parameters and their distributions.
        status: as the ledger has it.
        curve: the best value up to each epoch.
        paused: whether it ever was.
        final: the value that it ended with, if that was told.
        shown: what the sampler was last shown of it; ``None`` once more is known.
    """

    settings: _Noted
    status: str
    curve: dict[int, float] = field(default_factory=dict)
    paused: bool = False
    final: float | None = None
    shown: FrozenTrial | None = None

    def seen(self, held: int | None = None) -> FrozenTrial:
        """The trial as the sampler sees it; of its curve TPE reads the last value alone.

        Args:
            held: the epoch after which it is shown as pruned.
        """
        if held in self.curve and self.status != "failed":
            value = self.curve[held]
            return self.frozen(TrialState.PRUNED, value, {held: value})
        if self.shown is None:
            state, last = _STATES[self.status], max(self.curve, default=0)
            curve = {last: self.curve[last]} if last else {}
            if state is TrialState.FAIL:
                self.shown = self.frozen(TrialState.PRUNED, None, {})
            elif state is TrialState.RUNNING and self.paused and curve:
                self.shown = self.frozen(TrialState.PRUNED, self.curve[last], curve)
            else:
                self.shown = self.frozen(state, self.value, curve)
        return self.shown

    @property
    def value(self) -> float | None:
        """What Optuna records as its value."""
        if _STATES[self.status] is TrialState.COMPLETE and self.final is not None:
            return self.final
        ended = _STATES[self.status] in (TrialState.COMPLETE, TrialState.PRUNED)
        return self.curve[max(self.curve)] if ended and self.curve else None

    def frozen(
        self,
        state: TrialState,
        value: float | None,
        curve: Mapping[int, float],
        attributes: Mapping[str, object] | None = None,
    ) -> FrozenTrial:
        """As Optuna keeps trials."""
        return create_trial(
            state=state,
            value=value,
            params=self.settings.params,
            distributions=self.settings.distributions,
            user_attrs=dict(attributes or {}),
            intermediate_values=dict(curve),
        )


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Optuna warns that these sampler options are experimental."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        yield
