"""From an arm's nets to one row a test utterance and training."""

import contextlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import scipy.special
import torch

from raysearch.config.identity import canonical_json
from raysearch.corpora.reasons import commonest
from raysearch.corpora.utterance import Dropped
from raysearch.corpora.votes import distribution
from raysearch.errors import EmptyCorpusError
from raysearch.evaluation.arm import Arm
from raysearch.evaluation.final_model import ALL_ROWS, Net
from raysearch.evaluation.probability_columns import (
    predicted_column,
    probability_column,
    rated_column,
    vote_column,
)
from raysearch.prerequisites import set_name
from raysearch.streaming.preparation import FeatureBank, Progress
from raysearch.streaming.shards import ensure_features
from raysearch.streaming.split_rows import RowTable, SplitRows, row_key, speaker_key
from raysearch.streaming.store import FeatureSource, feature_store
from raysearch.streaming.tiers import Tier, open_trial_data
from raysearch.training.checkpoint import load_tensors, load_weights
from raysearch.training.network import build_network
from raysearch.training.normalise import Normaliser
from raysearch.training.scoring import score_batches
from raysearch.trial_config import TrialConfig

if TYPE_CHECKING:
    from raysearch.corpora.utterance import Utterance
    from raysearch.features.extractor import FeatureConfig

__all__ = [
    "log_probabilities",
    "mean_probabilities",
    "pooled",
    "predict_arm",
    "prediction_table",
    "rating_table",
    "row_table",
    "used_streams",
]


def predict_arm(
    arm: Arm,
    storage: Path,
    on_progress: Progress | None = None,
    *,
    cell: str = "",
    talkers: "Sequence[Utterance]" = (),
) -> tuple[pa.Table, dict[str, str]]:
    """Featurize the arm's test rows, then score them with each seed's weights.

    This is where test audio is read for the first time.

    Args:
        arm: with its features' bank.
        storage: where features are kept.
        on_progress: told of features.
        cell: what the test rows go through first, such as ``noise:10``.
        talkers: the training rows that a cell of babble is mixed from.

    Returns:
        A table of utterance, corpus, speaker, sex, fold, seed, emotion, predicted, one
        probability a class, and one share of the votes a class where there are votes; or, where
        dimensions are predicted, what ``rating_table`` has; and the utterances that could not be
        used, with reasons.

    Raises:
        EmptyCorpusError: no test utterance can be used.
    """
    assert arm.bank is not None
    unusable = _ensure_test_features(arm, storage, cell, talkers, on_progress)
    test = [u for u in arm.audited.split.test if u.id not in unusable]
    if not test:
        why = commonest([Dropped(name, reason) for name, reason in sorted(unusable.items())])
        raise EmptyCorpusError(
            f"fold {arm.audited.split.fold}: no test utterance can be used: {why or 'it has none'}"
        )
    table_of = rating_table if arm.audited.split.dimensions else prediction_table
    tables = [
        table_of(
            test,
            mean_probabilities(nets, arm.bank, row_table(test, cell)),
            arm.bank.rows.labels,
            arm.audited.split.fold,
            seed,
        )
        for seed, nets in enumerate(arm.variants())
    ]
    return pa.concat_tables(tables), unusable


def row_table(rows: "Sequence[Utterance]", cell: str = "") -> RowTable:
    """Rows to be scored; their true emotions are compared later, some may be unknown here."""
    return RowTable(
        ids=tuple(row.id for row in rows),
        keys=tuple(row_key(row.content_hash, cell) for row in rows),
        labels=(0,) * len(rows),
        speakers=tuple(speaker_key(row) for row in rows),
    )


def mean_probabilities(nets: Sequence[Net], bank: FeatureBank, scored: RowTable) -> np.ndarray:
    """(N, K) of the rows of ``scored``: the nets' weighted mean log-probability, renormalised.

    Where dimensions are predicted, it is the weighted mean of their numbers, (N, D).

    Args:
        nets: of one model.
        bank: has the features of the rows that they learned from, and the stores of all rows.
        scored: the rows.
    """
    total_NK = np.zeros((len(scored), len(bank.rows.labels)))
    for net in nets:
        learned = bank.all_rows if net.inner == ALL_ROWS else bank.inner[net.inner]
        rows = SplitRows(train=learned.train, validation=scored, labels=learned.labels)
        sources = bank.sources_of(net.config)
        scores_NK = log_probabilities(net.config, rows, sources, net.weights, bank.scoring_tier)
        total_NK += net.weight * scores_NK
    mean_NK: np.ndarray = total_NK / sum(net.weight for net in nets)
    if nets[0].config.training.by_dimensions:
        return mean_NK
    probs_NK: np.ndarray = scipy.special.softmax(mean_NK, axis=1)
    return probs_NK


