"""The training of the net that a search's trials start from, on a worker slot.

It goes on from its last checkpoint whenever a slot or the driver is lost.
"""

import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from raysearch.config.identity import seed_from, stable_hash
from raysearch.config.search import SearchConfig
from raysearch.errors import DataError, InfrastructureError, TrialError
from raysearch.files import write_json
from raysearch.protocols.splits import Split
from raysearch.published_folder import load_json, verify
from raysearch.run_folder import RunFolder
from raysearch.run_lease import Lease
from raysearch.spec import SearchSpec
from raysearch.storage.run_storage import (
    fetch_published,
    forget_published,
    publication,
    published_below,
)
from raysearch.streaming.preparation import FeatureBank
from raysearch.trial_config import TrialConfig
from raysearch.tuning.budgets import MAX_PRETRAINING
from raysearch.tuning.tuner import Watcher
from raysearch.workers.epoch_report import EpochReport, lost_with_host
from raysearch.workers.faults import Fault
from raysearch.workers.pool import WorkerPool
from raysearch.workers.trial_task import TrialTask

__all__ = ["FOLDER", "NetTraining", "over"]

FOLDER = "pretraining"
# In the run's root, whose small files are sent to its storage.
SPENT = "pretraining-spent.json"
# Of no trial: a host counts the attempts of each number.
NUMBER = -1


@dataclass(frozen=True)
class NetTraining:
    """The net's way from its first epoch, or its last checkpoint, to its end.

    Attributes:
        run_folder: of the run whose trials will start from it.
        spec: of that run, whose budgets pay for it.
        lease: of the run's folder.
        config: the net's settings.
        split: the rows that it learns from.
        bank: their features.
        watcher: who is told.
    """

    run_folder: RunFolder
    spec: SearchSpec
    lease: Lease
    config: TrialConfig
    split: Split
    bank: FeatureBank
    watcher: Watcher

    def run(self, pool: WorkerPool) -> tuple[Path, int, tuple[float, float]]:
        """Train on whatever slot there is; the checkpoint, its epochs, and what all of it took."""
        spent_file = self.run_folder.root / SPENT
        spent_file.parent.mkdir(parents=True, exist_ok=True)
        before = load_json(spent_file) if spent_file.is_file() else {"wall_s": 0.0, "core_s": 0.0}
        resume = _newest_whole(self.checkpoints())
        spent = (float(before["wall_s"]), float(before["core_s"]))

        def tick(seconds: float) -> bool:
            """Note ``seconds`` more; whether the budget's part is used up."""
            nonlocal spent
            cpus = _cpus(pool)
            spent = (spent[0] + seconds, spent[1] + seconds * cpus)
            write_json(spent_file, {"wall_s": spent[0], "core_s": spent[1]})
            return over(self.spec.search, *spent)

        while True:
            pool.wait_for(1, self.watcher.say)
            slot = pool.claim()
            if slot is None:
                continue
            last = self._on_slot(pool, slot, resume, tick)
            if last.checkpoint is not None and not last.failed:
                pool.release(slot)
                folder = fetch_published(Path(last.checkpoint))
                verify(folder)
                return folder, last.checkpoint_epoch, spent
            if not _goes_on(pool, slot, last):
                raise InfrastructureError(f"no slot is left to pre-train on: {last.failed}")
            resume = _newest_whole(self.checkpoints())

    def checkpoints(self) -> list[Path]:
        """What was published of the training so far, the newest last."""
        folder = self.run_folder.root.absolute() / FOLDER
        here = [path for path in folder.glob("net/epoch-*") if path.is_dir()]
        return sorted({*here, *published_below(folder)}, key=lambda path: path.name)

    def forget(self, checkpoints: Sequence[Path]) -> None:
        """Remove checkpoints that a later one, or the net itself, has replaced."""
        for path in checkpoints:
            forget_published([path])
            shutil.rmtree(path, ignore_errors=True)

    # ---- on a slot -----------------------------------------------------------------------------

    def _on_slot(
        self, pool: WorkerPool, slot: int, resume: Path | None, tick: Callable[[float], bool]
    ) -> EpochReport:
        """Train there; the last report, which tells a checkpoint if it ended well."""
        task, last, enough = self._task(resume), time.monotonic(), False
        for report in pool.run(slot, task):
            if enough:  # it was let go, and this is all that is left to tell
                continue
            now = time.monotonic()
            enough, last = not report.failed and tick(now - last) and not report.done, now
            if kept := report.checkpoint:
                # Not the last by name: one that could not be read may have gone further.
                self.forget([path for path in self.checkpoints() if path != Path(kept)])
            if enough:
                pool.let_go(slot, NUMBER)
        unpublished = report.checkpoint is None and not report.failed
        return lost_with_host(task) if unpublished else report

    def _task(self, resume: Path | None) -> TrialTask:
        search, root = self.spec.search, self.run_folder.root.absolute()
        content = [self.config.identity(), self.split.identity(), search.workers_of_identity]
        identity = stable_hash([*content, search.seed])
        return TrialTask(
            number=NUMBER,
            trial=identity,
            attempt=1 + len(self.checkpoints()),
            label=f"pretraining {self.config.model.name}",
            config=self.config.to_dict(),
            seed=seed_from(identity, FOLDER),
            objective=search.objective,
            data=self.bank.data(self.config),
            folder=str(root / FOLDER / "net"),
            publication=publication(root, self.lease),
            resume=str(resume) if resume else None,
            checkpoint_every_s=search.checkpoint_every_s,
        )


def _goes_on(pool: WorkerPool, slot: int, last: EpochReport) -> bool:
    """Whether there is another slot, or this one later, for what ``slot`` could not end."""
    reason = last.failed or "ended"
    if last.slot_lost or last.fault is Fault.SLOT:
        return pool.lose(slot, reason)
    if last.fault is Fault.STORAGE:
        return pool.rest(slot, reason)
    pool.release(slot)
    raise TrialError(f"pre-training failed: {reason}")


def _newest_whole(checkpoints: list[Path]) -> Path | None:
    """The last one that is undamaged; a driver may have died while it was sent."""
    for path in reversed(checkpoints):
        try:
            verify(fetch_published(path))
        except DataError:
            continue
        return path
    return None


def _cpus(pool: WorkerPool) -> float:
    return pool.num_open() * pool.plan.workers * pool.plan.cpus_per_worker


def over(search: SearchConfig, wall_s: float, core_s: float) -> bool:
    """Whether pre-training that took so long has had its part of a budget."""
    limits = ((wall_s, search.time_budget_s), (core_s, search.core_budget_s))
    return any(most is not None and used > MAX_PRETRAINING * most for used, most in limits)
