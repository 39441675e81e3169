"""Which systems take part in a race, each with its settings; and which do not, and why."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from raysearch.config.base import did_you_mean
from raysearch.config.overrides import FLAT_SECTIONS
from raysearch.config.shipped_spaces import shipped_spaces
from raysearch.errors import ConfigError, UserError
from raysearch.features.extractor_table import build_extractor
from raysearch.models.base import SolvedModel
from raysearch.models.model_table import MODELS, build_model
from raysearch.prerequisites import check_prerequisites
from raysearch.spec import SearchSpec
from raysearch.tuning.problem import SpecProblem

__all__ = ["Entrants", "chosen_spaces", "entrants", "laid_over", "num_given"]

NUM_CLASSES = 7
# The same for every system, whichever it is.
_COMMON = ("corpus", "protocol", "search")
# They say which system it is, or what it starts from.
_OF_ONE = ("name", "model.name", "model", "features", "published", "pretrain")

# Of the search, what decides how a system is judged, and on what.
_ALIKE = (
    *("objective", "inner_folds", "seed", "slots", "workers", "max_workers"),
    *("cpus_per_worker", "gpus_per_worker"),
)

Override = tuple[str, Any]


@dataclass(frozen=True)
class Entrants:
    """The systems that take part in a race, and those that cannot.

    Attributes:
        specs: system to its settings, the smallest model first.
        left_out: system to what it lacks.
        notes: what of the options is not for all of them, or has another name now.
    """

    specs: dict[str, SearchSpec]
    left_out: dict[str, str]
    notes: list[str]


def chosen_spaces(*, gpus: bool) -> list[str]:
    """Return every system's shipped space, the one for GPUs where there are any.

    A hyphen marks another space of the system that stands before it.
    """
    known = shipped_spaces()
    systems = [name for name in sorted(known) if "-" not in name]
    return [f"{name}-gpu" if gpus and f"{name}-gpu" in known else name for name in systems]


def entrants(spaces: Sequence[str], given: Sequence[Override]) -> Entrants:
    """Choose those of ``spaces`` whose weights are there, with the options that apply to each.

    Their published settings are not run: they are those of other data, and take long.

    Args:
        spaces: names or paths.
        given: dotted key and value of everything that was asked for.

    Raises:
        UserError: a setting that no system has or that one refuses, or no system is left.
    """
    _refuse_own(given)
    specs, left_out = dict[str, SearchSpec](), dict[str, str]()
    has = dict[str, list[str]]()
    first: SearchSpec | None = None
    for space in spaces:
        spec, unknown = laid_over(space, [("search.published_first", False), *given])
        _check_name(spec.name, {*specs, *left_out})
        _check_alike(first := first or spec, spec)
        for key, _ in given:
            has.setdefault(key, []).extend([] if key in unknown else [spec.name])
        try:
            check_prerequisites(spec)
        except UserError as error:
            left_out[spec.name] = str(error)
        else:
            specs[spec.name] = spec
    for key, those in has.items():
        if not those:
            known = {field for space in spaces for field in SearchSpec.load(space).base.fields()}
            raise ConfigError(f"--set {key}: no system has it{did_you_mean(key, sorted(known))}")
    if not specs:
        reasons = "; ".join(f"{name}: {why}" for name, why in left_out.items())
        raise UserError(f"no system is ready: {reasons}")
    notes = [
        f"{key}: only for {', '.join(those)}"
        for key, those in has.items()
        if len(those) < len(spaces)
    ]
    notes += dict.fromkeys(line for spec in specs.values() for line in spec.remarks)
    return Entrants(dict(sorted(specs.items(), key=_size)), left_out, notes)


def laid_over(space: str, given: Sequence[Override]) -> tuple[SearchSpec, list[str]]:
    """Lay those of ``given`` over the space that it has a field for.

    Args:
        space: a shipped one's name, or the path of a run's settings.
        given: dotted key and value.

    Returns:
        The settings, and the keys of the other options.

    Raises:
        ConfigError: it refuses one of them; the message names the system.
    """
    plain = SearchSpec.load(space)
    fields = set(plain.base.fields())
    if issubclass(MODELS.load(plain.model.name), SolvedModel):
        fields.discard("training.epochs")  # it is solved once
    has = [item for item in given if _field(item[0]) in fields or _is_common(item[0])]
    try:
        spec = SearchSpec.load(space, has)
    except ConfigError as error:
        raise ConfigError(f"{plain.name}: {error}") from None
    return replace(spec, name=plain.name), [key for key, _ in given if key not in dict(has)]


def num_given(spec: SearchSpec) -> int:
    """Count trials whose settings nobody samples: its own, and the published if asked for."""
    return len(SpecProblem(spec, {}, lambda config: None).given())


def _check_name(name: str, taken: set[str]) -> None:
    """Each system's run has a folder of its name, beside the race's own."""
    if name in taken:
        raise UserError(f"--space: two systems are called {name}")
    if name in ("best", "jobs", "logs") or not name.replace("-", "").replace("_", "").isalnum():
        raise UserError(f"--space: a system called {name!r} cannot race: its folder could not be")


def _check_alike(first: SearchSpec, other: SearchSpec) -> None:
    """All are judged by the same rows and the same value, on the same slots."""
    if other.pretrain.wanted:
        raise UserError(f"--space: {other.name} starts from weights of its own, and cannot race")
    its = _common_fields(other)
    for key, value in _common_fields(first).items():
        if its[key] != value:
            raise UserError(
                f"--space: {first.name} and {other.name} differ in {key}: give it as an option"
            )


def _common_fields(spec: SearchSpec) -> dict[str, object]:
    search = {f"search.{name}": getattr(spec.search, name) for name in _ALIKE}
    return {"corpus": spec.corpus, "protocol": spec.protocol, **search}


def _refuse_own(given: Iterable[Override]) -> None:
    for key, value in given:
        if (key, value) == ("training.task", "dimensions"):
            raise UserError(f"{key}: a race is judged by emotions: give --space NAME, a network's")
        section = key.partition(".")[0]
        if key in _OF_ONE or section in ("pretrain", "published"):
            raise UserError(
                f"{key}: it is one system's, and several are to race: give --space NAME"
            )


def _field(key: str) -> str:
    for section in FLAT_SECTIONS:
        if key.startswith(section + "."):
            return key.removeprefix(section + ".")
    return key


def _is_common(key: str) -> bool:
    return key.partition(".")[0] in _COMMON


def _size(item: tuple[str, SearchSpec]) -> tuple[int, str]:
    """Parameters of the model with its own settings, as a guess of what a trial costs."""
    name, spec = item
    shapes = {
        stream: build_extractor(feature).shape(spec.training.clip_s)
        for stream, feature in spec.base.used_features.items()
    }
    model = build_model(spec.model, shapes, NUM_CLASSES)
    return (0 if isinstance(model, SolvedModel) else model.num_params), name
