"""What a paper published: its settings, each with its source, and its printed results."""

from typing import Literal

from pydantic import Field

from raysearch.config.base import Config

__all__ = ["SHOWN_ONLY", "PublishedConfig", "PublishedResult", "PublishedSetting"]

# Shown beside a rerun ("n of 100 epochs"); a rerun keeps the search's own horizon.
SHOWN_ONLY = frozenset({"training.epochs"})


class PublishedSetting(Config):
    """One setting of the paper."""

    value: bool | int | float | str | None = Field(description="The field's value.")
    source: Literal["paper", "code", "assumed"] = Field(
        description="Printed in the paper, read in its code, or our assumption."
    )


class PublishedResult(Config):
    """One printed number; never compared with ours unless the protocols match."""

    corpus: str = Field(min_length=1, description="The corpus, in its usual name.")
    num_classes: int = Field(ge=2, description="Emotions told apart.")
    metric: str = Field(min_length=1, description="The metric as the paper calls it.")
    value: float = Field(ge=0, le=100, description="The printed number, in percent.")
    protocol: str = Field("unknown", description="How the paper split the corpus.")
    note: str = Field("", description="What a reader must know about the number.")


class PublishedConfig(Config):
    """The ``published`` section: the settings that a paper gives for the system."""

    title: str = Field("", description="The paper's title.")
    arxiv: str = Field("", description="Its arXiv number.")
    settings: dict[str, PublishedSetting] = Field(
        default_factory=dict, description="Dotted field to the published value and its source."
    )
    split: Literal["random", "leave_one_speaker_out"] = Field(
        "random",
        description="How it divides a corpus, as `evaluate --protocol paper` repeats it; random "
        "also where the paper does not say.",
    )
    epoch_from: Literal["validation", "test"] = Field(
        "validation",
        description="What chooses its epoch. Of a random split validation is 16 of 64/16/20; test "
        "leaves 80/20, and an invalid figure.",
    )
    results: tuple[PublishedResult, ...] = Field((), description="The paper's printed results.")

    @property
    def epochs(self) -> int | None:
        """The published number of epochs, for showing beside a rerun."""
        setting = self.settings.get("training.epochs")
        return int(setting.value) if setting and isinstance(setting.value, int | float) else None

    @property
    def protocol_note(self) -> str:
        """How the paper split a corpus, and what that makes of a figure."""
        if self.split == "leave_one_speaker_out":
            split = "one speaker left out"
        elif self.epoch_from == "test":
            split = "random 80/20 split"
        else:
            split = "random 64/16/20 split: a stand-in where the paper does not give its own"
        if self.epoch_from == "test":
            return f"invalid: {split}, and the test rows chose the epoch, as they did for the paper"
        return split

    def values(self) -> dict[str, bool | int | float | str | None]:
        """Dotted field to value, without what is only shown."""
        return {
            field: setting.value
            for field, setting in self.settings.items()
            if field not in SHOWN_ONLY
        }
