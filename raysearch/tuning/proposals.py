"""Which settings come next, and the identity they have."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from raysearch.errors import ConfigError
from raysearch.spec import SearchSpec, own_values, published_values, trial_identity
from raysearch.trials import TrialRecord
from raysearch.tuning.study import Study

__all__ = ["Proposal", "Proposals"]

PUBLISHED, OWN = "published settings", "the sections' settings"


@dataclass(frozen=True, slots=True)
class Proposal:
    """Settings to try.

    Attributes:
        values: dotted field to value.
        trial: the identity.
        published: whether they are the published settings.
        exempt: whether they are never stopped early: the published ones and the sections' own.
    """

    values: dict[str, Any]
    trial: str
    published: bool
    exempt: bool = False


class Proposals:
    """The published settings of ``spec``, its sections' own, a warm start's, then the sampler's.

    The first two come if ``spec`` wants them, and the second only if it is not the first again.

    Args:
        spec: the search.
        study: the sampler; trials are asked of it, or taken up, in order of their numbers.
        split_identity: what of the data belongs to a trial's identity.
        common: values that every trial has, but for the published settings.
    """

    def __init__(
        self,
        spec: SearchSpec,
        study: Study,
        split_identity: Mapping[str, Any],
        common: Mapping[str, Any] | None = None,
    ) -> None:
        self._common = dict(common or {})
        self._spec, self._study, self._split_identity = spec, study, split_identity
        self._fields = spec.base.fields()
        wanted = spec.search.published_first and bool(spec.published.settings)
        given = [(PUBLISHED, published_values(spec))] if wanted else []
        own = {**own_values(spec), **self._common}
        repeated = any(spec.resolve(values) == spec.resolve(own) for _, values in given)
        if spec.search.own_first and not repeated:
            given.append((OWN, own))
        warm = spec.search.warm_start
        settings = warm.settings if warm else ()
        given += [("warm start", {**values, **self._common}) for values in settings]
        self._given = given

    def next(self, number: int, held: Mapping[int, int]) -> Proposal:
        """The settings of trial ``number``, which nobody has proposed yet.

        Args:
            number: the trial's.
            held: as :meth:`raysearch.tuning.study.Study.propose` takes it.
        """
        if number >= len(self._given):
            values = {**self._study.propose(number, held), **self._common}
            return Proposal(values, self._identity(values), published=False)
        label, values = self._given[number]
        self._study.enqueue(number, self._searched(values), label=label)
        exempt = label in (PUBLISHED, OWN)
        return Proposal(values, self._identity(values), label == PUBLISHED, exempt)

    def _identity(self, values: Mapping[str, Any]) -> str:
        search = self._spec.search
        if self.refused(values) is None:
            config, data = self._spec.resolve(values), self._split_identity
        else:  # what cannot run still needs a name, one that no other settings have
            config, data = self._spec.base, {"refused": dict(values)}
        return trial_identity(config, data, search.workers_of_identity, search.seed)

    def take_up(self, record: TrialRecord, curve: Mapping[int, float]) -> None:
        """Take a trial that an earlier driver proposed, with its ``curve`` unless it runs."""
        label = OWN if record.details.get("exempt") else None
        label = PUBLISHED if record.details.get("published") else label
        values = self._searched(record.config)
        if record.status == "running":
            self._study.enqueue(record.number, values, label=label)
        else:
            self._study.add(record.number, values, record.status, curve, label)

    def refused(self, values: Mapping[str, Any]) -> str | None:
        """Why the sections refuse ``values``: a space is checked in pairs of fields only."""
        try:
            self._spec.resolve(values)
        except ConfigError as error:
            return str(error)
        return None

    def _searched(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """``values`` of every searched field, those of the sections where it has none."""
        return {name: values.get(name, self._fields[name]) for name in self._spec.space.fields}
