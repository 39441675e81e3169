"""From predictions to the figures of ``evaluation.json``, by the rules of honest reporting."""

from collections.abc import Sequence
from typing import cast

import numpy as np
import pyarrow as pa

from raysearch.evaluation.calibration import calibration_error
from raysearch.evaluation.figures import Figures, MetricFigures, Where
from raysearch.evaluation.probability_columns import known_emotions, probabilities, votes_of
from raysearch.evaluation.statistics import (
    METRICS,
    Floats,
    interval,
    num_supported,
    speaker_confusions,
    speaker_values,
)
from raysearch.evaluation.units import MIN_SPEAKERS_INTERVAL, Units, folds_of_speakers
from raysearch.training.metrics import accuracy, jensen_shannon, recalls, uar
from raysearch.training.validation_metrics import ValJs

__all__ = ["confusions_of", "metric_figures", "score", "speakers_of", "ua_by"]


def score(table: pa.Table, *, protocol: str, where: Where, notes: Sequence[str]) -> Figures:
    """Compute the figures of one evaluation protocol.

    Args:
        table: predictions, as :func:`raysearch.evaluation.predict.predict_arm` gives them; the
            folds of a nested evaluation are pooled before anything is divided.
        protocol: its name.
        where: ``{"fold": k}`` or ``{"nested": n}``, ``valid`` where a figure may not be, and
            whether it is ``transductive``.
        notes: what a reader must know, to which the rules add theirs.

    Returns:
        ``protocol``, fold or nested, ``num_speakers``, ``ua``, ``wa``, ``macro_f1`` (each with
        ``mean``, ``per_seed`` and ``interval``, which is null with too few speakers or folds),
        ``interval_method``, the ``confusion`` of all seeds together (rows true), ``labels``,
        recall by class, UA by speaker, sex and fold, the calibration error ``ece``, where test
        rows have votes the divergence ``js`` from them, and ``notes``.
    """
    labels = _labels(table)
    seeds = sorted(set(table["seed"].to_pylist()))
    per_seed = {seed: confusions_of(table, labels, seed) for seed in seeds}
    names = per_seed[seeds[0]][0]
    pooled_SKK = np.sum([confusions for _, confusions in per_seed.values()], axis=0)
    folds = folds_of_speakers(names, speakers_of(table), table["fold"].to_pylist())
    units = Units.of(len(names), folds)
    figures = metric_figures([confusions for _, confusions in per_seed.values()], folds)
    confusion_KK = pooled_SKK.sum(axis=0)
    found = {
        "protocol": protocol,
        **where,
        "num_speakers": len(names),
        **figures,
        "interval_method": None if units.lack(MIN_SPEAKERS_INTERVAL) else units.method,
        "confusion": confusion_KK.astype(int).tolist(),
        "labels": labels,
        "per_class_recall": _named(labels, recalls(confusion_KK)),
        "per_speaker_ua": speaker_values(names, pooled_SKK),
        "per_sex_ua": ua_by(table, labels, "sex"),
        "per_fold_ua": ua_by(table, labels, "fold"),
        "ece": calibration_error(table),
        **_divergence(table, names, folds),
        "notes": [*notes, *_rules(names, pooled_SKK, units, len(seeds))],
    }
    return cast("Figures", found)  # the metrics' keys are those of their table


def metric_figures(
    seeds_SKK: Sequence[Floats], folds: Sequence[int] | None
) -> dict[str, MetricFigures]:
    """Every metric of the table of metrics: its mean, each seed's value, and the 95% interval.

    Args:
        seeds_SKK: each seed's matrices, one a speaker.
        folds: each speaker's fold; None where it is not known.
    """
    pooled_SKK = np.sum(seeds_SKK, axis=0)
    figures: dict[str, MetricFigures] = {}
    for name, metric in METRICS.items():
        values = [float(metric(confusions_SKK.sum(axis=0))) for confusions_SKK in seeds_SKK]
        bounds = interval(pooled_SKK, metric, folds=folds)
        figures[name] = {
            "mean": float(np.mean(values)),
            "per_seed": values,
            "interval": [bounds.low, bounds.high] if bounds else None,
        }
    return figures


