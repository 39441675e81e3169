"""A search space: dotted fields, the distributions each may have, and when."""

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from typing import Any

from raysearch.config.base import Places
from raysearch.config.distributions import (
    Distribution,
    Scalar,
    Suggester,
    parse_distribution,
    same_value,
)
from raysearch.config.priors import Prior, parse_prior
from raysearch.errors import ConfigError

__all__ = ["Alternative", "Space", "parse_space"]

MAX_COMBINATIONS = 10_000


@dataclass(frozen=True)
class Alternative:
    """One distribution of a field, and the values of other fields under which it applies.

    Its prior, if it has one, says where the good values are expected.
    """

    distribution: Distribution
    when: Mapping[str, tuple[Scalar, ...]] = field(default_factory=dict)
    prior: Prior | None = None

    def excludes(self, other: "Alternative") -> bool:
        """Whether the two can never apply together."""
        return any(
            key in other.when and not any(same_value(a, b) for a in values for b in other.when[key])
            for key, values in self.when.items()
        )

    def to_dict(self) -> dict[str, object]:
        """The YAML form."""
        form: dict[str, object] = {**self.distribution.to_dict()}
        if self.prior:
            form["prior"] = self.prior.to_dict()
        if self.when:
            form["when"] = {key: list(values) for key, values in self.when.items()}
        return form


@dataclass(frozen=True)
class Space:
    """A search space: fields, their distributions, and the conditions on which they apply.

    Attributes:
        fields: dotted field to its alternatives, conditions before what depends on them.
        base: the values that condition fields have while they are not searched.
    """

    fields: Mapping[str, tuple[Alternative, ...]] = field(default_factory=dict)
    base: Mapping[str, Scalar] = field(default_factory=dict)

    def parameter(self, name: str, values: Mapping[str, object]) -> tuple[str, Distribution] | None:
        """The sampler's name and distribution of the field ``name``, given the fields before it.

        A field with several alternatives has one sampler parameter for each, as a sampler
        models one distribution a name. None: the field keeps the value of its section.
        """
        known = {**self.base, **values}
        alternatives = self.fields[name]
        for i, alternative in enumerate(alternatives):
            if all(
                any(same_value(known.get(key), allowed) for allowed in options)
                for key, options in alternative.when.items()
            ):
                return _parameter_name(name, alternatives, i), alternative.distribution
        return None

    def priors(self) -> dict[str, Prior]:
        """What is expected of the sampler's parameters, of those of which anything is."""
        return {
            _parameter_name(name, alternatives, i): alternative.prior
            for name, alternatives in self.fields.items()
            for i, alternative in enumerate(alternatives)
            if alternative.prior
        }

    def sample(self, trial: Suggester) -> dict[str, Scalar]:
        """Ask ``trial`` for every field that applies; dotted field to value."""
        values: dict[str, Scalar] = {}
        for name in self.fields:
            if parameter := self.parameter(name, values):
                values[name] = parameter[1].suggest(trial, parameter[0])
        return values

    def parameters(self, values: Mapping[str, Any]) -> dict[str, Scalar] | None:
        """The sampler's parameters that lead to ``values``; None if the space lacks them.

        A field that is searched under ``values`` but absent from them leads to None, too.
        Values beyond what is searched (published ones may be) are ignored.
        """
        found: dict[str, Scalar] = {}
        known: dict[str, object] = {}
        for name in self.fields:
            parameter = self.parameter(name, known)
            if parameter is None:
                # An inactive field keeps its base value for whatever depends on it.
                continue
            if name not in values or not parameter[1].contains(values[name]):
                return None
            known[name] = values[name]
            found[parameter[0]] = values[name]
        return found

    def combinations(self, wanted: Callable[[str], bool]) -> Iterator[dict[str, Scalar]]:
        """Every assignment of the discrete fields that are ``wanted``, repeats included.

        Raises:
            ConfigError: more than 10,000 assignments of them and their conditions.
        """
        needed = {name for name in self.fields if wanted(name)}
        for name in reversed(list(self.fields)):
            if name in needed:
                needed |= {key for a in self.fields[name] for key in a.when}
        order = [name for name in self.fields if name in needed]
        for count, values in enumerate(self._assign(order, {})):
            if count >= MAX_COMBINATIONS:
                raise ConfigError(f"space: more than {MAX_COMBINATIONS} combinations of {order}")
            yield {name: value for name, value in values.items() if wanted(name)}

    def _assign(self, order: list[str], values: dict[str, Scalar]) -> Iterator[dict[str, Scalar]]:
        if not order:
            yield values
            return
        parameter = self.parameter(order[0], values)
        if parameter is None:
            yield from self._assign(order[1:], values)
            return
        for value in parameter[1].values() or ():
            yield from self._assign(order[1:], {**values, order[0]: value})

    def check(self, build: Callable[[Mapping[str, object], str], object]) -> None:
        """Try every bound and choice, alone and with each other field of the same section.

        Args:
            build: builds the sections with some values, on behalf of the dotted field given
                second; raises ConfigError if they are refused.
        """
        probes = [
            (name, alternative, value)
            for name, alternatives in self.fields.items()
            for alternative in alternatives
            for value in alternative.distribution.probes()
        ]
        for name, alternative, value in probes:
            for key, options in alternative.when.items():
                for option in options:
                    build({key: option}, name)
            build({**_first(alternative), name: value}, name)
        for (name, a, value), (other, b, other_value) in itertools.combinations(probes, 2):
            same_section = name.rpartition(".")[0] == other.rpartition(".")[0]
            if name == other or not same_section or a.excludes(b):
                continue
            values = {**_first(a), **_first(b), name: value, other: other_value}
            if _holds(a, values) and _holds(b, values):
                build(values, name)

    def to_dict(self) -> dict[str, object]:
        """The YAML form."""
        return {
            name: items[0].to_dict() if len(items) == 1 else [a.to_dict() for a in items]
            for name, items in self.fields.items()
        }


