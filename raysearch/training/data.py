"""What a learner asks of its data; where they come from is the streaming floor's matter."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from raysearch.features.extractor import StreamShape

__all__ = ["Batch", "TrialData"]


@dataclass(slots=True)
class Batch:
    """One rank's share of a global batch; it may be empty (B = 0).

    Attributes:
        inputs: a stream's raw features x_BTF, padded at the extractor's floor.
        lengths: a stream's valid frames a row, long (B,).
        labels: class indices, long (B,).
        num_global: rows of the global batch over all ranks.
        index: the utterance's row number, long (B,); windows of one utterance share it.
        speakers: where the statistics' tables have each row's speaker, long (B,), if they are by
            speaker.
        shares: each row's distribution over the classes by its votes, shares_BK; None where
            nobody voted.
        ratings: each row's ratings on the dimensions that are learned, (B, D); None where emotions
            are.
    """

    inputs: dict[str, Tensor]
    lengths: dict[str, Tensor]
    labels: Tensor
    num_global: int
    index: Tensor
    speakers: Tensor | None = None
    shares: Tensor | None = None
    ratings: Tensor | None = None


class TrialData(Protocol):
    """One rank's view of a split's training and validation rows.

    Attributes:
        num_train: training rows over all ranks.
        num_validation: validation rows over all ranks; 0 where nothing is to be chosen.
        validation_ids: their utterances' ids, by row number.
        class_counts: training rows of each class.
        class_shares: the sum of the training rows' distributions by their votes, a class; None
            where nobody voted.
        num_classes: emotions (K), or dimensions.
        rating_scale: mean_D and std_D of the training rows' ratings; None where emotions are
            learned.
        shapes: what each stream's batches look like.
        floors: the value of silence in each stream.
        normalisation: mean_F and std_F of each stream, from training rows only; or mean_SF and
            std_SF, a row a speaker, from each speaker's own rows.
    """

    num_train: int
    num_validation: int
    validation_ids: Sequence[str]
    class_counts: list[int]
    class_shares: list[float] | None
    num_classes: int
    rating_scale: tuple[Tensor, Tensor] | None
    shapes: dict[str, StreamShape]
    floors: dict[str, float]
    normalisation: dict[str, tuple[Tensor, Tensor]]

    def train_batches(self, epoch: int) -> Iterator[Batch]:
        """This rank's share of every global batch of that epoch; a function of ``epoch`` alone."""
        ...

    def validation_batches(self) -> Iterator[Batch]:
        """This rank's validation rows as overlapping windows, an utterance's all on one rank."""
        ...
