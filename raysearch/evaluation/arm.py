"""One arm of an evaluation: a model or settings, and the split they are tested on."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import ray

from raysearch.config.identity import seed_from
from raysearch.config.search import Final
from raysearch.corpora.utterance import Corpus
from raysearch.errors import DataError
from raysearch.evaluation.final_model import Net
from raysearch.evaluation.retraining import retraining
from raysearch.protocols.splits import Split
from raysearch.run_lease import Lease
from raysearch.spec import SearchSpec, TrialConfig
from raysearch.storage.run_storage import fetch_published, publication
from raysearch.streaming.preparation import (
    AuditedSplit,
    FeatureBank,
    audited_split,
    prepare_features,
)
from raysearch.streaming.wanted_features import WantedFeatures
from raysearch.training.trial_state import BEST
from raysearch.workers.trial_task import TrialTask

__all__ = ["NUM_SEEDS", "Arm", "is_trained", "paper_arm", "paper_spec", "paper_split"]

# The trial of a net that was trained apart from any search.
OF_NO_SEARCH = -1
# The searched weights and two retrainings, or three retrainings where nothing was searched.
NUM_SEEDS = 3


@dataclass(frozen=True)
class Arm:
    """One model or set of settings that is trained, and the split that it is tested on.

    Attributes:
        spec: the settings of the split: its protocol and fold.
        audited: that split.
        config: the settings that were chosen.
        identity: the identity of the chosen trial; retrainings derive their seeds from it.
        searched: the nets that the search of this very split ended with; none if it was not
            searched.
        method: how that model was made.
        parts: what it is shown beside, by name: nets of the same split.
        num_inner: nets that one retraining gives, one for each inner fold.
        folder: where the retrainings of this arm are kept, by ``identity``.
        bank: the features of its training and validation rows.
        num_seeds: how many nets there are, the searched one included.
        temperature: of the model's probabilities, from inner validation, if it is known.
        last_epoch: the epochs that the chosen trial had where the search's end, not its settings,
            ended it. A retraining that went on would be a better model than the one it stands for,
            at a cost that no budget bounds.
    """

    spec: SearchSpec
    audited: AuditedSplit
    config: TrialConfig
    identity: str
    folder: Path
    searched: tuple[Net, ...] = ()
    method: Final = "single"
    parts: Mapping[str, tuple[Net, ...]] = field(default_factory=dict)
    num_inner: int = 1
    bank: FeatureBank | None = None
    num_seeds: int = NUM_SEEDS
    temperature: float | None = None
    last_epoch: int | None = None

    @property
    def epochs(self) -> int:
        """The most epochs of one of its retrainings."""
        planned = self.config.training.epochs
        return planned if self.last_epoch is None else min(planned, self.last_epoch)

    @property
    def wanted_features(self) -> WantedFeatures:
        """The feature sets of its nets, and no other where they have one in common."""
        nets = [net for nets in (self.searched, *self.parts.values()) for net in nets]
        if any(net.config.used_features != self.config.used_features for net in nets):
            return WantedFeatures.of_search(self.spec)
        return WantedFeatures.of_trial(self.config, self.spec.search)

    def prepared(self, storage: Path) -> "Arm":
        """Return a copy that holds the features of its training and validation rows."""
        inner = self.audited.inner if self.num_inner > 1 or self.searched else ()
        bank = prepare_features(
            self.wanted_features,
            self.audited.split,
            storage,
            corpus=self.spec.corpus,
            search=self.spec.search,
            inner=inner,
        )
        rows = bank.inner[: self.num_inner]
        return replace(self, bank=replace(bank, rows_ref=ray.put(list(rows))))

    def variants(self) -> list[tuple[Net, ...]]:
        """The nets of each training of the whole: the search's first, then the retrainings'."""
        # A partner has no seeds: it stands beside each training with the same share.
        partner = tuple(net for net in self.searched if net.trial is None)
        share = (1 - sum(net.weight for net in partner)) / self.num_inner
        retrained = [
            (
                *(
                    Net(OF_NO_SEARCH, self.config, self._refit(seed), fold, share)
                    for fold in range(self.num_inner)
                ),
                *partner,
            )
            for seed in range(self.num_retrained)
        ]
        return [self.searched, *retrained] if self.searched else retrained

    @property
    def missing(self) -> list[int]:
        """The numbers of the retrainings that are not there yet."""
        return [seed for seed in range(self.num_retrained) if not is_trained(self._refit(seed))]

    @property
    def num_retrained(self) -> int:
        """How many of its trainings are retrainings."""
        return self.num_seeds - (1 if self.searched else 0)

    def tasks(self, run: Path, lease: Lease) -> list[TrialTask]:
        """The retrainings that are not there yet, for a worker group.

        Their epoch is chosen on validation, as in the search.
        """
        assert self.bank is not None
        data = self.bank.data(self.config)
        return [
            retraining(
                self.identity,
                self.config,
                seed=seed_from(self.identity, "refit", seed),
                objective=self.spec.search.objective,
                data=data,
                weights=self._refit(seed),
                publication=publication(run, lease),
                last_epoch=self.last_epoch,
            )
            for seed in self.missing
        ]

    def _refit(self, seed: int) -> Path:
        # A resumed search can have another winner, or the same after more epochs, whose retrainings
        # must not be taken for these.
        ended = "" if self.last_epoch is None else f"-{self.last_epoch}-epochs"
        return self.folder.absolute() / f"{self.identity}{ended}" / f"seed-{seed + 1}" / "weights"


def is_trained(folder: Path) -> bool:
    """Whether a retraining's weights are in ``folder``, or whole in its storage."""
    try:
        return (fetch_published(folder) / BEST).exists()
    except DataError:  # damaged there: trained again, it is sent again
        return False


def paper_arm(own: Arm, folder: Path) -> Arm:
    """Put the winner's settings on the first fold of the split that the paper used.

    That split is optimistic at best and often invalid; its figure stands beside the honest one.

    Args:
        own: the winner on the fold that it was searched on.
        folder: where the retrainings are kept.

    Returns:
        An arm whose net is still to be trained.

    Raises:
        DataError: the corpus cannot be divided that way.
    """
    spec = paper_spec(own.spec)
    audited = paper_split(spec, own.audited.corpus)
    return replace(own, spec=spec, audited=audited, searched=(), folder=folder)


def paper_spec(spec: SearchSpec, fold: int = 0) -> SearchSpec:
    """The same settings under the protocol that the paper used."""
    changes = {"name": "paper", "folds": "default", "fold": fold}
    if spec.published.split == "leave_one_speaker_out":
        changes |= {"name": "speaker_independent", "folds": spec.published.split}
    return replace(spec, protocol=spec.protocol.model_copy(update=changes))


def paper_split(spec: SearchSpec, corpus: Corpus) -> AuditedSplit:
    """Divide the corpus as the paper did, its test rows choosing the epoch where they did there.

    Args:
        spec: as ``paper_spec`` gives it.
        corpus: the utterances.

    Raises:
        DataError: the corpus cannot be divided that way.
    """
    audited = audited_split(spec, corpus)
    if spec.published.epoch_from == "test":
        split = _epoch_from_test(audited.split)
        audited = AuditedSplit(audited.corpus, split, audited.audit)
    return audited


def _epoch_from_test(split: Split) -> Split:
    """Validation rows are learned from, too, and test rows stand in for them."""
    train = tuple(sorted((*split.train, *split.validation), key=lambda row: row.id))
    labels = {row.emotion for row in train}
    chosen_by = tuple(row for row in split.test if row.emotion in labels)
    return replace(split, train=train, validation=chosen_by, notes=())
