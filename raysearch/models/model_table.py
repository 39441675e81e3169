"""Names to architectures."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from raysearch.config.base import Places, build
from raysearch.config.name_table import Table
from raysearch.errors import ConfigError
from raysearch.features.extractor import StreamShape

if TYPE_CHECKING:
    from raysearch.models.base import Model, ModelConfig

__all__ = ["MODELS", "build_model", "model_config"]

MODELS = Table(
    "model",
    {
        "cnn": "raysearch.models.cnn:Cnn",
        "cnn1d_attention": "raysearch.models.cnn1d_attention:Cnn1dAttention",
        "emohrnet": "raysearch.models.emohrnet:EmoHRNet",
        "encoder_probe": "raysearch.models.encoder_probe:EncoderProbe",
        "logistic": "raysearch.models.logistic:Logistic",
        "lstm": "raysearch.models.lstm:Lstm",
        "mfhca": "raysearch.models.mfhca:Mfhca",
        "resnet34": "raysearch.models.resnet34:ResNet34",
        "svm": "raysearch.models.svm:Svm",
    },
)


def model_config(
    data: Mapping[str, object], *, prefix: str = "", places: Places | None = None
) -> "ModelConfig":
    """The config of the architecture that ``data["name"]`` names.

    Raises:
        ConfigError: no name, a class that is no model, or a field that its config refuses.
        UnknownNameError: no such architecture.
    """
    # Here, not above: only an architecture itself needs torch.
    from raysearch.models.base import Model

    places = places or Places()
    key = f"{prefix}.name" if prefix else "name"
    name = data.get("name")
    if not isinstance(name, str):
        wrong = f"is {name!r}: a model's name is expected" if "name" in data else "is missing"
        raise ConfigError(f"{places.of(key)}: {key!r} {wrong}")
    cls = MODELS.load(name, place=places.of(key))
    if not (isinstance(cls, type) and issubclass(cls, Model)):
        raise ConfigError(f"{places.of(key)}: {key!r} is {name!r}, which is no raysearch Model")
    return build(cls.Config, data, prefix=prefix, places=places)


def build_model(
    config: "ModelConfig", shapes: Mapping[str, StreamShape], num_classes: int
) -> "Model":
    """The architecture that ``config`` describes, initialised from torch's default generator.

    Args:
        config: a value of the architecture's own config class.
        shapes: what each stream's batches look like.
        num_classes: emotions (K), at least 2.

    Raises:
        ConfigError: the architecture needs a stream that is not among ``shapes``.
        UnknownNameError: no such architecture.
    """
    cls = MODELS.load(config.name)
    missing = [stream for stream in cls.required_streams(config) if stream not in shapes]
    if missing:
        raise ConfigError(
            f"model {config.name!r} needs the feature stream {missing[0]!r}: "
            f"add features.{missing[0]}"
        )
    model: Model = cls(config, shapes, num_classes)
    return model
