"""From what a paper prints to what the winner gives on new speakers, in steps that add up.

A step is the difference of two arms on the same recordings; it is tested as ``compare`` allows, all
steps together. The units are the folds of the honest protocol, whose speakers share no model there.
"""

from collections.abc import Collection, Mapping, Sequence
from itertools import pairwise
from typing import cast

import numpy as np
import pyarrow as pa
import pyarrow.compute

from raysearch.config.published import PublishedResult
from raysearch.evaluation.compare import compare_all
from raysearch.evaluation.experiment_figures import ReproducedStep
from raysearch.evaluation.reproduction_plan import Epochs
from raysearch.evaluation.statistics import METRICS, Verdict
from raysearch.training.metrics import confusion_matrix

__all__ = [
    "BUDGET_UNKNOWN",
    "METRIC_OF",
    "NOT_REPRODUCED",
    "pooled_metric",
    "refolded",
    "rows_of",
    "steps_between",
    "why_not_printed",
]

# What a paper calls a metric, and the key that it has here.
METRIC_OF = {"accuracy": "wa", "WA": "wa", "UA": "ua", "F1": "macro_f1"}
NOT_REPRODUCED = "not reproduced here"
BUDGET_UNKNOWN = "budget: not known"
NOT_TESTED: Verdict = "cannot be tested"


def rows_of(table: pa.Table, names: Collection[str]) -> pa.Table:
    """The predictions of the recordings that are named."""
    known = pa.array(sorted(names), pa.string())
    return table.filter(pa.compute.is_in(table["utterance"], value_set=known))


def refolded(table: pa.Table, fold_of: Mapping[str, int]) -> pa.Table:
    """The predictions of the recordings in ``fold_of``, each with that fold in place of its own."""
    kept = rows_of(table, fold_of.keys())
    folds = pa.array([fold_of[name] for name in kept["utterance"].to_pylist()], pa.int64())
    return kept.set_column(kept.column_names.index("fold"), "fold", folds)


def pooled_metric(table: pa.Table, metric: str) -> float:
    """The metric of all rows, and all seeds, together."""
    true, predicted = table["emotion"].to_pylist(), table["predicted"].to_pylist()
    index = {label: place for place, label in enumerate(sorted({*true, *predicted}))}
    true_N, predicted_N = (np.array([index[one] for one in side]) for side in (true, predicted))
    return float(METRICS[metric](confusion_matrix(true_N, predicted_N, len(index))))


def why_not_printed(printed: PublishedResult | None, labels: Sequence[str], epochs: Epochs) -> str:
    """Why nothing here is held against the printed number; empty if it is."""
    if printed is None:
        return "the paper prints nothing for this corpus"
    if printed.num_classes != len(labels):
        return f"printed of {printed.num_classes} emotions, this corpus has {len(labels)}"
    if not epochs.is_whole:
        return f"{epochs.in_words} epochs ran here, which is not compared"
    return ""


def steps_between(
    tables: Mapping[str, pa.Table],
    with_copies: pa.Table | None,
    metric: str,
    epochs: Epochs,
    printed: float | None,
) -> list[ReproducedStep]:
    """The steps, each from the value before to the value after it.

    Args:
        tables: arm to predictions of recordings, as ``refolded`` gives them.
        with_copies: what the paper's own arm gives on its added test rows, too, if it has some.
        metric: what is compared.
        epochs: of each of the settings.
        printed: the printed number, from 0 to 1, if anything here may be held against it.
    """
    common = _common(tables)
    chain = [name for name in _CHAIN if name in common]
    pairs = [(after, before) for before, after in pairwise(chain)]
    compared = {one.first: one for one in compare_all(common, pairs, metric=metric)}
    values = {name: pooled_metric(table, metric) for name, table in common.items()}
    steps = []
    first = values["published-paper"]
    of_paper = first if with_copies is None else pooled_metric(with_copies, metric)
    if printed is not None:
        why = "the paper's predictions are not published"
        steps.append(_untested(NOT_REPRODUCED, printed, of_paper, why))
    if with_copies is not None:
        why = "rows are scored that the other arms do not have"
        steps.append(_untested("copies in the test", of_paper, first, why))
    for after, before in pairs:
        found = compared[after].to_dict()
        step = {
            "name": _NAMES[after],
            "before": values[before],
            "after": values[after],
            "difference": found["difference"],
            "interval": found["interval"],
            "p_holm": found["p_holm"],
            "verdict": found["verdict"],
            "why": found.get("lack") or found.get("method", ""),
        }
        steps.append(cast("ReproducedStep", step))
    if "published-short" not in common:
        steps.insert(-1, _no_budget(values["published-honest"], epochs))
    return steps


_CHAIN = ("published-paper", "published-honest", "published-short", "winner-honest")
_NAMES = {
    "published-honest": "protocol: new speakers",
    "published-short": "budget: fewer epochs",
    "winner-honest": "settings: the winner's",
}


def _common(tables: Mapping[str, pa.Table]) -> dict[str, pa.Table]:
    """The rows of the recordings that every arm has scored."""
    names = set.intersection(*(set(table["utterance"].to_pylist()) for table in tables.values()))
    return {arm: rows_of(table, names) for arm, table in tables.items()}


def _untested(name: str, before: float, after: float, why: str) -> ReproducedStep:
    return {
        "name": name,
        "before": before,
        "after": after,
        "difference": after - before,
        "interval": None,
        "p_holm": None,
        "verdict": NOT_TESTED,
        "why": why,
    }


def _no_budget(value: float, epochs: Epochs) -> ReproducedStep:
    """The step where there are no fewer epochs: no difference, or one that is not known."""
    why = f"{epochs.in_words} published epochs ran; what the rest would give is not known"
    step = _untested(BUDGET_UNKNOWN, value, value, why)
    if epochs.is_whole:
        step["name"], step["verdict"] = "budget: the same epochs", "tie"
        step["why"] = f"both settings train equally long (epochs: {epochs.shared})"
    return step
