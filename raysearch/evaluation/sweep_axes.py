"""What a sweep tries: the values of one field or two, checked before anything starts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product

from raysearch.config.base import Places, did_you_mean
from raysearch.config.loader import parse_yaml
from raysearch.errors import ConfigError, UserError
from raysearch.training.transductive import is_transductive
from raysearch.trial_config import TrialConfig

__all__ = ["Axis", "Point", "points_of", "read_axis"]

MOST_FIELDS = 2
# These choose which other fields there are, or are set by the search.
_FIXED = ("model.name", "training.pretrained")


@dataclass(frozen=True, slots=True)
class Axis:
    """A field and the values that it is to have.

    Attributes:
        field: its dotted name.
        values: at least one, as they were written, read as YAML.
    """

    field: str
    values: tuple[object, ...]


@dataclass(frozen=True, slots=True)
class Point:
    """One value of a sweep's field, or a pair of values of its two.

    Attributes:
        name: as tables and figures call it: ``model.width=16``.
        values: field to value, as the settings have it.
    """

    name: str
    values: Mapping[str, object]

    def of(self, winner: TrialConfig) -> TrialConfig:
        """The winner's settings with these values.

        Raises:
            ConfigError: they refuse them.
        """
        return winner.replace(self.values, places=Places("sweep"))


def read_axis(text: str) -> Axis:
    """The axis that ``FIELD=v1,v2,...`` stands for; each value is read as YAML.

    Raises:
        UserError: no field, or no value.
        ConfigError: the values are not YAML.
    """
    field, equals, values = text.partition("=")
    field = field.strip()
    if not equals or not field or not values.strip():
        raise UserError(f"{text}: write FIELD=VALUE,VALUE,..., as features.mel.n_mels=16,32,64")
    found = parse_yaml(f"[{values}]", field)
    assert isinstance(found, list)
    return Axis(field, tuple(found))


def points_of(winners: Sequence[TrialConfig], axes: Sequence[Axis]) -> list[Point]:
    """Every combination of the values, in the order in which they were written, each once.

    Args:
        winners: the settings that are changed, those of all folds.
        axes: one or two.

    Raises:
        UserError: another number of axes, a field twice, or transductive settings beside others.
        ConfigError: a field that there is not or that cannot be swept, or a value it refuses.
    """
    names = [axis.field for axis in axes]
    if not 1 <= len(names) <= MOST_FIELDS or len(set(names)) < len(names):
        raise UserError(f"a sweep has one field or two different ones, not {', '.join(names)}")
    for name in names:
        _check_field(winners, name)
    found: dict[str, Point] = {}
    for values in product(*(axis.values for axis in axes)):
        point = _point(winners, dict(zip(names, values, strict=True)))
        found.setdefault(point.name, point)
    return list(found.values())


def _check_field(winners: Sequence[TrialConfig], field: str) -> None:
    for winner in winners:
        fields = list(winner.fields())
        if field not in fields:
            hint = did_you_mean(field, fields)
            raise ConfigError(f"{field}: the winner has no such field{hint}")
    if field in _FIXED or (field.startswith("features.") and field.endswith(".extractor")):
        raise ConfigError(f"{field}: it cannot be swept, as other fields depend on it")
    section = field.rpartition(".")[0]
    stream = section.removeprefix("features.")
    if stream != section and not any(stream in winner.used_features for winner in winners):
        raise ConfigError(f"{field}: the winner reads no stream {stream!r}: nothing would change")


def _point(winners: Sequence[TrialConfig], values: Mapping[str, object]) -> Point:
    """The point that ``values``, as they were written, stand for."""
    written = Point("", values)
    configs = [written.of(winner) for winner in winners]
    fields = configs[0].fields()
    settled = {field: fields[field] for field in values}
    name = ", ".join(f"{field}={value}" for field, value in settled.items())
    for winner, config in zip(winners, configs, strict=True):
        if is_transductive(config) != is_transductive(winner):
            raise UserError(
                f"{name}: transductive figures are not compared with inductive ones: leave it out"
            )
    return Point(name, settled)