def pooled(tables: Sequence[pa.Table]) -> pa.Table:
    """The folds' predictions together, each fold with as many seeds as any.

    One fold's final model may be retrained with other seeds while another's, an ensemble say, is
    scored as it is: that stands for each seed, so that every fold counts alike.
    """
    most = max(len(set(table["seed"].to_pylist())) for table in tables)
    return pa.concat_tables(
        [again for table in tables for again in _every_seed(table, most)],
        promote_options="default",
    )


def _every_seed(table: pa.Table, number: int) -> list[pa.Table]:
    if len(set(table["seed"].to_pylist())) == number:
        return [table]
    place = table.column_names.index("seed")
    return [
        table.set_column(place, "seed", pa.array([seed] * len(table), pa.int64()))
        for seed in range(number)
    ]


def prediction_table(
    test: "Sequence[Utterance]",
    probs_NK: np.ndarray,
    labels: Sequence[str],
    fold: int,
    seed: int,
) -> pa.Table:
    """One row an utterance of ``test``; ``labels`` name the columns of ``probs_NK``."""
    columns = {
        **_about(test, fold, seed),
        "predicted": [labels[k] for k in probs_NK.argmax(axis=1)],
        **{probability_column(name): probs_NK[:, k] for k, name in enumerate(labels)},
    }
    if any(u.votes for u in test):
        shares_NK = np.array([distribution(u.votes, u.emotion, labels) for u in test])
        columns |= {vote_column(name): shares_NK[:, k] for k, name in enumerate(labels)}
    return pa.table(columns)


def rating_table(
    test: "Sequence[Utterance]",
    numbers_ND: np.ndarray,
    dimensions: Sequence[str],
    fold: int,
    seed: int,
) -> pa.Table:
    """One row an utterance of ``test``: what it was rated on each dimension, and the prediction."""
    columns = _about(test, fold, seed)
    for d, name in enumerate(dimensions):
        columns[rated_column(name)] = [dict(u.ratings)[name] for u in test]
        columns[predicted_column(name)] = numbers_ND[:, d]
    return pa.table(columns)


def _about(test: "Sequence[Utterance]", fold: int, seed: int) -> dict[str, object]:
    """The columns of both kinds of table that say what a row is of."""
    return {
        "utterance": [u.id for u in test],
        "corpus": [u.corpus for u in test],
        "speaker": [u.speaker for u in test],
        "sex": pa.array([u.sex for u in test], pa.string()),
        "fold": [fold] * len(test),
        "seed": [seed] * len(test),
        "emotion": [u.emotion for u in test],
    }


def used_streams(arm: Arm) -> list[tuple[str, "FeatureConfig"]]:
    """Every stream that a net of the arm reads, and its settings, each pair once."""
    used = [net.config.used_features for nets in arm.variants() for net in nets]
    distinct = {(stream, canonical_json(c)): c for one in used for stream, c in one.items()}
    return [(stream, config) for (stream, _), config in distinct.items()]


def _ensure_test_features(
    arm: Arm,
    storage: Path,
    cell: str,
    talkers: "Sequence[Utterance]",
    on_progress: Progress | None,
) -> dict[str, str]:
    """Compute those of every net; the unusable utterances and why."""
    unusable = {}
    streams = used_streams(arm)
    for stream, config in streams:
        found = ensure_features(
            arm.audited.split.test,
            stream,
            config,
            feature_store(storage),
            corpus=arm.spec.corpus.name,
            cells=(cell,),
            talkers=talkers,
            on_progress=_named(on_progress, set_name(stream, config, streams, "test features")),
            max_quarantined=1.0,
            disk_bytes=arm.spec.search.stream_disk_bytes,
        )
        unusable.update(found.quarantined)
    return unusable


def _named(on_progress: Progress | None, what: str):  # type: ignore[no-untyped-def]
    return (lambda done, total: on_progress(what, done, total)) if on_progress else None


def log_probabilities(
    config: TrialConfig,
    rows: SplitRows,
    sources: Mapping[str, FeatureSource],
    weights: Path,
    tier: Tier = "host",
) -> np.ndarray:
    """(N, K) of the rows on the validation side of ``rows``: mean log-softmax of their windows.

    Args:
        config: the settings that ``weights`` were trained with.
        rows: the training rows, whose statistics normalise, and the rows to score beside them;
            by speaker, the scored rows' own statistics do.
        sources: the streams' stores, which hold all of them.
        weights: a checkpoint's safetensors.
        tier: where the features are read.
    """
    training, device = config.training, torch.device("cpu")
    with open_trial_data(
        rows,
        sources,
        clip_s=training.clip_s,
        batch_size=training.batch_size,
        seed=0,
        by_speaker=training.by_speaker,
        tier=tier,
    ) as data:
        model = build_network(config.model, training, data.shapes, data.num_classes)
        load_weights(model, load_tensors(weights), str(weights))
        scores = score_batches(
            model,
            data.validation_batches(),
            Normaliser(training.normalise, data.normalisation, data.shapes, device),
            data.num_classes,
            contextlib.nullcontext(),
        )
    log_probs_NK: np.ndarray = scores.log_probs.numpy()
    return log_probs_NK
