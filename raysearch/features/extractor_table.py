"""The extractors by name, and the config and extractor that a stream's section stands for."""

from collections.abc import Mapping
from typing import cast

from raysearch.config.base import Places, build
from raysearch.config.name_table import Table
from raysearch.errors import ConfigError
from raysearch.features.extractor import Extractor, FeatureConfig

__all__ = ["EXTRACTORS", "build_extractor", "feature_config"]

EXTRACTORS = Table(
    "extractor",
    {
        "egemaps": "raysearch.features.opensmile:Egemaps",
        "functionals": "raysearch.features.functionals:Functionals",
        "log_mel": "raysearch.features.log_mel:LogMel",
        "mfcc": "raysearch.features.mfcc:Mfcc",
        "prosody": "raysearch.features.prosody:Prosody",
        "ssl": "raysearch.features.ssl:Ssl",
    },
)


def feature_config(
    data: Mapping[str, object], *, prefix: str = "", places: Places | None = None
) -> FeatureConfig:
    """The config of ``{"extractor": "log_mel", ...}``; ``prefix`` is the section's dotted key.

    Raises:
        ConfigError: no extractor named, or a key or value that its config class refuses.
        UnknownNameError: no such extractor.
    """
    places = places or Places()
    key = f"{prefix}.extractor" if prefix else "extractor"
    name = data.get("extractor")
    if not isinstance(name, str):
        raise ConfigError(
            f"{places.of(key)}: {key!r} is missing (one of: {', '.join(EXTRACTORS.names())})"
        )
    cls = EXTRACTORS.load(name, place=f"{places.of(key)}: {key!r}")
    return cast("FeatureConfig", build(cls.Config, data, prefix=prefix, places=places))


def build_extractor(config: FeatureConfig) -> Extractor:
    """The extractor that ``config`` names and configures."""
    return cast("Extractor", EXTRACTORS.load(config.extractor)(config))
