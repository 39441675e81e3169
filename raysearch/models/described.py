"""Base of models that a solver fits to one description of each utterance.

Frames become mean and deviation over the utterance, rows of functionals stay as they are, the
streams stand side by side. Features are standardised on training rows and, if asked, reduced by
PCA. Whatever is solved is kept as tensors, so that it is saved, loaded and scored as any network's
weights.

Axes: B batch, N training rows, T frames, F bins, D features, C components.
"""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
import torch
from pydantic import Field, field_validator
from torch import Tensor

from raysearch.features.extractor import FeatureConfig, StreamShape
from raysearch.features.extractor_table import build_extractor
from raysearch.models.base import ModelConfig, SolvedModel
from raysearch.models.layers.side_statistics import check_statistics, masked_mean_std

__all__ = ["DescribedConfig", "DescribedModel"]


class DescribedConfig(ModelConfig):
    """Which streams are described, and how many numbers are kept of them."""

    inputs: str = Field("mfcc", description="the streams, joined by '+'")
    pca: float | None = Field(
        None, gt=0, lt=1, description="share of the variance that PCA keeps; null is no PCA"
    )

    @field_validator("inputs")
    @classmethod
    def _names(cls, inputs: str) -> str:
        names = inputs.split("+")
        if not all(names):
            raise ValueError("streams' names joined by '+' are expected")
        if len(set(names)) < len(names):
            raise ValueError("a stream is named twice")
        return inputs


class DescribedModel(SolvedModel):
    """Describes and standardises; a subclass solves and classifies.

    An utterance is one row, so give ``training.clip_s`` its largest value.

    Args:
        config: inputs, and what the subclass adds.
        shapes: the streams that ``config.inputs`` names.
        num_classes: emotions (K).
    """

    config: DescribedConfig
    streams: ClassVar[tuple[str, ...]] = ("mfcc",)
    stream_fields: ClassVar[tuple[str, ...]] = ("inputs",)

    mean_D: Tensor
    scale_D: Tensor
    components_CD: Tensor

    def __init__(
        self, config: DescribedConfig, shapes: Mapping[str, StreamShape], num_classes: int
    ) -> None:
        super().__init__(config, shapes, num_classes)
        self._vectors = {name for name, shape in shapes.items() if shape.kind == "vector"}
        self._num_features = sum(
            shapes[name].num_bins * (1 if name in self._vectors else 2)
            for name in self.required_streams(config)
        )
        self._num_classes = num_classes
        self.register_buffer("mean_D", torch.zeros(self._num_features))
        self.register_buffer("scale_D", torch.ones(self._num_features))
        self.register_buffer("components_CD", torch.zeros(0, self._num_features))

    @classmethod
    def required_streams(cls, config: ModelConfig) -> tuple[str, ...]:
        """The streams of ``config.inputs``."""
        assert isinstance(config, DescribedConfig)
        return tuple(config.inputs.split("+"))

    @classmethod
    def check(
        cls, config: ModelConfig, features: Mapping[str, FeatureConfig], normalise: str
    ) -> None:
        """Refuse streams without statistics, and normalisation that makes them all 0 and 1."""
        for stream in cls.required_streams(config):
            check_statistics(stream, features[stream])
            kind = build_extractor(features[stream]).kind
            if kind == "waveform":
                raise ValueError(
                    f"features.{stream} is a waveform for a network to encode: set"
                    f" features.{stream}.mode to frozen"
                )
            if kind != "vector" and normalise == "utterance":
                raise ValueError(
                    f"training.normalise is {normalise!r}, which leaves the statistics of"
                    f" features.{stream} nothing to tell: set it to train_bin"
                )

    def describe(self, inputs: dict[str, Tensor], lengths: dict[str, Tensor]) -> Tensor:
        """Mean and deviation of each bin over the valid frames, x_BD; vectors as they are."""
        parts = []
        for stream in self.required_streams(self.config):
            x_BTF = inputs[stream].double()
            if stream in self._vectors:
                parts.append(x_BTF[:, 0])
                continue
            parts.append(masked_mean_std(x_BTF, lengths[stream]))
        return torch.cat(parts, dim=1).float()

    def fit_scale(self, x_ND: np.ndarray) -> np.ndarray:
        """Learn and apply standardisation and PCA; gives x_NC, float64."""
        # Here, not above: scikit-learn takes seconds, and most models need none of it.
        from sklearn import decomposition, preprocessing

        scaler = preprocessing.StandardScaler().fit(x_ND)
        x_NC: np.ndarray = scaler.transform(x_ND)
        components_CD = np.zeros((0, x_ND.shape[1]))
        if self.config.pca is not None:
            # Standardised rows have mean 0, so projecting is all that PCA does.
            components_CD = (
                decomposition.PCA(self.config.pca, svd_solver="full").fit(x_NC).components_
            )
            x_NC = x_NC @ components_CD.T
        self.keep(mean_D=scaler.mean_, scale_D=scaler.scale_, components_CD=components_CD)
        return x_NC

    def scaled(self, x_BD: Tensor) -> Tensor:
        """As ``fit_scale`` learned it, x_BC."""
        x_BC = (x_BD - self.mean_D) / self.scale_D
        return x_BC @ self.components_CD.T if len(self.components_CD) else x_BC

    def keep(self, **solution: np.ndarray) -> None:
        """Put parts of a solution into the buffers of these names, whatever their size was."""
        for name, values in solution.items():
            old = self.get_buffer(name)
            # In the order that a loaded file has, or products would differ in their last bits.
            tensor = torch.from_numpy(np.ascontiguousarray(values))
            self.register_buffer(name, tensor.to(old.device, old.dtype))

    def reshape_for(self, tensors: Mapping[str, Tensor]) -> None:
        """Make room for what solving sized: components, support vectors, pairs of classes."""
        for name, old in list(self.named_buffers()):
            new = tensors.get(name)
            # Every other difference, such as other features, stays for the loader to name.
            if new is not None and new.dim() == old.dim() and name != "mean_D":
                self.register_buffer(name, torch.zeros_like(new, device=old.device))
