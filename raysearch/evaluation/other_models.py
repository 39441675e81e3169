"""Scores what a final model is compared with: other models of its search, the space's defaults.

A search pays if its model beats the settings that its space came with; both are scored on the
same test rows, fold by fold. Nothing is trained for it.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
import pyarrow as pa

from raysearch.evaluation.arm import Arm
from raysearch.evaluation.candidates import own_record
from raysearch.evaluation.figures import Cost, PartFigures, of_metric
from raysearch.evaluation.final_model import FinalModel, Net
from raysearch.evaluation.final_stage import single_model
from raysearch.evaluation.predict import mean_probabilities, predict_arm
from raysearch.evaluation.probability_columns import by_utterance, known_emotions, probabilities
from raysearch.evaluation.scores import score
from raysearch.evaluation.statistics import METRICS
from raysearch.run_folder import RunFolder
from raysearch.spec import SearchSpec

__all__ = ["OWN", "TOGETHER", "cost_of", "parts_of", "score_parts", "tables_of_parts"]

OWN, TOGETHER = "own settings", "trainings together"


def parts_of(run: RunFolder, spec: SearchSpec, model: FinalModel) -> dict[str, tuple[Net, ...]]:
    """The nets of what else the trials give, and of the space's own settings."""
    parts = dict(model.others)
    if (own := own_record(run.trials())) is not None:
        parts[OWN] = single_model(run, spec, own).nets
    return parts


def cost_of(arm: Arm) -> Cost:
    """What using the model takes: nets, MiB of weights, and milliseconds an utterance.

    Timed on validation rows in one process, features apart; an indication, not a benchmark.
    """
    assert arm.bank is not None
    nets = arm.variants()[0]
    rows = arm.bank.rows.validation
    mean_probabilities(nets, arm.bank, rows)  # whatever is read for the first time
    started = time.perf_counter()
    mean_probabilities(nets, arm.bank, rows)
    seconds = time.perf_counter() - started
    return {
        "nets": len(nets),
        "mebibytes": sum(net.weights.stat().st_size for net in nets) / 2**20,
        "ms_per_utterance": 1000 * seconds / len(rows),
    }


def score_parts(arms: Sequence[Arm], table: pa.Table, storage: Path) -> dict[str, PartFigures]:
    """Figures of the parts, pooled over ``arms`` as the final model's own are.

    Args:
        arms: one a fold, with their banks; their test features are there.
        table: the predictions of the final models and their retrainings.
        storage: where features are kept.

    Returns:
        By name ``ua``, ``wa``, ``macro_f1`` and ``per_fold_ua``; for the space's own settings
        also ``gain_by_fold``, what the final model has above them.
    """
    found: dict[str, PartFigures] = {}
    if len(set(table["seed"].to_pylist())) > 1:
        found[TOGETHER] = _figures(_together(table))
    for name, tables in tables_of_parts(arms, storage):
        found[name] = _figures(tables)
    if OWN in found:
        final = _figures(table)["per_fold_ua"]
        own = found[OWN]["per_fold_ua"]
        found[OWN]["gain_by_fold"] = {fold: final[fold] - own[fold] for fold in own}
    return found


def tables_of_parts(arms: Sequence[Arm], storage: Path) -> Iterator[tuple[str, pa.Table]]:
    """The name of each part that all ``arms`` have, and what it predicts; as ``score_parts``."""
    for name in dict.fromkeys(name for arm in arms for name in arm.parts):
        # What a fold lacks is its final model: that of this name, or one without a partner.
        nets = [arm.parts.get(name, arm.searched if name != OWN else ()) for arm in arms]
        if all(nets):
            yield name, _predictions(arms, nets, storage)


def _predictions(arms: Sequence[Arm], nets: Sequence[tuple[Net, ...]], storage: Path) -> pa.Table:
    tables = []
    for arm, part in zip(arms, nets, strict=True):
        alone = replace(arm, searched=part, num_seeds=1, parts={})
        tables.append(predict_arm(alone, storage)[0])
    return pa.concat_tables(tables, promote_options="default")


def _figures(table: pa.Table) -> PartFigures:
    figures = score(table, protocol="", where={}, notes=[])
    means = {name: of_metric(figures, name)["mean"] for name in METRICS}
    return cast("PartFigures", {**means, "per_fold_ua": figures["per_fold_ua"]})


def _together(table: pa.Table) -> pa.Table:
    """The mean log-probability of all trainings, one row an utterance."""
    logs_RK = np.log(np.maximum(probabilities(table), np.finfo(np.float64).tiny))
    rows, mean_NK = by_utterance(table, logs_RK)
    labels = known_emotions(table)
    predicted = pa.array([labels[k] for k in mean_NK.argmax(axis=1)])
    rows = rows.set_column(rows.column_names.index("predicted"), "predicted", predicted)
    seeds = pa.array(np.zeros(len(rows), dtype=np.int64))
    return rows.set_column(rows.column_names.index("seed"), "seed", seeds)
