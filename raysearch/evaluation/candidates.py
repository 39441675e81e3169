"""The models that a search kept, as an ensemble is chosen from them.

Axes: N inner validation rows, K emotions.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from raysearch.errors import DataError
from raysearch.evaluation.selection import Candidate
from raysearch.protocols.splits import Split
from raysearch.published_folder import verify
from raysearch.run_folder import RunFolder
from raysearch.storage.run_storage import fetch_published
from raysearch.training.inner_folds import inner_prefix
from raysearch.training.predictions import PREDICTIONS, Predictions
from raysearch.trial_records import TrialRecord, Trials

__all__ = ["Kept", "inner_predictions", "kept_candidates", "kept_records", "own_record"]


@dataclass(frozen=True)
class Kept:
    """Predictions of all kept models for the same validation rows.

    Attributes:
        candidates: the winner first, the others by rank.
        labels: (N,) true class indices.
        speakers: of each row.
    """

    candidates: tuple[Candidate, ...]
    labels: NDArray[np.int64]
    speakers: tuple[str, ...]


def kept_records(trials: Trials) -> list[TrialRecord]:
    """Trials with a checkpoint, best first; of equal settings the first alone."""
    return [r for r in trials.ranked() if r.checkpoint and r.copied_from is None]


def own_record(trials: Trials) -> TrialRecord | None:
    """The trial of the space's own settings, if it was run and its weights are there."""
    own = next((record for record in trials.records.values() if record.is_own), None)
    return own if own and own.checkpoint else None


def kept_candidates(run: RunFolder, trials: Trials, inner: Sequence[Split]) -> Kept | None:
    """The kept trials whose validation predictions are there, as the winner's are.

    Args:
        run: the run.
        trials: its ledger.
        inner: the splits that a trial was judged on, in their order.

    Returns:
        ``None`` if the winner has none: an earlier version wrote its checkpoint.
    """
    speaker_of = {
        row.id: f"{row.corpus}/{row.speaker}" for split in inner for row in split.validation
    }
    found: dict[int, list[Predictions]] = {}
    for record in kept_records(trials):
        predictions = inner_predictions(run, record, len(inner))
        if predictions is None and not found:
            return None
        if predictions is not None:
            found[record.number] = predictions
    if not found:
        return None
    winner = next(iter(found.values()))
    same = {
        number: predictions
        for number, predictions in found.items()
        if [p.utterances for p in predictions] == [p.utterances for p in winner]
    }
    return Kept(
        tuple(
            Candidate(number, np.concatenate([p.log_probs for p in predictions]))
            for number, predictions in same.items()
        ),
        np.concatenate([p.labels for p in winner]),
        tuple(speaker_of[name] for p in winner for name in p.utterances),
    )


def inner_predictions(
    run: RunFolder, record: TrialRecord, num_inner: int
) -> list[Predictions] | None:
    """The predictions of each inner fold's net, or ``None`` if they are not all there, whole."""
    assert record.checkpoint is not None
    try:
        folder = fetch_published(run.root / record.checkpoint[0])
        verify(folder)
        paths = [folder / f"{inner_prefix(fold)}{PREDICTIONS}" for fold in range(num_inner)]
        return [Predictions.load(path) for path in paths]
    except DataError:
        return None
