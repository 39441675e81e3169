"""ResNet34 over the log-mel spectrogram, from ImageNet's weights or from scratch.

The system of "Amplifying Emotional Signals" (arXiv 2509.00077); the network is torchvision's
(ResNet, arXiv 1512.03385) up to its last map, then masked average pooling and a new classifier.
The paper's hyper-parameters are not published. Of ImageNet's three input channels one is made by
summing the first kernels over them, as timm does, or the spectrogram is repeated; normalised
features already have the mean 0 and deviation 1 that ImageNet's normalisation gives.

Axes: B batch, T frames, F mel bins, C channels, H frequency, W time, K emotions.
"""

import os
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import ClassVar, Literal

import torch
from pydantic import Field, field_validator
from torch import Tensor, nn
from torchvision.models.resnet import BasicBlock, ResNet

from raysearch.errors import MissingPathError
from raysearch.features.extractor import FeatureConfig, StreamShape
from raysearch.models.base import Model, ModelConfig
from raysearch.models.layers.blocks import BatchNorm
from raysearch.models.layers.mel_map import mel_map
from raysearch.models.layers.pooling import frame_mask, masked_mean
from raysearch.models.pretrained import check_weights, copy_weights, download_to_hub
from raysearch.models.torch_hub import find_in_hub, hub_folder
from raysearch.saved_tensors import read_weights
from raysearch.weights_file import file_digest

__all__ = ["ResNet34", "ResNet34Config"]

# torchvision's IMAGENET1K_V1 under its present name and its older one.
HUB_NAMES = ("resnet34-b627a593.pth", "resnet34-333f7ec4.pth")
HUB_URL = "https://download.pytorch.org/models"
HUB = "hub"
NUM_FEATURES = 512


class ResNet34Config(ModelConfig):
    """Where the weights come from, and how they are tuned."""

    name: str = Field("resnet34", description="which architecture this is")
    pretrained: bool = Field(True, description="start from ImageNet's weights")
    weights: str | None = Field(
        None,
        description="torchvision's or timm's resnet34, .pth or .safetensors; null: what lies in"
        " torch hub's folder; hub: the same, downloaded if it is not there",
    )
    channels: Literal["sum", "repeat"] = Field(
        "sum", description="ImageNet's three channels: kernels summed, or the input repeated"
    )
    backbone_rate: float = Field(
        1.0, gt=0, le=1, description="pretrained layers' share of the learning rate"
    )
    freeze_epochs: int = Field(
        0, ge=0, le=1000, description="epochs that only the classifier learns, if pretrained"
    )
    dropout: float = Field(0.0, ge=0, lt=1, description="dropout before the classifier")

    @field_validator("weights")
    @classmethod
    def _absolute(cls, weights: str | None) -> str | None:
        """Workers may run in another folder."""
        if weights is None or weights == HUB:
            return weights
        return os.path.abspath(os.path.expanduser(weights))

    def weights_file(self) -> Path | None:
        """The file that holds ImageNet's weights, if there is one."""
        if self.weights is None or self.weights == HUB:
            return find_in_hub(HUB_NAMES)
        path = Path(self.weights)
        return path if path.is_file() else None

    def check_external_files(self) -> None:
        """Look for the weights, and into them, if they are wanted.

        Raises:
            MissingPathError: there is no such file, and it could not be downloaded if asked to.
            DataError: a file of another format or network.
        """
        if self.pretrained:
            path = self._present()
            stat = path.stat()
            _check_file(path, stat.st_size, stat.st_mtime_ns)

    def _present(self) -> Path:
        lacking = f"{self.weights or hub_folder() / HUB_NAMES[0]} is not there"
        if (path := self.weights_file()) is not None:
            return path
        if self.weights == HUB:
            try:
                return download_to_hub(f"{HUB_URL}/{HUB_NAMES[0]}")
            except MissingPathError as error:
                lacking = str(error)
        raise MissingPathError(
            f"model.pretrained wants ImageNet's weights for ResNet34, and {lacking}:"
            f" download {HUB_URL}/{HUB_NAMES[0]} and give --set model.weights=FILE,"
            " or train from scratch with --set model.pretrained=false"
        )

    def identity(self) -> dict[str, object]:
        """The weights by their content."""
        path = self.weights_file() if self.pretrained else None
        return {**super().identity(), "weights": file_digest(path) if path else None}


