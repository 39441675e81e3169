"""The ``pretrain`` section: what a search's trials start from, and the corpora it is learned on."""

from collections.abc import Callable, Sequence
from typing import Literal, Self

from pydantic import Field, ValidationError, field_validator, model_validator

from raysearch.config.base import Config
from raysearch.corpora.corpus_table import CorpusConfig
from raysearch.corpora.joined import joined
from raysearch.corpora.utterance import Corpus

__all__ = ["PretrainConfig", "pretraining_corpus"]


class PretrainConfig(Config):
    """What trials start from: a net of other corpora, an earlier run's model, or nothing."""

    on: str | None = Field(
        None, description="corpora to learn from before the search, with commas between"
    )
    data: str | None = Field(None, description="their folders or files, one each with commas")
    label_map: str | None = Field(
        None,
        description="as corpus.label_map; several corpora use the committed map unless told "
        "otherwise, one alone keeps its own classes",
    )
    calm: Literal["drop", "neutral"] = Field(
        "drop", description="what the committed label map makes of calm"
    )
    epochs: int | None = Field(
        None, ge=1, le=10_000, description="epochs of it; null: training.epochs"
    )
    weights: str | None = Field(
        None,
        min_length=1,
        description="an earlier run, its best/ or a weights file of either, to start from instead",
    )

    @field_validator("on", "data", mode="before")
    @classmethod
    def _join(cls, value: object) -> object:
        """A YAML list means the same as its parts with commas between."""
        if not isinstance(value, list | tuple):
            return value
        return ",".join("" if part is None else str(part) for part in value)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.on is None:
            for name in ("data", "label_map", "epochs"):
                if getattr(self, name) is not None:
                    raise ValueError(f"pretrain.{name} needs pretrain.on (--pretrain-on CORPUS)")
            return self
        if self.weights is not None:
            raise ValueError(
                "pretrain.on and pretrain.weights are two things to start from: give one"
            )
        try:
            _ = self.corpora
        except ValidationError as error:  # what a corpus section refuses, in its words
            raise ValueError(error.errors()[0]["msg"].removeprefix("Value error, ")) from None
        return self

    @property
    def wanted(self) -> bool:
        """Whether trials start from pre-trained weights rather than from random ones."""
        return self.on is not None or self.weights is not None

    @property
    def corpora(self) -> tuple[CorpusConfig, ...]:
        """A section for each corpus of ``on``, all with the same label map."""
        if self.on is None:
            return ()
        given = {"label_map": self.label_map, "calm": self.calm}
        whole = CorpusConfig.model_validate({"name": self.on, "data": self.data, **given})
        label_map = "common" if whole.uses_committed_map else self.label_map
        return tuple(
            CorpusConfig(name=name, data=data, label_map=label_map, calm=self.calm)
            for name, data in whole.members
        )


def pretraining_corpus(
    config: PretrainConfig, read: Callable[[CorpusConfig], Corpus]
) -> Corpus | None:
    """Every recording to learn from before the search, or ``None`` if there is none.

    Unlike corpora that are tested on together, these keep the classes that any of them has: the
    net's classifier is not taken over, and what it must tell apart only has to teach it to hear.

    Args:
        config: the section.
        read: gives a corpus for its section.

    Raises:
        UserError, DataError: as ``read``, or one corpus twice.
    """
    corpora: Sequence[Corpus] = [read(one) for one in config.corpora]
    if len(corpora) > 1:
        return joined(corpora, all_classes=True)
    return corpora[0] if corpora else None
