"""What a model says of one recording, or of one stretch of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["WINDOW_S", "Prediction"]

# Seconds of a timeline's windows, unless others are asked for; the next begins half of one later.
WINDOW_S = 3.0


@dataclass(frozen=True)
class Prediction:
    """One emotion, and how probable each is; or, of a model of dimensions, how it would be rated.

    Attributes:
        label: the most probable emotion; empty of a model of dimensions.
        probabilities: each emotion's, in the order of the model's labels; they sum to 1.
        ratings: of each dimension, on the scale of the ratings that the model learned; empty of a
            model of emotions.
    """

    label: str
    probabilities: Mapping[str, float]
    ratings: Mapping[str, float] = field(default_factory=dict)

    @property
    def probability(self) -> float:
        """That of ``label``."""
        return self.probabilities[self.label]