def _parameter_name(field: str, alternatives: Sequence[Alternative], index: int) -> str:
    return field if len(alternatives) == 1 else f"{field}[{index}]"


def _first(alternative: Alternative) -> dict[str, Scalar]:
    return {key: options[0] for key, options in alternative.when.items()}


def _holds(alternative: Alternative, values: Mapping[str, object]) -> bool:
    return all(
        any(same_value(values[key], option) for option in options)
        for key, options in alternative.when.items()
    )


def parse_space(
    data: object, lookup: Callable[[str, str], Scalar], *, places: Places | None = None
) -> Space:
    """Read a space from its YAML form.

    Args:
        data: dotted field to a distribution, or to a list of distributions with ``when``.
        lookup: the value of a dotted field while it is not searched, given the field and the
            dotted key where it was named; raises ConfigError for one that does not exist.
        places: where the keys were written.

    Raises:
        ConfigError: an unknown field or distribution, overlapping alternatives, a cycle.
    """
    places = places or Places()
    if data is None:
        return Space()
    if not isinstance(data, Mapping):
        raise ConfigError(f"{places.of('space')}: 'space' maps fields to distributions")
    fields = {name: _alternatives(name, item, places) for name, item in data.items()}
    base: dict[str, Scalar] = {}
    for name, alternatives in fields.items():
        lookup(name, f"space.{name}")
        for key in {key: None for a in alternatives for key in a.when}:
            base[key] = lookup(key, f"space.{name}.when.{key}")
            if any(a.distribution.values() is None for a in fields.get(key, ())):
                place = places.of(f"space.{name}")
                raise ConfigError(f"{place}: 'space.{name}' depends on the continuous {key!r}")
    return Space({name: fields[name] for name in _ordered(fields, places)}, base)


def _alternatives(name: str, data: object, places: Places) -> tuple[Alternative, ...]:
    key = f"space.{name}"
    items = data if isinstance(data, list | tuple) else [data]
    parsed = []
    for i, item in enumerate(items):
        place = places.of(f"{key}.{i}" if items is data else key)
        try:
            parsed.append(_alternative(item))
        except ValueError as error:
            raise ConfigError(f"{place}: {key!r}: {error}") from None
    if not parsed:
        raise ConfigError(f"{places.of(key)}: {key!r} has no distribution")
    for a, b in itertools.combinations(parsed, 2):
        if not a.excludes(b):
            raise ConfigError(f"{places.of(key)}: {key!r}: two of its alternatives can both apply")
    return tuple(parsed)


def _alternative(data: object) -> Alternative:
    if not isinstance(data, Mapping):
        return Alternative(parse_distribution(data))
    form = {key: value for key, value in data.items() if key not in ("prior", "when")}
    when = data.get("when", {})
    if not isinstance(when, Mapping):
        raise ValueError(f"'when' maps a field to a list of values, not {when!r}")
    for key, options in when.items():
        if not isinstance(options, list | tuple) or not options:
            raise ValueError(f"'when.{key}' is a list of values, not {options!r}")
    distribution = parse_distribution(form)
    return Alternative(
        distribution,
        {key: tuple(options) for key, options in when.items()},
        parse_prior(data["prior"], distribution) if "prior" in data else None,
    )


def _ordered(fields: Mapping[str, tuple[Alternative, ...]], places: Places) -> list[str]:
    graph = {
        name: sorted({key for a in alternatives for key in a.when if key in fields})
        for name, alternatives in fields.items()
    }
    try:
        return list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        cycle = [str(name) for name in error.args[1]]
        place = places.of(f"space.{cycle[0]}")
        raise ConfigError(f"{place}: 'when' goes in a circle: {' -> '.join(cycle)}") from None
