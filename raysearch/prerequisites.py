"""What the trials of a search need before one can train: feature sets, and files from outside."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from raysearch.config.base import Places
from raysearch.config.identity import canonical_json
from raysearch.errors import ConfigError
from raysearch.models.model_table import MODELS
from raysearch.trial_config import TrialConfig

if TYPE_CHECKING:
    from raysearch.features.extractor import FeatureConfig
    from raysearch.spec import SearchSpec

__all__ = ["MAX_FEATURE_SETS", "check_prerequisites", "feature_sets", "own_settings", "set_name"]

MAX_FEATURE_SETS = 12


def feature_sets(
    spec: "SearchSpec", places: Places | None = None
) -> list[dict[str, "FeatureConfig"]]:
    """Every distinct map of streams that a trial of ``spec`` can ask for, at most 12.

    That of the published settings comes first if they are run at all, then that of the sections.

    Args:
        spec: the search.
        places: where its keys were written.

    Raises:
        ConfigError: more than 12, or a combination that an extractor refuses.
    """
    places = places or _place(spec)
    found: dict[str, dict[str, FeatureConfig]] = {}
    for config in _variants(spec, places):
        streams = config.used_features
        found.setdefault(canonical_json(streams), streams)
        if len(found) > MAX_FEATURE_SETS:
            fields = [field for field in spec.space.fields if field.startswith("features.")]
            raise ConfigError(
                f"{places.of('space')}: 'space' asks for more than {MAX_FEATURE_SETS} feature "
                f"sets ({', '.join(fields)}): search fewer of their values"
            )
    return list(found.values())


def own_settings(config: "FeatureConfig", alike: Sequence["FeatureConfig"]) -> str:
    """What sets ``config`` apart from others of its stream and extractor: ``, n_mels 40``."""
    others = [one.model_dump() for one in alike if one.extractor == config.extractor]
    return "".join(
        f", {name} {value}"
        for name, value in config.model_dump().items()
        if any(other.get(name) != value for other in others)
    )


def set_name(
    stream: str,
    config: "FeatureConfig",
    others: Sequence[tuple[str, "FeatureConfig"]],
    kind: str = "features",
) -> str:
    """Name a feature set as no other is named: ``mel features (log_mel, n_mels 40)``.

    Args:
        stream: which.
        config: its settings.
        others: streams and settings that are computed, too.
        kind: what is computed of it.
    """
    alike = [other for name, other in others if name == stream]
    return f"{stream} {kind} ({config.extractor}{own_settings(config, alike)})"


def check_prerequisites(spec: "SearchSpec") -> None:
    """Look for what any trial of ``spec`` needs from outside, such as pretrained weights.

    Raises:
        UserError: something is not there; the message says where to get it.
    """
    for config in _variants(spec, _place(spec)):
        for section in (config.model, *config.used_features.values()):
            section.check_external_files()


def _place(spec: "SearchSpec") -> Places:
    return Places(f"space {spec.name}")


def _variants(spec: "SearchSpec", places: Places) -> Iterator[TrialConfig]:
    """Every combination of the fields that choose what is computed or read before training."""
    model = MODELS.load(spec.model.name)
    chosen = {f"model.{name}" for name in (*model.stream_fields, *model.outside_fields)}

    def counts(field: str) -> bool:
        return field.startswith("features.") or field in chosen

    place = Places(places.of("space"))
    if spec.search.published_first and spec.published.settings:
        published = {k: v for k, v in spec.published.values().items() if counts(k)}
        yield spec.base.replace(published, places=place)
    if spec.search.defaults_first:
        yield spec.base
    for values in spec.space.combinations(counts):
        yield spec.base.replace(values, places=place)
