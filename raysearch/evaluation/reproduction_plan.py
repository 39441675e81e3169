"""What a reproduction trains: published and found settings, as the paper split and honestly.

The published settings train as many epochs as were published, or fewer if so asked. What is
compared with the winner trains as many epochs as the winner does, and no comparison is made of
unequal numbers.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from raysearch.corpora.utterance import Corpus
from raysearch.evaluation.row_arms import RowArm
from raysearch.evaluation.row_folds import (
    NO_COPIES,
    Copies,
    RowFold,
    copies_for,
    followed,
    paper_folds,
    paper_splits,
    splits_of,
)
from raysearch.features.waveform_augment import selected
from raysearch.spec import SearchSpec
from raysearch.trial_config import TrialConfig

__all__ = ["ARMS", "Epochs", "Plan", "Winner", "planned"]

# In the order of the table. The published settings: in full under both protocols, then for as many
# epochs as the winner; the winner under both.
ARMS = (
    "published-paper",
    "published-honest",
    "published-short",
    "winner-honest",
    "winner-paper",
)


@dataclass(frozen=True)
class Epochs:
    """How long each of the settings trains.

    Attributes:
        printed: as published; None where the paper does not say.
        published: of the published settings here.
        found: of a whole trial of the search.
        shared: of what is compared with the winner, and of the winner.
    """

    printed: int | None
    published: int
    found: int
    shared: int

    @classmethod
    def of(cls, printed: int | None, own: int, found: int, cap: int | None) -> "Epochs":
        """Decide them.

        Args:
            printed: as published, if that is known.
            own: of the space, where it is not.
            found: of a whole trial of the search.
            cap: the most that are wanted of the published ones.
        """
        whole = printed or own
        published = min(whole, cap or whole)
        return cls(printed, published, found, min(published, found))

    @property
    def is_whole(self) -> bool:
        """Whether the published settings train as long as was published."""
        return self.printed is None or self.published >= self.printed

    @property
    def in_words(self) -> str:
        """``100``, or ``5 of 100``."""
        return str(self.published) if self.is_whole else f"{self.published} of {self.printed}"


@dataclass(frozen=True)
class Winner:
    """The best settings that a search found.

    Attributes:
        config: the settings.
        trial: the identity of the trial.
        run: the name of its run.
        of_fold: where the search was made anew inside each fold, what it found there.
    """

    config: TrialConfig
    trial: str = ""
    run: str = ""
    of_fold: Mapping[int, TrialConfig] = field(default_factory=dict)


@dataclass(frozen=True)
class Plan:
    """The arms of a reproduction, by name, in the order of ``ARMS``."""

    spec: SearchSpec
    corpus: Corpus
    epochs: Epochs
    copies: Copies
    winner: Winner
    num_seeds: int
    arms: Mapping[str, RowArm]

    def fold_of(self) -> dict[str, int]:
        """Each recording's fold under the honest protocol."""
        folds = self.arms["published-honest"].folds
        return {row.utterance.id: fold.number for fold in folds for row in fold.test}


def planned(
    spec: SearchSpec, corpus: Corpus, winner: Winner, *, cap: int | None, num_seeds: int
) -> Plan:
    """Plan the arms.

    Args:
        spec: the system, with its published settings, and the honest protocol.
        corpus: the recordings.
        winner: the search's.
        cap: the most epochs of the published settings; None: as published.
        num_seeds: nets of each arm and fold.

    Raises:
        DataError: the corpus cannot be divided, or an honest split leaks.
    """
    copies = copies_for(spec.published, spec.corpus.name)
    epochs = Epochs.of(
        spec.published.epochs, spec.training.epochs, winner.config.training.epochs, cap
    )
    full = _published(spec, copies, epochs.published)
    honest_splits, of_paper = splits_of(spec, corpus), paper_splits(spec, corpus)

    def honest(copies: Copies) -> tuple[RowFold, ...]:
        return tuple(followed(split, copies) for split in honest_splits)

    def paper(copies: Copies) -> tuple[RowFold, ...]:
        return tuple(paper_folds(of_paper, corpus, copies, spec.published))

    arms = {
        "published-paper": RowArm("published-paper", paper(copies), full),
        "published-honest": RowArm("published-honest", honest(copies), full),
    }
    if epochs.shared < epochs.published:
        short = _published(spec, copies, epochs.shared)
        arms["published-short"] = replace(
            arms["published-honest"], name="published-short", config=short
        )
    of_fold = {fold: _for(config, epochs.shared) for fold, config in winner.of_fold.items()}
    found = _for(winner.config, epochs.shared)
    arms["winner-honest"] = RowArm("winner-honest", honest(NO_COPIES), found, of_fold)
    arms["winner-paper"] = RowArm("winner-paper", paper(NO_COPIES), found)
    return Plan(spec, corpus, epochs, copies, winner, num_seeds, arms)


def _published(spec: SearchSpec, copies: Copies, epochs: int) -> TrialConfig:
    """The settings as published; where none are, the space's own stand in for them."""
    config = spec.resolve({**spec.published.as_published(), "training.epochs": epochs})
    if copies.number > 1 and selected(config.waveform_augment):
        # Its rows are added, so none is replaced.
        config = config.replace({"waveform_augment.cells": "none"})
    return config


def _for(config: TrialConfig, epochs: int) -> TrialConfig:
    return config.replace({"training.epochs": epochs})
