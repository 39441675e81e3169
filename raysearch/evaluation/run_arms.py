"""What every comparison of arms does: prepare, train what is missing, and predict."""

from collections.abc import Callable, Sequence
from pathlib import Path

from raysearch.evaluation.arm import Arm
from raysearch.evaluation.retraining import retrain
from raysearch.evaluation.stored_predictions import Predicted, predicted
from raysearch.ray_cluster.session import ClusterSession
from raysearch.run_folder import RunFolder
from raysearch.run_lease import Lease
from raysearch.spec import SearchSpec
from raysearch.tuning.tuner import Watcher
from raysearch.workers.open_pool import start_pool
from raysearch.workers.trial_task import TrialTask

__all__ = ["run_arms", "train_missing"]


def run_arms(
    arms: Sequence[Arm],
    spec: SearchSpec,
    run: RunFolder,
    lease: Lease,
    session: ClusterSession,
    *,
    line: Callable[[int], str],
    storage: Path,
    watcher: Watcher,
) -> tuple[list[Arm], list[Predicted]]:
    """Train each arm's nets that are not there yet, and predict its test rows.

    Both are stored as they are made: what was interrupted goes on.

    Args:
        arms: what is compared.
        spec: says how many slots train it.
        run: the run that it all belongs to.
        lease: of its folder.
        session: the connected Ray.
        line: the number of trainings, if there are any, to a line for the user.
        storage: where features are kept.
        watcher: who is told.

    Returns:
        The arms with their features, and of each its predictions and the utterances that could
        not be used, with reasons.
    """
    ready = [arm.prepared(storage) for arm in arms]
    tasks = [task for arm in ready for task in arm.tasks(run.root.absolute(), lease)]
    train_missing(tasks, spec, run, session, line=line, watcher=watcher)
    return ready, [predicted(arm, storage, watcher.progress) for arm in ready]


def train_missing(
    tasks: Sequence[TrialTask],
    spec: SearchSpec,
    run: RunFolder,
    session: ClusterSession,
    *,
    line: Callable[[int], str],
    watcher: Watcher,
) -> None:
    """Carry ``tasks`` out, on slots that are opened for them, if there are any."""
    if tasks:
        watcher.say(line(len(tasks)))
        with start_pool(spec, run, session, watcher.say) as pool:
            retrain(pool, tasks, watcher.say)
