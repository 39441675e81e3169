"""What every architecture is: a module with a config class, named streams and one signature."""

from collections.abc import Mapping
from typing import ClassVar

from pydantic import Field
from torch import Tensor, nn

from raysearch.config.base import Config

__all__ = ["Model", "ModelConfig"]


class ModelConfig(Config):
    """The part that all architectures' configs have: which architecture it is."""

    name: str = Field(min_length=1, description="a model's name, or package.module:Class")


class Model(nn.Module):
    """Base of every architecture.

    A subclass is built as ``Cls(config, input_bins, num_classes)`` and sets both attributes.

    Attributes:
        Config: the subclass of ModelConfig that holds its fields.
        streams: the feature streams that ``forward`` reads.
    """

    Config: ClassVar[type[ModelConfig]] = ModelConfig
    streams: ClassVar[tuple[str, ...]] = ()

    def __init__(
        self, config: ModelConfig, input_bins: Mapping[str, int], num_classes: int
    ) -> None:
        super().__init__()
        missing = [stream for stream in self.streams if stream not in input_bins]
        assert not missing, f"{config.name} needs streams {missing}, got {list(input_bins)}"
        assert num_classes >= 2, num_classes
        self.config = config

    def forward(self, inputs: dict[str, Tensor], lengths: dict[str, Tensor]) -> Tensor:
        """Logits of a batch.

        Args:
            inputs: a stream's normalised features, x_BTF.
            lengths: a stream's valid frames a row, long (B,), at least 1.

        Returns:
            logits_BK.
        """
        raise NotImplementedError

    @property
    def num_params(self) -> int:
        """Trainable parameters."""
        return sum(p.numel() for p in self.parameters() if p.requires_grad)
