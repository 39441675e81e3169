"""An evaluation's figures by a column's values, and what may be said of their differences."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from itertools import combinations
from typing import cast

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from raysearch.errors import UserError
from raysearch.evaluation.claims import claim
from raysearch.evaluation.figures import ByColumn, GroupDifference, GroupFigures, Mode
from raysearch.evaluation.group_statistics import compare_groups
from raysearch.evaluation.scores import confusions_of, metric_figures, speakers_of
from raysearch.evaluation.statistics import Comparison, Floats
from raysearch.evaluation.stored_evaluations import (
    predictions_file,
    store_evaluations,
    stored_evaluations,
)
from raysearch.evaluation.units import folds_of_speakers
from raysearch.run_folder import RunFolder

__all__ = ["by_column", "store_groups"]

_COLUMN = "group"


def store_groups(
    run: RunFolder, modes: Sequence[Mode], columns: Mapping[str, Mapping[str, str]]
) -> None:
    """Add the figures by each column to evaluations that are stored.

    Args:
        run: nobody else writes to it.
        modes: evaluations that it has.
        columns: as ``group_columns`` gives them.

    Raises:
        UserError: the predictions cannot be read.
    """
    stored = stored_evaluations(run)
    for mode in modes:
        path = predictions_file(run, mode)
        try:
            table = pq.read_table(path)
        except (OSError, pa.ArrowException) as error:
            raise UserError(f"{path}: cannot be read ({error}); evaluate anew") from None
        labels = stored[mode]["labels"]
        found = {name: by_column(table, labels, values) for name, values in columns.items()}
        stored[mode]["by"] = {**stored[mode].get("by", {}), **found}
    store_evaluations(run, stored)


def by_column(table: pa.Table, labels: Sequence[str], values: Mapping[str, str]) -> ByColumn:
    """The figures of the rows that share a value, and each pair of values compared.

    Args:
        table: predictions, as ``predictions.parquet`` has them.
        labels: the emotions of their figures.
        values: utterance id to value; rows without one are left out.
    """
    ids = table["utterance"].to_pylist()
    table = table.append_column(_COLUMN, pa.array([values.get(one) for one in ids], pa.string()))
    present = sorted({values[one] for one in ids if one in values})
    names = sorted(set(speakers_of(table)))
    folds = folds_of_speakers(names, speakers_of(table), table["fold"].to_pylist())
    parts = {value: table.filter(pa.compute.equal(table[_COLUMN], value)) for value in present}
    matrices = {value: _matrices(part, list(labels), names) for value, part in parts.items()}
    pooled = {value: np.sum(seeds_SKK, axis=0) for value, seeds_SKK in matrices.items()}
    alike, apart = _pairs(pooled)
    compared = compare_groups(pooled, alike, folds=folds)
    return {
        "groups": {
            value: _figures(parts[value], matrices[value], folds, labels) for value in present
        },
        "differences": [_difference(pair, one) for pair, one in zip(alike, compared, strict=True)],
        "num_left_out": len({one for one in ids if one not in values}),
        "notes": [
            *_notes(present),
            *(f"{a} and {b} have no emotion in common" for a, b in apart),
        ],
    }


def _matrices(part: pa.Table, labels: list[str], names: Sequence[str]) -> list[Floats]:
    """One (S, K, K) a seed, of all of ``names``: zeros for those who have no such row."""
    found = []
    for seed in sorted(set(part["seed"].to_pylist())):
        some, matrices_SKK = confusions_of(part, labels, seed)
        whole_SKK = np.zeros((len(names), len(labels), len(labels)))
        whole_SKK[[names.index(name) for name in some]] = matrices_SKK
        found.append(whole_SKK)
    return found


def _pairs(
    pooled: Mapping[str, Floats],
) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """All pairs of groups: those that have an emotion in common, and those that have none."""
    has_K = {value: one.sum(axis=(0, 2)) > 0 for value, one in pooled.items()}
    pairs = list(combinations(pooled, 2))
    alike = [pair for pair in pairs if (has_K[pair[0]] & has_K[pair[1]]).any()]
    return alike, [pair for pair in pairs if pair not in alike]


def _figures(
    part: pa.Table, seeds_SKK: Sequence[Floats], folds: Sequence[int], labels: Sequence[str]
) -> GroupFigures:
    total_SKK = np.sum(seeds_SKK, axis=0)
    some = np.flatnonzero(total_SKK.sum(axis=(1, 2)) > 0)
    metrics = metric_figures([one[some] for one in seeds_SKK], [folds[s] for s in some.tolist()])
    has_K = total_SKK.sum(axis=(0, 2)) > 0
    found = {
        "num_speakers": len(some),
        "num_utterances": len(set(part["utterance"].to_pylist())),
        **metrics,
        "lacking": [label for label, has in zip(labels, has_K, strict=True) if not has],
    }
    return cast("GroupFigures", found)  # the metrics' keys are those of their table


def _difference(pair: tuple[str, str], found: Comparison) -> GroupDifference:
    first, second = pair
    sentence = claim(first, second, found, differs="is recognised")
    plain = {"first": first, "second": second, **asdict(found), "sentence": sentence}
    return cast("GroupDifference", plain)


def _notes(present: Sequence[str]) -> list[str]:
    if len(present) > 1:
        return []
    only = f"all test utterances are {present[0]!r}" if present else "no test utterance has a value"
    return [f"{only}: there is nothing to compare"]
