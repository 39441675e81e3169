"""From an arm's weights to one row a test utterance and seed."""

import contextlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import torch

from raysearch.errors import EmptyCorpusError
from raysearch.evaluation.arm import Arm
from raysearch.models.table import build_model
from raysearch.streaming.rows import RowTable, SplitRows, row_key, speaker_key
from raysearch.streaming.shards import ensure_features
from raysearch.streaming.store import FeatureSource
from raysearch.streaming.tiers import open_trial_data
from raysearch.training.checkpoint import load_tensors, load_weights
from raysearch.training.normalise import Normaliser
from raysearch.training.scoring import score_batches
from raysearch.trial_config import TrialConfig
from raysearch.tuning.preparation import Progress, feature_store

if TYPE_CHECKING:
    from raysearch.corpora.utterance import Utterance

__all__ = ["predict_arm", "prediction_table", "probabilities", "probability_column"]


def probability_column(label: str) -> str:
    """The column of an emotion's probability."""
    return f"p_{label}"


def predict_arm(
    arm: Arm, storage: Path, on_progress: Progress | None = None, *, cell: str = ""
) -> tuple[pa.Table, dict[str, str]]:
    """Featurize the arm's test rows, then score them with each seed's weights.

    This is where test audio is read for the first time.

    Args:
        arm: with its features' bank.
        storage: where features are kept.
        on_progress: told of features.
        cell: an augmentation cell that the test rows go through first, such as ``noise:10``.

    Returns:
        A table of utterance, corpus, speaker, sex, fold, seed, emotion, predicted, and one
        probability a class; and the utterances that could not be used, with reasons.

    Raises:
        EmptyCorpusError: no test utterance can be used.
    """
    assert arm.bank is not None
    sources, unusable = _test_features(arm, storage, cell, on_progress)
    test = [u for u in arm.audited.split.test if u.id not in unusable]
    if not test:
        raise EmptyCorpusError(f"fold {arm.audited.split.fold}: no test utterance can be used")
    table = RowTable(
        ids=tuple(u.id for u in test),
        hashes=tuple(row_key(u.content_hash, cell) for u in test),
        labels=(0,) * len(test),  # true emotions are compared below; some may be unknown here
        speakers=tuple(speaker_key(u) for u in test),
    )
    labels = arm.bank.rows.labels
    rows = SplitRows(train=arm.bank.rows.train, validation=table, labels=labels)
    parts = []
    for seed, weights in enumerate(arm.weight_files()):
        probs_NK = probabilities(arm.config, rows, sources, weights)
        parts.append(prediction_table(test, probs_NK, labels, arm.audited.split.fold, seed))
    return pa.concat_tables(parts), unusable


def prediction_table(
    test: "Sequence[Utterance]",
    probs_NK: np.ndarray,
    labels: Sequence[str],
    fold: int,
    seed: int,
) -> pa.Table:
    """One row an utterance of ``test``; ``labels`` name the columns of ``probs_NK``."""
    columns = {
        "utterance": [u.id for u in test],
        "corpus": [u.corpus for u in test],
        "speaker": [u.speaker for u in test],
        "sex": pa.array([u.sex for u in test], pa.string()),
        "fold": [fold] * len(test),
        "seed": [seed] * len(test),
        "emotion": [u.emotion for u in test],
        "predicted": [labels[k] for k in probs_NK.argmax(axis=1)],
        **{probability_column(name): probs_NK[:, k] for k, name in enumerate(labels)},
    }
    return pa.table(columns)


def _test_features(
    arm: Arm, storage: Path, cell: str, on_progress: Progress | None
) -> tuple[dict[str, FeatureSource], dict[str, str]]:
    sources, unusable = {}, {}
    for stream, config in arm.config.used_features.items():
        found = ensure_features(
            arm.audited.split.test,
            stream,
            config,
            feature_store(storage),
            corpus=arm.spec.corpus.name,
            cells=(cell,),
            on_progress=_named(on_progress, f"{stream} test features"),
            max_quarantined=1.0,
        )
        sources[stream] = found.source
        unusable.update(found.quarantined)
    return sources, unusable


def _named(on_progress: Progress | None, what: str):  # type: ignore[no-untyped-def]
    return (lambda done, total: on_progress(what, done, total)) if on_progress else None


def probabilities(
    config: TrialConfig, rows: SplitRows, sources: Mapping[str, FeatureSource], weights: Path
) -> np.ndarray:
    """(N, K) of the rows on the validation side of ``rows``: mean log-softmax, renormalised.

    Args:
        config: the settings that ``weights`` were trained with.
        rows: the training rows, whose statistics normalise, and the rows to score beside them;
            by speaker, the scored rows' own statistics do.
        sources: the streams' stores, which hold all of them.
        weights: a checkpoint's safetensors.
    """
    training, device = config.training, torch.device("cpu")
    with open_trial_data(
        rows,
        sources,
        clip_s=training.clip_s,
        batch_size=training.batch_size,
        seed=0,
        by_speaker=training.by_speaker,
    ) as data:
        model = build_model(config.model, data.shapes, data.num_classes)
        load_weights(model, load_tensors(weights), str(weights))
        scores = score_batches(
            model,
            data.validation_batches(),
            Normaliser(training.normalise, data.normalisation, data.shapes, device),
            data.num_classes,
            contextlib.nullcontext(),
        )
    probs_NK: np.ndarray = scores.log_probs.softmax(dim=1).numpy()
    return probs_NK