class ResNet34(Model):
    """The network; any input from a frame up.

    Args:
        config: weights and tuning.
        shapes: must hold ``mel``.
        num_classes: emotions (K).
    """

    Config: ClassVar[type[ModelConfig]] = ResNet34Config
    config: ResNet34Config
    streams: ClassVar[tuple[str, ...]] = ("mel",)
    outside_fields: ClassVar[tuple[str, ...]] = ("pretrained", "weights")
    learning_fields: ClassVar[tuple[str, ...]] = (
        *("pretrained", "weights", "backbone_rate", "freeze_epochs"),
        "dropout",
    )

    def __init__(
        self, config: ResNet34Config, shapes: Mapping[str, StreamShape], num_classes: int
    ) -> None:
        super().__init__(config, shapes, num_classes)
        self._num_channels = shapes["mel"].num_channels
        # Derivatives leave nothing to repeat.
        self._repeats = self._num_channels == 1 and config.channels == "repeat"
        self.backbone = _Backbone(3 if self._repeats else self._num_channels)
        self.dropout = nn.Dropout(config.dropout)
        self.classifier = nn.Linear(NUM_FEATURES, num_classes)

    def forward(self, inputs: dict[str, Tensor], lengths: dict[str, Tensor]) -> Tensor:
        """As ``Model.forward``."""
        x_BTF = inputs["mel"]
        x_BCHW = mel_map(x_BTF, lengths["mel"], self._num_channels)
        if self._repeats:
            x_BCHW = x_BCHW.expand(-1, 3, -1, -1)
        h_BCHW = self.backbone(x_BCHW)
        mask_BW = frame_mask(lengths["mel"], x_BTF.shape[1], h_BCHW.shape[3])
        logits_BK: Tensor = self.classifier(self.dropout(masked_mean(h_BCHW, mask_BW)))
        return logits_BK

    def load_pretrained(self, features: Mapping[str, FeatureConfig]) -> None:
        """Load ImageNet's weights into the backbone, if the settings ask for them."""
        del features
        if not self.config.pretrained:
            return
        self.config.check_external_files()
        path = self.config.weights_file()
        assert path is not None
        tensors = _read(path)
        if not self._repeats:
            # Every channel as a grey one, and all of them as strong as one.
            grey_C1HW = tensors["conv1.weight"].sum(dim=1, keepdim=True)
            repeated_CKHW = grey_C1HW.repeat(1, self._num_channels, 1, 1)
            tensors["conv1.weight"] = repeated_CKHW / self._num_channels
        copy_weights(self.backbone, tensors, path)

    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        """Separate the backbone's parameters from the classifier's."""
        return {
            "backbone": list(self.backbone.parameters()),
            "classifier": list(self.classifier.parameters()),
        }

    def rate_factor(self, group: str, epoch: int) -> float:
        """The backbone's share, 0 while it is frozen; from scratch all learns alike."""
        if group != "backbone" or not self.config.pretrained:
            return 1.0
        return 0.0 if epoch < self.config.freeze_epochs else self.config.backbone_rate

    def begin_epoch(self, epoch: int) -> None:
        """Keep ImageNet's batch statistics in a backbone that is frozen."""
        if self.config.pretrained and epoch < self.config.freeze_epochs:
            self.backbone.eval()


class _Backbone(ResNet):  # type: ignore[misc]
    """torchvision's network up to its last map, its names kept for its weights."""

    def __init__(self, num_channels: int) -> None:
        super().__init__(BasicBlock, [3, 4, 6, 3], norm_layer=BatchNorm)
        self.conv1 = nn.Conv2d(num_channels, 64, 7, stride=2, padding=3, bias=False)
        nn.init.kaiming_normal_(self.conv1.weight, mode="fan_out", nonlinearity="relu")
        del self.avgpool, self.fc

    def forward(self, x: Tensor) -> Tensor:
        h_BCHW: Tensor = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        for layer in (self.layer1, self.layer2, self.layer3, self.layer4):
            h_BCHW = layer(h_BCHW)
        return h_BCHW


def _read(path: Path) -> dict[str, Tensor]:
    """All but ImageNet's own classifier."""
    return {k: v for k, v in read_weights(path).items() if not k.startswith("fc.")}


# A search asks for every combination of its features; a changed file is another key.
@lru_cache(maxsize=4)
def _check_file(path: Path, num_bytes: int, changed: int) -> None:
    del num_bytes, changed
    with torch.device("meta"):
        expected = _Backbone(3).state_dict()
    check_weights(expected, _read(path), path)
