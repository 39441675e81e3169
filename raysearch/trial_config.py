"""What one trial runs: the sections that a search may vary, resolved."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from raysearch.config.base import Config, Places, build, did_you_mean
from raysearch.errors import ConfigError
from raysearch.features.extractor_table import feature_config
from raysearch.features.waveform_augment import WaveformAugmentConfig
from raysearch.models.model_table import MODELS, model_config
from raysearch.training.training_sections import SpecAugmentConfig, TrainingConfig

if TYPE_CHECKING:
    from raysearch.features.extractor import FeatureConfig
    from raysearch.models.base import ModelConfig

__all__ = ["TrialConfig", "section_of"]


@dataclass(frozen=True)
class TrialConfig:
    """The settings of one trial, all sections resolved; one that exists is valid."""

    features: Mapping[str, "FeatureConfig"]
    waveform_augment: WaveformAugmentConfig
    spec_augment: SpecAugmentConfig
    model: "ModelConfig"
    training: TrainingConfig

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], *, places: Places | None = None) -> "TrialConfig":
        """From plain data, as ``to_dict`` gives it.

        Raises:
            ConfigError: a section, key or value that is refused, or a stream the model lacks.
            UnknownNameError: no such extractor or model.
        """
        places = places or Places()
        streams = section_of(data, "features", places)
        features = {
            stream: _build(
                f"features.{stream}", section_of(streams, stream, places, "features."), places
            )
            for stream in sorted(streams)
        }
        rest = {
            name: _build(name, section_of(data, name, places), places)
            for name in ("waveform_augment", "spec_augment", "model", "training")
        }
        return _with_streams(cls(features, **rest), places)

    def to_dict(self) -> dict[str, object]:
        """Plain data that JSON and YAML can hold."""
        return {
            "features": {name: c.model_dump(mode="json") for name, c in self.features.items()},
            "waveform_augment": self.waveform_augment.model_dump(mode="json"),
            "spec_augment": self.spec_augment.model_dump(mode="json"),
            "model": self.model.model_dump(mode="json"),
            "training": self.training.model_dump(mode="json"),
        }

    def identity(self) -> dict[str, object]:
        """What decides the trial's outcome, as plain data: files by their content."""
        return {name: config.identity() for name, config in self.sections().items()}

    @property
    def used_features(self) -> dict[str, "FeatureConfig"]:
        """The streams that the model reads under these settings, as it wants them."""
        model = MODELS.load(self.model.name)
        settings = model.stream_settings(self.model, self.features)
        return {name: settings[name] for name in sorted(model.required_streams(self.model))}

    def sections(self) -> dict[str, Config]:
        """Dotted section to its config: ``features.mel``, ``model``, ..."""
        streams: dict[str, Config] = {f"features.{k}": c for k, c in self.features.items()}
        rest: dict[str, Config] = {
            "waveform_augment": self.waveform_augment,
            "spec_augment": self.spec_augment,
            "model": self.model,
            "training": self.training,
        }
        return {**streams, **rest}

    def fields(self) -> dict[str, Any]:
        """Dotted field to value, for every field of every section."""
        return {
            f"{section}.{name}": getattr(config, name)
            for section, config in self.sections().items()
            for name in type(config).model_fields
        }

    def replace(self, values: Mapping[str, Any], *, places: Places | None = None) -> "TrialConfig":
        """Return a copy with the dotted ``values`` in place of its own.

        Raises:
            ConfigError: a field that does not exist, or a value it refuses.
        """
        places = places or Places()
        known = self.fields()
        sections = self.sections()
        changed: dict[str, dict[str, object]] = {}
        for field, value in values.items():
            if field not in known:
                hint = did_you_mean(field, list(known))
                raise ConfigError(f"{places.of(field)}: no field {field!r}{hint}")
            section, _, name = field.rpartition(".")
            changed.setdefault(section, sections[section].model_dump(mode="json"))[name] = value
        built = {**sections, **{name: _build(name, d, places) for name, d in changed.items()}}
        features = {stream: built.pop(f"features.{stream}") for stream in self.features}
        return _with_streams(TrialConfig(features, **built), places)


def _with_streams(config: TrialConfig, places: Places) -> TrialConfig:
    model = MODELS.load(config.model.name)
    for stream in model.required_streams(config.model):
        if stream not in config.features:
            raise ConfigError(
                f"{places.of('features')}: model {config.model.name!r} needs the stream "
                f"{stream!r}: add features.{stream}"
            )
    if config.training.by_votes and not model.learns_votes:
        raise ConfigError(
            f"{places.of('training.targets')}: training.targets is 'distribution': model "
            f"{config.model.name!r} is solved for one label a recording: leave it at 'majority'"
        )
    if config.training.by_dimensions:
        _check_dimensions(config, places, solved=not model.learns_votes)
    try:
        model.check(config.model, config.features, config.training.normalise)
    except ValueError as error:
        raise ConfigError(f"{places.of('model')}: {error}") from None
    return config


def _check_dimensions(config: TrialConfig, places: Places, *, solved: bool) -> None:
    """Refuse what is of emotions alone where dimensions are predicted."""
    if solved:
        raise ConfigError(
            f"{places.of('training.task')}: training.task is 'dimensions': model "
            f"{config.model.name!r} is solved for emotions: take a network, such as cnn"
        )
    training = config.training
    neutral = {
        "label_smoothing": 0,
        "class_weight": "none",
        "targets": "majority",
        "validation_mix": "corpus",
    }
    wrong = [name for name, value in neutral.items() if getattr(training, name) != value]
    if wrong:
        first, told = wrong[0], ", ".join(f"training.{name}" for name in wrong)
        remedy = " ".join(f"--set training.{name}={neutral[name]}" for name in wrong)
        raise ConfigError(
            f"{places.of(f'training.{first}')}: training.task is 'dimensions', and {told} would be "
            f"of emotions: {remedy}"
        )


def _build(section: str, data: Mapping[str, Any], places: Places) -> Any:
    if section.startswith("features."):
        return feature_config(data, prefix=section, places=places)
    if section == "model":
        return model_config(data, prefix=section, places=places)
    if section == "training":
        return build(TrainingConfig, data, prefix=section, places=places)
    if section == "waveform_augment":
        return build(WaveformAugmentConfig, data, prefix=section, places=places)
    return build(SpecAugmentConfig, data, prefix=section, places=places)


def section_of(
    data: Mapping[str, Any], key: str, places: Places, prefix: str = ""
) -> Mapping[str, Any]:
    """The mapping at ``key`` (``prefix`` is its parents'), empty if absent or null."""
    section = data.get(key)
    if section is None:
        return {}
    if not isinstance(section, Mapping):
        place = places.of(prefix + key)
        raise ConfigError(f"{place}: {prefix + key!r} is {section!r}: a section is expected")
    return section
