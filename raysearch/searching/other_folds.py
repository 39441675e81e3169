"""The same search again inside each other outer fold: what a nested evaluation scores."""

import time
from pathlib import Path

from raysearch.evaluation.evaluate import final_arm_on, is_over, other_specs
from raysearch.evaluation.run_splits import RunSplits
from raysearch.evaluation.starting_point import begin_as
from raysearch.ray_cluster.session import ClusterSession
from raysearch.run_folder import RunFolder
from raysearch.searching.run_files import note_data
from raysearch.searching.whole_search import HeldSearch
from raysearch.spec import SearchSpec
from raysearch.storage.two_kinds import storage_of
from raysearch.tuning.start_record import learned_by
from raysearch.tuning.tuner import Watcher

__all__ = ["search_other_folds"]


def search_other_folds(
    run: RunFolder,
    session: ClusterSession,
    *,
    storage: Path,
    watcher: Watcher,
    splits: RunSplits | None = None,
) -> None:
    """Search inside every outer fold but the run's own, each in a folder of its own.

    A fold whose search is over is left as it is, and one that was cut off goes on.

    Args:
        run: the finished search, held.
        session: the connected Ray.
        storage: where features are kept.
        watcher: who is told.
        splits: those of the run, from a caller who goes on with them.

    Raises:
        UserError: the run has no model, or its protocol no other fold.
        LeakError: what its trials started from knows a row that another fold holds out.
        SearchInterruptedError: a signal; the next call goes on.
    """
    spec, started = run.spec(), time.time()
    splits = splits or RunSplits(run, storage)
    own = final_arm_on(run, spec, splits.of(spec))
    for other in other_specs(spec, own):
        _search(run, other, session, storage, watcher, started, splits)


def _search(
    run: RunFolder,
    spec: SearchSpec,
    session: ClusterSession,
    features: Path,
    watcher: Watcher,
    started: float,
    splits: RunSplits,
) -> None:
    fold = spec.protocol.fold
    inner = run.nested(fold)
    storage = storage_of(run.root)
    with storage.lease(inner.root) as lease:
        inner.open(spec, resume=inner.spec_file.exists())
        if is_over(inner, spec):
            return
        audited = splits.of(spec)
        found = learned_by(run)
        note_data(inner, audited, found[1] if found else None)
        watcher.say(f"searching inside fold {fold}")
        held = HeldSearch(inner, spec, lease, audited, session, storage, features, started)
        held.conduct(watcher, begin=begin_as(run, inner) if spec.pretrain.wanted else None)
