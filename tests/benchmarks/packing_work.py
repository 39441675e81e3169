"""What the packing benchmark trains: a system's own settings on rows that lie on the device.

Axes: R rows there are, N members, B batch, T frames, F bins, M masks, K emotions.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from raysearch.features.extractor import StreamShape
from raysearch.features.extractor_table import build_extractor
from raysearch.models.base import Model
from raysearch.models.model_table import build_model
from raysearch.spec import SearchSpec
from raysearch.training.losses import class_weights, soft_targets
from raysearch.training.spec_augment import band_draws, mask_bands, time_shift
from raysearch.training.training_sections import SpecAugmentConfig, TrainingConfig

__all__ = ["SMALL", "Draws", "Work", "augment", "draw"]

CLASSES, ROWS = 7, 512
SMALL = {
    "cnn": ["model.width=4", "model.blocks=2"],
    "cnn-gpu": ["model.width=4", "model.blocks=2"],
    "cnn1d_attention-gpu": ["model.filters=8"],
    "emohrnet": ["model.width=4", "model.stem_width=8", "model.branches=2"],
    "emohrnet-gpu": ["model.width=4", "model.stem_width=8", "model.branches=2", "model.blocks=1"],
    "lstm-gpu": ["model.hidden=8", "model.conv_blocks=1", "model.conv_width=4"],
    "ssl": ["model.hidden=8"],
}
"""The systems, and what makes them small."""
SMALL_BATCH, SMALL_FRAMES, SMALL_BINS = 6, 24, 12
LAYERS, WIDTH = 12, 768  # of a base encoder, whose statistics the ssl head reads


@dataclass(frozen=True)
class Draws:
    """What decides a batch's masks and shifts, in [0, 1): (B,), (B, M, 2) and (B, M, 2)."""

    shifts: Tensor
    bins: Tensor
    frames: Tensor


def draw(num_rows: int, config: SpecAugmentConfig, kind: str, device: torch.device) -> Draws:
    """Draws in the order in which ``spec_augment`` takes them."""
    none = torch.empty(0, device=device)
    shifts_B = torch.rand(num_rows, device=device) if config.time_shift > 0 else none
    counted = config.freq_mask_count if kind == "spectrogram" else 0
    bins_BM2 = band_draws(num_rows, counted, device)
    return Draws(shifts_B, bins_BM2, band_draws(num_rows, config.time_mask_count, device))


class Work:
    """A system's networks, rows and settings.

    Args:
        system: the name of a shipped space.
        device: where it trains.
        precision: of the forward pass.
        small: few rows, frames and channels.
        dropout: False leaves all dropout out.
    """

    def __init__(
        self,
        system: str,
        device: torch.device,
        precision: str = "fp32",
        *,
        small: bool = False,
        dropout: bool = True,
    ) -> None:
        spec = SearchSpec.load(system, SMALL[system] if small else [])
        self.base, self.device, self.small = spec.base, device, small
        self._dropout = dropout
        self.training = spec.base.training.model_copy(update={"precision": precision})
        self.batch = SMALL_BATCH if small else self.training.batch_size
        ((self.stream, config),) = spec.base.used_features.items()
        self.shape = _vector(small)
        if self.stream != "ssl":
            self.shape = build_extractor(config).shape(self.training.clip_s)
            if small:
                bins = SMALL_BINS * self.shape.num_channels
                self.shape = replace(self.shape, num_bins=bins, num_frames=SMALL_FRAMES)
        generator = torch.Generator().manual_seed(0)
        size = (ROWS, self.shape.num_frames, self.shape.num_bins)
        self.x_RTF = torch.randn(size, generator=generator).to(device)
        lengths_R = torch.randint((size[1] + 1) // 2, size[1] + 1, (ROWS,), generator=generator)
        self.lengths_R = lengths_R.to(device)
        self.labels_R = torch.randint(0, CLASSES, (ROWS,), generator=generator).to(device)

    def model(self, member: int) -> Model:
        """The network of one member, from its own seed, in the memory format of a trial."""
        torch.manual_seed(member)
        model = build_model(self.base.model, {self.stream: self.shape}, CLASSES)
        if not self._dropout:
            for module in model.modules():
                if isinstance(module, nn.Dropout):
                    module.p = 0.0
        return model.to(device=self.device, memory_format=torch.channels_last).train()

    def settings(self, member: int) -> tuple[TrainingConfig, SpecAugmentConfig]:
        """What a member learns by: the system's own, with rate, decay, masks moved a little."""
        factor = 1 + 0.05 * (member % 8)
        training = self.training.model_copy(
            update={
                "learning_rate": self.training.learning_rate / factor,
                "weight_decay": self.training.weight_decay * factor,
            }
        )
        masks = self.base.spec_augment
        widths = {name: getattr(masks, name) / factor for name in _WIDTHS}
        return training, masks.model_copy(update=widths)

    def targets(self, training: TrainingConfig) -> Tensor:
        """Soft targets of all rows, (R, K)."""
        counts = torch.bincount(self.labels_R, minlength=CLASSES).tolist()
        weights_K = class_weights(counts, training.class_weight).to(self.device)
        return soft_targets(self.labels_R, weights_K, training.label_smoothing)

    def random_rows(self, members: int = 1) -> Tensor:
        """Which rows each member's next batch holds, (N * B,)."""
        return torch.randint(0, ROWS, (members * self.batch,), device=self.device)


_WIDTHS = ("freq_mask_width", "time_mask_width", "time_shift")


def augment(
    x_BTF: Tensor, lengths_B: Tensor, draws: Draws, widths: Sequence[Tensor], shape: StreamShape
) -> Tensor:
    """As ``spec_augment`` does, but with each row's own widths, as rows of many members have.

    Args:
        x_BTF: rows, of all members.
        lengths_B: valid frames.
        draws: of these rows.
        widths: of frequency masks, time masks and shifts, (B,) each.
        shape: of the stream.
    """
    if shape.kind == "vector":
        return x_BTF
    bins_B, frames_B, shifts_B = widths
    if draws.shifts.numel():
        x_BTF = time_shift(x_BTF, lengths_B, shifts_B.double(), draws.shifts)  # type: ignore[arg-type]
    num_frames, num_bins = x_BTF.shape[1], x_BTF.shape[2] // shape.num_channels
    masked_BTF = mask_bands(lengths_B, num_frames, frames_B[:, None], draws.frames)[:, :, None]  # type: ignore[arg-type]
    if draws.bins.numel():
        sizes_B = torch.full_like(lengths_B, num_bins)
        masked_BF = mask_bands(sizes_B, num_bins, bins_B[:, None], draws.bins)  # type: ignore[arg-type]
        masked_BTF = masked_BTF | masked_BF.repeat(1, shape.num_channels)[:, None, :]
    return x_BTF.masked_fill(masked_BTF, 0.0)


def _vector(small: bool) -> StreamShape:
    width, layers = (8, 2) if small else (WIDTH, LAYERS)
    return StreamShape(2 * width * layers, 1, kind="vector", num_layers=layers)
