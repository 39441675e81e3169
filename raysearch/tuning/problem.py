"""What is searched, as the conductor sees it: settings to try, and what they mean."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from raysearch.config.search import SearchConfig
from raysearch.config.space import Space
from raysearch.errors import ConfigError
from raysearch.spec import SearchSpec, TrialConfig, own_values, published_values, trial_identity

__all__ = ["OWN", "PUBLISHED", "Given", "Problem", "SpecProblem"]

PUBLISHED, OWN = "published settings", "the sections' settings"


@dataclass(frozen=True, slots=True)
class Given:
    """Settings that no sampler has to choose, and what they are called."""

    label: str
    values: dict[str, Any]


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

    def proposed(self, sampled: Mapping[str, Any]) -> dict[str, Any]:
        """Return the values of a trial for which the sampler chose ``sampled``."""

    def searched(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return ``values`` of every searched field, with what holds where it has none."""

    def refused(self, values: Mapping[str, Any]) -> str | None:
        """Say why no trial can have these values; None if one can."""

    def identity(self, values: Mapping[str, Any]) -> str:
        """Return 12 hex digits that name a trial by what determines its outcome."""

    def warmup_epochs(self, values: Mapping[str, Any]) -> int:
        """Return the number of epochs in which such a trial does not learn at its full rate yet."""

    def task(self, values: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
        """Return such a trial's name, in a few words, and what its worker must know of it."""


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
        split_identity: Mapping[str, Any],
        data: Callable[[TrialConfig], Mapping[str, Any]],
        common: Mapping[str, Any] | None = None,
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

    def proposed(self, sampled: Mapping[str, Any]) -> dict[str, Any]:
        """Add to ``sampled`` what all trials have in common."""
        return {**sampled, **self._common}

    def searched(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return ``values`` of every searched field, those of the sections where it has none."""
        return {name: values.get(name, self._fields[name]) for name in self._spec.space.fields}

    def refused(self, values: Mapping[str, Any]) -> str | None:
        """Say why the sections refuse ``values``: a space alone is checked in pairs of fields."""
        try:
            self._spec.resolve(values)
        except ConfigError as error:
            return str(error)
        return None

    def identity(self, values: Mapping[str, Any]) -> str:
        """Hash the resolved settings, the data, the workers and the seed."""
        search = self._spec.search
        if self.refused(values) is None:
            config, data = self._spec.resolve(values), self._split_identity
        else:  # what cannot run still needs a name, one that no other settings have
            config, data = self._spec.base, {"refused": dict(values)}
        return trial_identity(config, data, search.workers_of_identity, search.seed)

    def warmup_epochs(self, values: Mapping[str, Any]) -> int:
        """Return the warm-up epochs of the ``training`` section, which may be searched."""
        return self._spec.resolve(values).training.used_warmup_epochs

    def task(self, values: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
        """Name the trial by model and learning rate; give its worker ``config`` and ``data``."""
        config = self._spec.resolve(values)
        label = f"{config.model.name} lr={config.training.learning_rate:.2g}"
        return label, {"config": config.to_dict(), "data": self._data(config)}
