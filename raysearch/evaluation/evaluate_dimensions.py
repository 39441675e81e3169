"""Scoring a finished search that predicts dimensions, as ``evaluate`` scores one of emotions."""

from pathlib import Path

from raysearch.evaluation.dimension_scores import DimensionEvaluation, mean_ccc, score_dimensions
from raysearch.evaluation.evaluate import scored_arms, where_scored
from raysearch.evaluation.evaluation_notes import evaluation_notes
from raysearch.evaluation.figures import Mode
from raysearch.evaluation.other_models import cost_of, tables_of_parts
from raysearch.evaluation.predict import pooled
from raysearch.evaluation.run_splits import RunSplits
from raysearch.evaluation.stored_dimensions import dimensions_file, stored_dimensions
from raysearch.evaluation.stored_evaluations import store_predictions
from raysearch.files import write_json
from raysearch.ray_cluster.session import ClusterSession
from raysearch.run_folder import RunFolder
from raysearch.run_lease import Lease
from raysearch.tuning.tuner import Watcher

__all__ = ["evaluate_dimensions"]


def evaluate_dimensions(
    run: RunFolder,
    mode: Mode,
    session: ClusterSession,
    lease: Lease,
    *,
    storage: Path,
    watcher: Watcher,
    splits: RunSplits,
) -> DimensionEvaluation:
    """Score the final model on test rows; write figures and, beside them, its predictions.

    The arguments are those of ``evaluate``, which says what is raised.
    """
    own, arms, results = scored_arms(
        run, mode, session, lease, storage=storage, watcher=watcher, splits=splits
    )
    table = pooled([table for table, _ in results])
    scored = score_dimensions(
        table,
        protocol="paper" if mode == "paper" else own.spec.protocol.name,
        where=where_scored(mode, own, arms),
        notes=evaluation_notes(run, mode, arms, results),
    )
    figures: DimensionEvaluation = {
        **scored,
        "mode": mode,
        "trial": own.identity,
        "final": [arm.method for arm in arms],
        "cost": cost_of(arms[0]),
        "parts": {name: mean_ccc(part) for name, part in tables_of_parts(arms, storage)},
    }
    stored = {**stored_dimensions(run), mode: figures}
    store_predictions(run, mode, table, stored)
    write_json(dimensions_file(run), stored)
    return figures
