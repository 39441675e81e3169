"""What the sections of a search's specification demand of each other."""

from typing import TYPE_CHECKING, Any

from raysearch.config.base import Places, did_you_mean
from raysearch.config.metric_table import METRICS, metric_of
from raysearch.config.published import SHOWN_ONLY
from raysearch.errors import ConfigError
from raysearch.models.model_table import MODELS
from raysearch.prerequisites import feature_sets
from raysearch.training.transductive import FIELD, check_unmixed
from raysearch.trial_config import TrialConfig

if TYPE_CHECKING:
    from raysearch.spec import SearchSpec

__all__ = ["OF_DIMENSIONS", "check_spec", "searchable"]

# What chooses where dimensions are predicted, unless another objective is named.
OF_DIMENSIONS = "val_ccc"
# These choose which other fields there are, how long every trial may take, what all start from, or
# by which rows all are judged.
_NOT_SEARCHABLE = frozenset(
    {
        *("model.name", "training.epochs", "training.pretrained", "waveform_augment.bank"),
        *("training.task", "training.dimensions", "training.validation_mix"),
    }
)


def searchable(base: TrialConfig) -> list[str]:
    """The dotted fields that a search may vary."""
    return [
        field
        for field in base.fields()
        if field not in _NOT_SEARCHABLE
        and not (field.startswith("features.") and field.endswith(".extractor"))
    ]


def check_spec(spec: "SearchSpec", places: Places) -> None:
    """Refuse sections that are each valid and do not go together.

    Raises:
        ConfigError: with the file and line of the key.
    """
    check_unmixed(spec, _elsewhere(spec, FIELD), places)
    _check_start(spec, places)
    _check_task(spec, places)
    for field, alternatives in spec.space.fields.items():
        if field.startswith("features.") and any(
            a.distribution.values() is None for a in alternatives
        ):
            raise ConfigError(
                f"{places.of(f'space.{field}')}: 'space.{field}': a feature's field is discrete: "
                "use choice, randint or quniform"
            )
    spec.space.check(
        lambda values, field: spec.base.replace(values, places=Places(places.of(f"space.{field}")))
    )
    fields = searchable(spec.base)
    own = Places(places.of("published.settings"))
    for field in spec.published.settings:
        place = places.of(f"published.settings.{field}")
        if field not in fields and field not in SHOWN_ONLY:
            hint = did_you_mean(field, fields)
            raise ConfigError(f"{place}: no field {field!r} to publish{hint}")
        own.note(field, place)
    settings = {field: setting.value for field, setting in spec.published.settings.items()}
    spec.base.replace(settings, places=own)
    feature_sets(spec, places)


def _check_start(spec: "SearchSpec", places: Places) -> None:
    """Refuse a start where nothing could be taken over, and a digest that was not learned."""
    # Here, not above: only an architecture itself needs torch.
    from raysearch.models.base import SolvedModel

    if spec.training.pretrained is not None:
        raise ConfigError(
            f"{places.of('training.pretrained')}: 'training.pretrained' is set by the search: "
            "give pretrain.weights or pretrain.on"
        )
    if spec.pretrain.wanted and issubclass(MODELS.load(spec.model.name), SolvedModel):
        raise ConfigError(
            f"{places.of('pretrain')}: {spec.model.name!r} is solved in one go and starts from "
            "nothing: leave pretrain out"
        )


def _check_task(spec: "SearchSpec", places: Places) -> None:
    """Refuse an objective of another task, and what is made of emotions' probabilities alone."""
    by_dimensions, objective = spec.training.by_dimensions, spec.search.objective
    # A metric of the user's own is loaded when a search begins.
    known = objective in METRICS.built_in
    if known and metric_of(objective).of_dimensions != by_dimensions:
        remedy = f"take {OF_DIMENSIONS}" if by_dimensions else "set training.task=dimensions"
        raise ConfigError(
            f"{places.of('search.objective')}: search.objective {objective} is not of the training."
            f"task {spec.training.task!r}: {remedy}"
        )
    if not by_dimensions:
        if spec.corpus.rated:
            raise ConfigError(
                f"{places.of('corpus.rated')}: corpus.rated keeps recordings without an emotion: "
                "set training.task=dimensions, or leave it out"
            )
        return
    if spec.search.final == "ensemble":
        raise ConfigError(
            f"{places.of('search.final')}: search.final ensemble is chosen by emotions, which "
            "training.task 'dimensions' does not predict: take refit, bag, single or auto"
        )
    if spec.pretrain.wanted:
        raise ConfigError(
            f"{places.of('pretrain')}: what pretrain starts from tells emotions apart, which "
            "training.task 'dimensions' does not: leave pretrain out"
        )


def _elsewhere(spec: "SearchSpec", field: str) -> dict[str, list[Any]]:
    """Dotted key to the values that a trial may have of ``field`` beside its section's."""
    warm = spec.search.warm_start
    settings = [*(warm.settings if warm else ())]
    published = spec.published.settings
    return {
        f"space.{field}": [
            value
            for alternative in spec.space.fields.get(field, ())
            for value in alternative.distribution.values() or ()
        ],
        f"published.settings.{field}": [published[field].value] if field in published else [],
        "search.warm_start": [one[field] for one in settings if field in one],
    }
