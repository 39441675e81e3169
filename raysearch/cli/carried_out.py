"""What the verbs of experiments on a winner have in common."""

from raysearch.cli.experiment_options import ExperimentOptions
from raysearch.cli.terminal import ProgressLine
from raysearch.evaluation.experiment import Experiment, Outcome
from raysearch.ray_cluster.session import cluster_session
from raysearch.run_lease import Lease
from raysearch.tuning.tuner import Watcher

__all__ = ["carried_out"]


def carried_out(
    experiment: Experiment, options: ExperimentOptions, lease: Lease, progress: ProgressLine
) -> Outcome:
    """Say what the experiment costs, start Ray, and carry it out.

    Args:
        experiment: planned.
        options: where features are kept, and the cluster.
        lease: of the run's folder.
        progress: where its lines and bars are shown.
    """
    progress.say(experiment.outlay_line())
    with cluster_session(options.address, experiment.run.logs) as session:
        watcher = Watcher(progress.say, progress.update)
        return experiment.carry_out(lease, session, storage=options.storage, watcher=watcher)
