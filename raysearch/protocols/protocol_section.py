"""The ``protocol`` section."""

from typing import Literal

from pydantic import Field, model_validator

from raysearch.config.base import Config

__all__ = ["ProtocolConfig", "ProtocolName"]

ProtocolName = Literal["speaker_independent", "text_independent", "session_independent", "paper"]


class ProtocolConfig(Config):
    """How utterances are divided into train, validation and test."""

    name: ProtocolName = Field(
        "speaker_independent",
        description="speaker_independent: no speaker on two sides; text_independent: no speaker "
        "and no text; session_independent: no session; paper: random 64/16/20 as printed results "
        "use it, optimistic",
    )
    fold: int = Field(0, ge=0, description="the outer fold to test on, counted from 0")
    folds: Literal["default", "leave_one_speaker_out"] = Field(
        "default", description="the corpus' usual folds, or one fold a speaker"
    )
    num_folds: int = Field(
        5, ge=2, description="groups of speakers or sessions, for a corpus without folds of its own"
    )
    num_text_groups: int = Field(
        5,
        ge=2,
        description="text_independent: groups of texts that each speaker fold is crossed with",
    )

    @model_validator(mode="after")
    def _check(self) -> "ProtocolConfig":
        if self.name == "session_independent" and self.folds == "leave_one_speaker_out":
            raise ValueError("session_independent leaves out sessions: leave protocol.folds out")
        return self
