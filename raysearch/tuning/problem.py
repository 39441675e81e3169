"""What is searched, as the conductor sees it: settings to try, and what they mean."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from raysearch.config.search import SearchConfig
from raysearch.config.space import Space
from raysearch.errors import ConfigError
from raysearch.spec import SearchSpec, TrialConfig, own_values, published_values, trial_identity
from raysearch.storage.publication import Publication
from raysearch.streaming.trial_features import TrialFeatures
from raysearch.trial_records import TrialRecord
from raysearch.workers.trial_order import Assignment
from raysearch.workers.trial_task import TrialTask

__all__ = ["OWN", "PUBLISHED", "Given", "Problem", "Setup", "SpecProblem", "assignment"]

PUBLISHED, OWN = "published settings", "the sections' settings"


@dataclass(frozen=True, slots=True)
class Given:
    """Settings that no sampler has to choose, and what they are called."""

    label: str
    values: dict[str, object]


@dataclass(frozen=True, slots=True)
class Setup:
    """What workers must know of a trial's values.

    Attributes:
        label: what the trial is called, in a few words.
        config: its resolved settings, as plain values.
        data: its features; None where nobody trains.
    """

    label: str
    config: Mapping[str, object]
    data: TrialFeatures | None = None


class Problem(Protocol):
    """What a conductor needs to know of the thing that it searches.

    ``values`` are a trial's, dotted field to value.
    """

    @property
    def search(self) -> SearchConfig:
        """The settings that say how the search goes."""

    @property
    def space(self) -> Space:
        """The space that settings are sampled from."""

    @property
    def max_epochs(self) -> int:
        """The epochs of a whole trial."""

    def given(self) -> Sequence[Given]:
        """Return the settings that are tried before the sampler's, in this order."""

    def proposed(self, sampled: Mapping[str, object]) -> dict[str, object]:
        """Return the values of a trial for which the sampler chose ``sampled``."""

    def searched(self, values: Mapping[str, object]) -> dict[str, object]:
        """Return ``values`` of every searched field, with what holds where it has none."""

    def refused(self, values: Mapping[str, object]) -> str | None:
        """Say why no trial can have these values; None if one can."""

    def identity(self, values: Mapping[str, object]) -> str:
        """Return 12 hex digits that name a trial by what determines its outcome."""

    def warmup_epochs(self, values: Mapping[str, object]) -> int:
        """Return the number of epochs in which such a trial does not learn at its full rate yet."""

    def setup(self, values: Mapping[str, object]) -> Setup:
        """Return what such a trial's workers must know of its values."""


class SpecProblem:
    """The search that a spec describes: its sections, some of whose fields are searched.

    Given are the published settings of ``spec``, its sections' own, and a warm start's. The first
    two come if ``spec`` wants them, and the second only if it is not the first again.

    Args:
        spec: the search.
        split_identity: what of the data belongs to a trial's identity.
        data: resolved settings to what opens their data.
        common: values that every trial has, but for the published settings.
    """

    def __init__(
        self,
        spec: SearchSpec,
        split_identity: Mapping[str, object],
        data: Callable[[TrialConfig], TrialFeatures | None],
        common: Mapping[str, object] | None = None,
    ) -> None:
        self._spec, self._split_identity, self._data = spec, split_identity, data
        self._common = dict(common or {})
        self._fields = spec.base.fields()

    @property
    def search(self) -> SearchConfig:
        """The ``search`` section."""
        return self._spec.search

    @property
    def space(self) -> Space:
        """The ``space`` section."""
        return self._spec.space

    @property
    def max_epochs(self) -> int:
        """``training.epochs``, which is not searched."""
        return self._spec.training.epochs

    def given(self) -> Sequence[Given]:
        """Return the published settings, the space's own defaults and a warm start's settings."""
        spec = self._spec
        wanted = spec.search.published_first and bool(spec.published.settings)
        given = [Given(PUBLISHED, published_values(spec))] if wanted else []
        own = self.proposed(own_values(spec))
        repeated = any(spec.resolve(one.values) == spec.resolve(own) for one in given)
        if spec.search.defaults_first and not repeated:
            given.append(Given(OWN, own))
        warm = spec.search.warm_start
        settings = warm.settings if warm else ()
        return [*given, *(Given("warm start", self.proposed(values)) for values in settings)]

    def proposed(self, sampled: Mapping[str, object]) -> dict[str, object]:
        """Add to ``sampled`` what all trials have in common."""
        return {**sampled, **self._common}

    def searched(self, values: Mapping[str, object]) -> dict[str, object]:
        """Return ``values`` of every searched field, those of the sections where it has none."""
        return {name: values.get(name, self._fields[name]) for name in self._spec.space.fields}

    def refused(self, values: Mapping[str, object]) -> str | None:
        """Say why the sections refuse ``values``: a space alone is checked in pairs of fields."""
        try:
            self._spec.resolve(values)
        except ConfigError as error:
            return str(error)
        return None

    def identity(self, values: Mapping[str, object]) -> str:
        """Hash the resolved settings, the data, the workers and the seed."""
        search = self._spec.search
        if self.refused(values) is None:
            config, data = self._spec.resolve(values), self._split_identity
        else:  # what cannot run still needs a name, one that no other settings have
            config, data = self._spec.base, {"refused": dict(values)}
        return trial_identity(config, data, search.workers_of_identity, search.seed)

    def warmup_epochs(self, values: Mapping[str, object]) -> int:
        """Return the warm-up epochs of the ``training`` section, which may be searched."""
        return self._spec.resolve(values).training.used_warmup_epochs

    def setup(self, values: Mapping[str, object]) -> Setup:
        """Return what the trial's workers must know; it is called by model and learning rate."""
        config = self._spec.resolve(values)
        label = f"{config.model.name} lr={config.training.learning_rate:.2g}"
        return Setup(label, config.to_dict(), self._data(config))


def assignment(
    problem: Problem,
    record: TrialRecord,
    slot: int,
    folder: Path,
    publication: Publication,
    *,
    suspect: bool,
) -> Assignment:
    """Make the order for the trial of ``record`` on ``slot``, from its last checkpoint on.

    Args:
        problem: what is searched.
        record: the trial.
        slot: where it goes.
        folder: the run's folder.
        publication: the run, as workers publish into it.
        suspect: whether the trial was lost elsewhere.
    """
    setup, search, number = problem.setup(record.config), problem.search, record.number
    task = TrialTask(
        number=number,
        trial=record.trial,
        attempt=record.attempts,
        label=f"trial {number:04d} {setup.label}",
        config=setup.config,
        seed=record.seed,
        objective=search.objective,
        data=setup.data,
        folder=str(folder / "checkpoints" / f"{number:04d}"),
        publication=publication,
        resume=str(folder / record.checkpoint[0]) if record.checkpoint else None,
        checkpoint_every_s=search.checkpoint_every_s,
        elastic=search.max_workers is not None,
        suspect=suspect,
    )
    return Assignment(slot, task)
