"""What every architecture is: a module with a config class, named streams and one signature."""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from pydantic import Field
from torch import Tensor, nn

from raysearch.config.base import Config
from raysearch.features.extractor import FeatureConfig, StreamShape

__all__ = ["Model", "ModelConfig", "SolvedModel"]


class ModelConfig(Config):
    """The part that all architectures' configs have: which architecture it is."""

    name: str = Field(min_length=1, description="a model's name, or package.module:Class")


class Model(nn.Module):
    """Base of every architecture.

    A subclass is built as ``Cls(config, shapes, num_classes)``, overrides ``forward`` and sets
    ``Config`` and ``streams``; every other hook has a default that suits a plain network.

    Attributes:
        Config: the subclass of ModelConfig that holds its fields.
        streams: the feature streams that ``forward`` reads.
        stream_fields: fields of the config on which the streams and their settings depend.
        outside_fields: fields of the config on which its ``check_external_files`` depends.
        learning_fields: fields of the config that change how it learns, and neither the shapes nor
            the meaning of its weights: a net that starts from others' may have its own.
        learns_votes: whether it can learn what is no single label a recording: a distribution of
            votes, or dimensions.
    """

    Config: ClassVar[type[ModelConfig]] = ModelConfig
    streams: ClassVar[tuple[str, ...]] = ()
    stream_fields: ClassVar[tuple[str, ...]] = ()
    outside_fields: ClassVar[tuple[str, ...]] = ()
    learning_fields: ClassVar[tuple[str, ...]] = ()
    learns_votes: ClassVar[bool] = True

    def __init__(
        self, config: ModelConfig, shapes: Mapping[str, StreamShape], num_classes: int
    ) -> None:
        super().__init__()
        missing = [stream for stream in self.required_streams(config) if stream not in shapes]
        assert not missing, f"{config.name} needs streams {missing}, got {list(shapes)}"
        assert num_classes >= 1, num_classes
        self.config = config

    @classmethod
    def required_streams(cls, config: ModelConfig) -> tuple[str, ...]:
        """The streams that ``forward`` reads under ``config``."""
        del config
        return cls.streams

    @classmethod
    def stream_settings(
        cls, config: ModelConfig, features: Mapping[str, FeatureConfig]
    ) -> Mapping[str, FeatureConfig]:
        """The streams' settings, completed by what follows from the model's own.

        What it changes must depend on ``stream_fields`` alone.
        """
        del config
        return features

    @classmethod
    def check(
        cls, config: ModelConfig, features: Mapping[str, FeatureConfig], normalise: str
    ) -> None:
        """Refuse settings of other sections that this architecture cannot work with.

        Args:
            config: its own settings.
            features: the streams' settings.
            normalise: ``training.normalise``.

        Raises:
            ValueError: the message says which key to change, and to what.
        """

    def forward(self, inputs: dict[str, Tensor], lengths: dict[str, Tensor]) -> Tensor:
        """Logits of a batch.

        Args:
            inputs: a stream's normalised features, x_BTF.
            lengths: a stream's valid frames a row, long (B,), at least 1.

        Returns:
            logits_BK.
        """
        raise NotImplementedError

    def window_scores(self, outputs_BK: Tensor) -> Tensor:
        """What of a window's outputs is averaged over an utterance: their log-probabilities."""
        return outputs_BK.float().log_softmax(dim=1)

    def load_pretrained(self, features: Mapping[str, FeatureConfig]) -> None:
        """Fill in weights that were learned elsewhere; called once, before a trial's first epoch.

        Not at construction, for a checkpoint's weights must load where the original file is not.

        Raises:
            DataError: a file of another format or shape.
        """

    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        """Named parts of all trainable parameters, which may learn at different rates."""
        return {"all": [p for p in self.parameters() if p.requires_grad]}

    def rate_factor(self, group: str, epoch: int) -> float:
        """What the learning rate of a group is multiplied by in ``epoch``; 0 freezes it."""
        del group, epoch
        return 1.0

    def begin_epoch(self, epoch: int) -> None:
        """Called in training mode before each epoch, to put frozen parts in evaluation mode."""

    def penalty(self) -> Tensor | None:
        """What is added to a batch's mean loss, or None."""
        return None

    def reshape_for(self, tensors: Mapping[str, Tensor]) -> None:
        """Make room for ``tensors``, where training decided their shapes."""

    @property
    def num_params(self) -> int:
        """Trainable parameters."""
        return sum(p.numel() for p in self.parameters() if p.requires_grad)


class SolvedModel(Model):
    """Base of what a solver fits in one go, not gradients: its state is buffers.

    ``forward`` is ``classify(describe(...))``.
    """

    learns_votes: ClassVar[bool] = False

    def describe(self, inputs: dict[str, Tensor], lengths: dict[str, Tensor]) -> Tensor:
        """One fixed-size description a row, x_BD, without anything learned."""
        raise NotImplementedError

    def solve(
        self, x_ND: np.ndarray, labels_N: np.ndarray, weights_K: np.ndarray, seed: int
    ) -> None:
        """Fit to the training rows and keep the solution in buffers.

        Args:
            x_ND: descriptions, float64.
            labels_N: class indices.
            weights_K: a weight a class.
            seed: of anything random.
        """
        raise NotImplementedError

    def classify(self, x_BD: Tensor) -> Tensor:
        """Logits logits_BK of descriptions."""
        raise NotImplementedError

    def forward(self, inputs: dict[str, Tensor], lengths: dict[str, Tensor]) -> Tensor:
        """As ``Model.forward``."""
        return self.classify(self.describe(inputs, lengths))
