"""The fields of training and of SpecAugment."""

from typing import Literal, Self

from pydantic import Field, model_validator

from raysearch.config.base import Config

__all__ = ["SpecAugmentConfig", "TrainingConfig", "ValidationMix"]

ValidationMix = Literal["corpus", "balanced", "reversed"]

# More would leave too little of a clip to learn from.
MAX_TIME_MASKED = 0.4


class SpecAugmentConfig(Config):
    """SpecAugment (arXiv 1904.08779) and a time shift, as fractions of the input's size.

    Shift and time masks are the same for all streams of a row.
    """

    freq_mask_width: float = Field(
        0.2, ge=0, le=0.5, description="widest frequency mask, share of the bins"
    )
    freq_mask_count: int = Field(1, ge=0, le=4, description="frequency masks a clip")
    time_mask_width: float = Field(
        0.1, ge=0, le=0.4, description="widest time mask, share of the valid frames"
    )
    time_mask_count: int = Field(1, ge=0, le=8, description="time masks a clip")
    time_shift: float = Field(
        0.1, ge=0, le=0.5, description="largest shift either way, share of the valid frames"
    )

    @model_validator(mode="after")
    def _masks_leave_enough(self) -> Self:
        masked = self.time_mask_width * self.time_mask_count
        if masked > MAX_TIME_MASKED + 1e-9:
            raise ValueError(
                f"time_mask_width x time_mask_count is {masked:.2f}, "
                f"which is above {MAX_TIME_MASKED} of a clip"
            )
        return self


class TrainingConfig(Config):
    """How one trial learns; the defaults for EmoHRNet follow arXiv 2510.06072."""

    epochs: int = Field(30, ge=1, le=10_000, description="the most epochs of a trial")
    batch_size: int = Field(32, ge=1, le=4096, description="global batch size, over all workers")
    optimizer: Literal["adam", "adamw"] = Field("adam", description="optimizer")
    learning_rate: float = Field(1e-3, gt=0, le=1, description="peak learning rate")
    beta1: float = Field(0.9, ge=0, lt=1, description="Adam's first-moment decay")
    beta2: float = Field(0.999, ge=0, lt=1, description="Adam's second-moment decay")
    weight_decay: float = Field(
        1e-4, ge=0, le=1, description="L2 in the gradient (adam) or decoupled (adamw)"
    )
    schedule: Literal["constant", "cosine"] = Field(
        "constant", description="learning rate after the warm-up"
    )
    warmup_epochs: int = Field(
        0, ge=0, le=100, description="linear warm-up; at most half of the epochs are used for it"
    )
    targets: Literal["majority", "distribution"] = Field(
        "majority",
        description="learn each recording's label, or the distribution of its votes (soft labels)",
    )
    task: Literal["emotion", "dimensions"] = Field(
        "emotion",
        description="what is predicted: the emotion, or ratings of arousal, valence and dominance",
    )
    dimensions: tuple[Literal["arousal", "valence", "dominance"], ...] | None = Field(
        None,
        min_length=1,
        description="which of them the task 'dimensions' predicts; null: all that the corpus has",
    )
    heads: Literal["one", "several"] = Field(
        "one",
        description="of the task 'dimensions': one layer for all of them, or a small network each",
    )
    validation_mix: ValidationMix = Field(
        "corpus",
        description="emotions among the validation rows: the corpus' mix, equally many of each, or "
        "the rare ones as often as the common ones were; other mixes leave some rows out",
    )
    class_weight: Literal["none", "sqrt", "balanced"] = Field(
        "none", description="weight of a class: none, root of its inverse frequency, or all of it"
    )
    label_smoothing: float = Field(0.0, ge=0, lt=1, description="label smoothing")
    mixup_alpha: float = Field(0.0, ge=0, le=10, description="mixup's Beta(a, a); 0 is off")
    gradient_clip: float | None = Field(
        None, gt=0, description="largest gradient norm; null is off"
    )
    patience: int | None = Field(
        None, ge=1, description="epochs without a better validation value before a stop"
    )
    precision: Literal["auto", "fp32", "bf16"] = Field(
        "auto",
        description="arithmetic of the forward pass; auto is bf16 where the hardware has it",
    )
    channels_last: bool = Field(
        True, description="store maps channels last where that is faster, as it is on most networks"
    )
    compile: bool = Field(False, description="torch.compile; pays off for long trials only")
    clip_s: float = Field(
        3.0, gt=0, le=60, description="training crop and evaluation window, seconds"
    )
    normalise: Literal["utterance", "train_bin", "speaker"] = Field(
        "utterance",
        description="per bin statistics of the clip, of all training rows, or of the speaker's "
        "own recordings (transductive: a whole search or none of it)",
    )
    shuffle_rows: int = Field(
        8192,
        ge=64,
        description="rows among which an epoch's order is uniform; a larger training side is read "
        "in stretches of so many, which the stream tier holds",
    )
    pretrained: str | None = Field(
        None,
        pattern="^[0-9a-f]{16}$",
        description="digest of the weights in the run's pretrained/ that a trial starts from; "
        "the search sets it (see pretrain)",
    )

    def identity(self) -> dict[str, object]:
        """As it is; a trial that uses no later field is what it was before there was one."""
        later = {
            "pretrained": None,
            "shuffle_rows": 8192,
            "targets": "majority",
            "task": "emotion",
            "dimensions": None,
            "heads": "one",
            "validation_mix": "corpus",
        }
        fields = super().identity()
        return {k: v for k, v in fields.items() if k not in later or v != later[k]}

    @property
    def by_speaker(self) -> bool:
        """Whether each speaker's own recordings normalise the speaker's features."""
        return self.normalise == "speaker"

    @property
    def by_votes(self) -> bool:
        """Whether the votes for a recording's emotion are what is learned, not its label alone."""
        return self.targets == "distribution"

    @property
    def by_dimensions(self) -> bool:
        """Whether ratings are predicted, not emotions."""
        return self.task == "dimensions"

    @property
    def used_warmup_epochs(self) -> int:
        """Epochs of warm-up as they are trained: no more than half of all."""
        return min(self.warmup_epochs, self.epochs // 2)
