"""From predictions of dimensions to the figures of ``dimensions.json``.

Axes: N rows, S speakers, U units of an interval, D dimensions, P the six sums of
``training.concordance``.
"""

from collections.abc import Sequence
from typing import NotRequired, TypedDict

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray

from raysearch.corpora.utterance import DIMENSIONS
from raysearch.evaluation.figures import Cost, Mode, Where
from raysearch.evaluation.probability_columns import predicted_column, rated_column
from raysearch.evaluation.scores import speakers_of
from raysearch.evaluation.units import (
    MIN_SPEAKERS_INTERVAL,
    Units,
    folds_of_speakers,
    t_half_width,
)
from raysearch.training.concordance import ccc, sums_of

__all__ = [
    "MEAN",
    "DimensionEvaluation",
    "DimensionFigures",
    "Dimensional",
    "dimensions_of",
    "mean_ccc",
    "score_dimensions",
]

Floats = NDArray[np.float64]

MEAN = "mean"
# A coefficient of 1 has no Fisher's z.
MOST = 1 - 1e-9


class DimensionFigures(TypedDict):
    """One dimension, or the mean of all.

    Attributes:
        ccc: mean over the seeds of the concordance correlation coefficient.
        per_seed: of each seed.
        interval: 95%, or None.
        rmse: root of the mean squared error, in the ratings' own unit; not of the mean.
    """

    ccc: float
    per_seed: list[float]
    interval: list[float] | None
    rmse: NotRequired[float]


class Dimensional(Where):
    """What ``score_dimensions`` finds; ``dimensions`` has the mean of all as ``mean``.

    ``per_speaker_ccc`` has each test speaker's mean over dimensions and seeds; figures that an
    earlier version stored lack it.
    """

    protocol: str
    num_speakers: int
    num_utterances: int
    dimensions: dict[str, DimensionFigures]
    per_speaker_ccc: NotRequired[dict[str, float]]
    interval_method: str | None
    notes: list[str]


class DimensionEvaluation(Dimensional):
    """One kind of evaluation, as ``dimensions.json`` holds it; ``parts`` are mean coefficients."""

    mode: Mode
    trial: str
    final: list[str]
    cost: Cost
    parts: dict[str, float]


def dimensions_of(table: pa.Table) -> list[str]:
    """The dimensions that ``table`` has predictions of."""
    return [name for name in DIMENSIONS if predicted_column(name) in table.column_names]


def score_dimensions(
    table: pa.Table, *, protocol: str, where: Where, notes: Sequence[str]
) -> Dimensional:
    """Compute the figures of one evaluation protocol, over all test rows together.

    Args:
        table: predictions, as ``raysearch.evaluation.predict.rating_table`` has them; the folds of
            a nested evaluation are pooled before anything is divided.
        protocol: its name.
        where: as ``raysearch.evaluation.scores.score`` has it.
        notes: what a reader must know, to which the rules add theirs.
    """
    dimensions, seeds = dimensions_of(table), sorted(set(table["seed"].to_pylist()))
    names = sorted(set(speakers_of(table)))
    parts = [table.filter(pa.compute.equal(table["seed"], seed)) for seed in seeds]
    seeds_SDP = [_sums(part, names, dimensions) for part in parts]
    folds = folds_of_speakers(names, speakers_of(table), table["fold"].to_pylist())
    units = Units.of(len(names), folds)
    lack = units.lack(MIN_SPEAKERS_INTERVAL)
    found: dict[str, DimensionFigures] = {}
    for name, places in _places(dimensions):
        chosen = [sums_SDP[:, places] for sums_SDP in seeds_SDP]
        values = [_mean(sums_SDP.sum(axis=0)) for sums_SDP in chosen]
        bounds = None if lack else _interval(np.sum(chosen, axis=0), units, float(np.mean(values)))
        found[name] = {"ccc": float(np.mean(values)), "per_seed": values, "interval": bounds}
        if name != MEAN:
            errors = [_rmse(sums_SDP.sum(axis=(0, 1))) for sums_SDP in chosen]
            found[name]["rmse"] = float(np.mean(errors))
    rule = f"no interval: {lack}" if lack else f"intervals: 95%, {units.method}, of Fisher's z"
    return {
        **where,
        "protocol": protocol,
        "num_speakers": len(names),
        "num_utterances": len(parts[0]),
        "dimensions": found,
        "per_speaker_ccc": {
            name: float(np.mean([_mean(sums_SDP[s]) for sums_SDP in seeds_SDP]))
            for s, name in enumerate(names)
        },
        "interval_method": None if lack else units.method,
        "notes": [*notes, rule],
    }


def mean_ccc(table: pa.Table) -> float:
    """The mean coefficient of the dimensions in ``table``, and over its seeds."""
    found = score_dimensions(table, protocol="", where={}, notes=[])
    return next(iter(found["dimensions"].values()))["ccc"]  # the mean stands first


def _places(dimensions: Sequence[str]) -> list[tuple[str, slice]]:
    single = [(name, slice(d, d + 1)) for d, name in enumerate(dimensions)]
    return [(MEAN, slice(None)), *single] if len(single) > 1 else single


def _sums(table: pa.Table, names: Sequence[str], dimensions: Sequence[str]) -> Floats:
    """The six sums of each speaker and dimension, (S, D, P)."""
    x_ND, y_ND = (
        torch.from_numpy(np.stack([table[column(name)].to_numpy() for name in dimensions], axis=1))
        for column in (predicted_column, rated_column)
    )
    speaker_N = np.asarray(speakers_of(table))
    return np.stack([sums_of(x_ND[of], y_ND[of]).numpy() for of in _rows(speaker_N, names)])


def _rows(speaker_N: NDArray[np.str_], names: Sequence[str]) -> list[torch.Tensor]:
    return [torch.from_numpy(np.flatnonzero(speaker_N == name)) for name in names]


def _mean(sums_DP: Floats) -> float:
    return float(ccc(sums_DP).mean(axis=-1))


def _rmse(sums_P: Floats) -> float:
    rows, _, _, xx, yy, xy = sums_P
    return float(max((xx - 2 * xy + yy) / rows, 0.0) ** 0.5)


def _interval(sums_SDP: Floats, units: Units, value: float) -> list[float]:
    """The t interval over units of the mean coefficient, on the scale of Fisher's z.

    A coefficient near 1 can fall further than it can rise, which that scale follows.
    """
    parts_UDP = units.sums(sums_SDP)
    total_DP = parts_UDP.sum(axis=0)
    centre = float(_fisher(ccc(total_DP).mean(axis=-1)))
    spread = units.spread(centre, _fisher(ccc(total_DP - parts_UDP).mean(axis=-1)))
    half = t_half_width(spread, 0.95)
    low, high = (float(np.tanh(end)) for end in (centre - half, centre + half))
    return [min(low, value), max(high, value)]


def _fisher(values: Floats) -> Floats:
    z: Floats = np.arctanh(np.clip(values, -MOST, MOST))
    return z
