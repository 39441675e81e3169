"""What a paper published: its settings and printed results, each number with its source."""

from typing import Literal

from pydantic import Field

from raysearch.config.base import Config

__all__ = [
    "SHOWN_ONLY",
    "PublishedConfig",
    "PublishedExpansion",
    "PublishedResult",
    "PublishedRows",
    "PublishedSetting",
    "Source",
    "is_same_corpus",
]

# Printed in the paper, read in its released code or notebooks, or our assumption.
Source = Literal["paper", "code", "notebook", "assumed"]
Value = bool | int | float | str | None

# Shown beside a rerun ("n of 100 epochs"); a rerun keeps the search's own horizon.
SHOWN_ONLY = frozenset({"training.epochs"})


class PublishedSetting(Config):
    """One setting of the paper."""

    value: Value = Field(description="The field's value, as a search reruns it.")
    source: Source = Field(description="Where that value is from.")
    printed: Value = Field(
        None, description="What was published, where the value is a cheaper one in its place."
    )
    printed_source: Source | None = Field(None, description="Where that is from.")

    @property
    def as_published(self) -> Value:
        """What was published, whatever a search reruns in its place."""
        return self.value if self.printed is None else self.printed


class PublishedResult(Config):
    """One printed number; never compared with ours unless the protocols match."""

    corpus: str = Field(min_length=1, description="The corpus, in its usual name.")
    num_classes: int = Field(ge=2, description="Emotions told apart.")
    classes_source: Source | None = Field(
        None, description="Where their number is from; null in files of earlier versions."
    )
    metric: Literal["accuracy", "WA", "UA", "F1"] = Field(
        description="The metric as the paper calls it."
    )
    value: float = Field(ge=0, le=100, description="The printed number, in percent.")
    source: Source | None = Field(
        None, description="Where it is from; null in files of earlier versions."
    )
    protocol: str = Field("unknown", description="How the paper split the corpus.")
    note: str = Field("", description="What a reader must know about the number.")


class PublishedRows(Config):
    """How many rows one recording becomes."""

    number: int = Field(ge=1, description="Rows a recording, itself among them.")
    source: Source = Field(description="Where the number is from.")


class PublishedExpansion(Config):
    """How the paper makes several rows of each recording."""

    cells: tuple[str, ...] = Field(
        min_length=1, description="After the recording itself, what its further rows went through."
    )
    cells_source: Source = Field(description="Where they are from.")
    rows: dict[str, PublishedRows] = Field(
        default_factory=dict, description="Corpus, in its usual name, to rows a recording."
    )
    other: PublishedRows = Field(description="Rows a recording of any other corpus.")
    before_split: bool = Field(
        False, description="Whether rows are divided, so that a recording has some on both sides."
    )

    def rows_of(self, corpus: str) -> PublishedRows:
        """Return how many rows a recording of ``corpus`` becomes."""
        named = (rows for name, rows in self.rows.items() if is_same_corpus(name, corpus))
        return next(named, self.other)


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
    expansion: PublishedExpansion | None = Field(
        None,
        description="Rows that the paper adds: `reproduce` trains on them; a search's rerun has "
        "waveform_augment in their place, which replaces rows and adds none.",
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

    def values(self) -> dict[str, Value]:
        """Dotted field to the value that a search reruns, without what is only shown."""
        return {
            field: setting.value
            for field, setting in self.settings.items()
            if field not in SHOWN_ONLY
        }

    def as_published(self) -> dict[str, Value]:
        """Dotted field to what was published, the epochs among them."""
        return {field: setting.as_published for field, setting in self.settings.items()}

    def results_on(self, corpus: str) -> list[PublishedResult]:
        """Return what is printed for a corpus, or for several joined ones."""
        return [one for one in self.results if is_same_corpus(one.corpus, corpus)]


def is_same_corpus(printed: str, name: str) -> bool:
    """Whether ``EMO-DB`` is what is called ``emodb`` here; ``A+B`` is ``a,b``."""
    return _plain(printed) == _plain(name)


def _plain(name: str) -> list[str]:
    parts = name.replace("+", ",").split(",")
    return sorted("".join(letter for letter in part.lower() if letter.isalnum()) for part in parts)
