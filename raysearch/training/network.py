"""The network that a trial trains: its architecture, and what it predicts."""

from collections.abc import Mapping

from raysearch.features.extractor import StreamShape
from raysearch.models.base import Model, ModelConfig
from raysearch.models.dimension_net import DimensionNet
from raysearch.models.model_table import build_model
from raysearch.training.training_sections import TrainingConfig

__all__ = ["build_network"]


def build_network(
    model: ModelConfig,
    training: TrainingConfig,
    shapes: Mapping[str, StreamShape],
    num_outputs: int,
) -> Model:
    """``model`` for the task of ``training``, initialised from torch's default generator.

    Args:
        model: the architecture's own config.
        training: says what is predicted.
        shapes: what each stream's batches look like.
        num_outputs: emotions (K), or dimensions.

    Raises:
        ConfigError, UnknownNameError: as ``build_model``.
    """
    if training.by_dimensions:
        return DimensionNet(model, shapes, num_outputs, training.heads)
    return build_model(model, shapes, num_outputs)