def _labels(table: pa.Table) -> list[str]:
    """Every emotion that was predicted or true; some of a test set may be unknown to training."""
    return sorted(
        {*table["emotion"].to_pylist(), *table["predicted"].to_pylist()} | {*known_emotions(table)}
    )


def confusions_of(table: pa.Table, labels: list[str], seed: int) -> tuple[list[str], Floats]:
    """The speakers of one training's predictions, sorted, and their matrices (S, K, K)."""
    part = table.filter(pa.compute.equal(table["seed"], seed))
    index = {label: k for k, label in enumerate(labels)}
    return speaker_confusions(
        speakers_of(part),
        [index[label] for label in part["emotion"].to_pylist()],
        [index[label] for label in part["predicted"].to_pylist()],
        len(labels),
    )


def speakers_of(table: pa.Table) -> list[str]:
    """Each row's speaker, told from those of other corpora."""
    pairs = zip(table["corpus"].to_pylist(), table["speaker"].to_pylist(), strict=True)
    return [f"{corpus}/{speaker}" for corpus, speaker in pairs]


def ua_by(table: pa.Table, labels: list[str], column: str) -> dict[str, float]:
    """UA of the rows that share a value of ``column``, by that value; all seeds together."""
    values = {}
    for value in sorted({value for value in table[column].to_pylist() if value is not None}):
        part = table.filter(pa.compute.equal(table[column], value))
        seeds = sorted(set(part["seed"].to_pylist()))
        values[str(value)] = float(
            uar(np.sum([confusions_of(part, labels, s)[1].sum(axis=0) for s in seeds], axis=0))
        )
    return values


def _divergence(
    table: pa.Table, names: Sequence[str], folds: Sequence[int]
) -> dict[str, MetricFigures]:
    """The mean divergence of a row's probabilities from its votes, where there are votes."""
    votes_NK = votes_of(table)
    if votes_NK is None or not votes_NK.any():
        return {}
    has_N = votes_NK.any(axis=1)  # a fold without any has none in the pooled table
    value_N = jensen_shannon(votes_NK[has_N], probabilities(table)[has_N])
    speaker_N = np.array([names.index(name) for name in speakers_of(table)])[has_N]
    seed_N = np.asarray(table["seed"].to_pylist())[has_N]
    # From 0 to 1 as a share is: as if so much of each row were one class of two.
    parts_SKK = np.zeros((len(names), 2, 2))
    np.add.at(parts_SKK[:, 0, 0], speaker_N, value_N)
    np.add.at(parts_SKK[:, 0, 1], speaker_N, 1 - value_N)
    bounds = interval(parts_SKK, accuracy, folds=folds)
    values = [float(value_N[seed_N == seed].mean()) for seed in sorted(set(seed_N.tolist()))]
    ends = [bounds.low, bounds.high] if bounds else None
    return {ValJs.key: {"mean": float(np.mean(values)), "per_seed": values, "interval": ends}}


def _named(labels: list[str], values: Floats) -> dict[str, float | None]:
    return {
        label: None if np.isnan(value) else float(value)
        for label, value in zip(labels, values, strict=True)
    }


def _rules(names: list[str], confusions_SKK: Floats, units: Units, num_seeds: int) -> list[str]:
    notes = [f"confusion: {num_seeds} training seeds together"] if num_seeds > 1 else []
    confusion_KK = confusions_SKK.sum(axis=0)
    supported = num_supported(confusion_KK)
    if supported < len(confusion_KK):
        notes.append(f"UA is the mean over the {supported} emotions that the test set has")
    if lack := units.lack(MIN_SPEAKERS_INTERVAL):
        values = sorted(speaker_values(names, confusions_SKK).values())
        notes.append(
            f"no interval: {lack}; UA a speaker {_percent(values[0])} to {_percent(values[-1])}"
        )
    else:
        notes.append(f"intervals: 95%, {units.method}")
    return notes


def _percent(value: float) -> str:
    return f"{100 * value:.1f}%"
