"""Pre-training: one net of other corpora, on a worker slot, before the first trial.

It has the space's own settings and learns from every recording of those corpora. What it has cost
is paid out of the search's budgets, of which it may take a third: then it ends where it is.
"""

import json
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import RayActorError

from raysearch.config.identity import seed_from, stable_hash
from raysearch.config.published import PublishedConfig
from raysearch.config.search import SearchConfig
from raysearch.config.space import Space
from raysearch.corpora.pretrain import PretrainConfig
from raysearch.corpora.table import CorpusConfig
from raysearch.errors import DataError, InfrastructureError, TrialError
from raysearch.evaluation.started import begun_by
from raysearch.files import write_json
from raysearch.lease import Lease
from raysearch.protocols.learned import LEARNED_FROM, Learned
from raysearch.protocols.splits import Split
from raysearch.run_folder import RunFolder
from raysearch.spec import SearchSpec
from raysearch.storage.runs import (
    ensure_current,
    fetch_published,
    forget_published,
    publication,
    published_below,
)
from raysearch.training.checkpoint import load_json, load_tensors, verify
from raysearch.training.start import PRETRAINED, WEIGHTS, read_start, save_start
from raysearch.training.state import BEST
from raysearch.trial_config import TrialConfig
from raysearch.tuning.budgets import MAX_PRETRAINING
from raysearch.tuning.faults import Fault
from raysearch.tuning.pool import WorkerPool
from raysearch.tuning.preparation import AuditedSplit, FeatureBank, prepare_features
from raysearch.tuning.start_record import (
    RECORD,
    StartRecord,
    kept_folder,
    kept_record,
    publish_start,
)
from raysearch.tuning.start_source import Source, taken_of
from raysearch.tuning.tuner import Begun, Watcher

__all__ = ["PretrainStage", "over"]

FOLDER = "pretraining"
# In the run's root, whose small files are sent to its storage.
SPENT = "pretraining-spent.json"
# Of no trial: a host counts the attempts of each number.
NUMBER = -1
LOST: dict[str, Any] = {"failed": "its slot's host died", "slot_lost": True}


@dataclass(frozen=True)
class PretrainStage:
    """What precedes the trials of a search that starts from somewhere.

    Attributes:
        run: the run; its lease is held.
        spec: its settings.
        lease: of the run's folder.
        audited: its data.
        source: what they start from, audited.
        storage: where features are kept.
        watcher: who is told.
    """

    run: RunFolder
    spec: SearchSpec
    lease: Lease
    audited: AuditedSplit
    source: Source
    storage: Path
    watcher: Watcher

    def __call__(self, pool: WorkerPool) -> Begun:
        """Fill ``pretrained/`` unless it is there.

        Raises:
            DataError: nothing fits a trial's network, or trials began and what they start from is
                gone.
            LeakError: what is there knows a held-out row; corpora may have changed since.
            TrialError: the pre-training failed.
            InfrastructureError: no slot is left to train on.
        """
        if kept_folder(self.run) is None:
            if self.run.ledger_file.exists() and self.run.trials().records:
                raise DataError(
                    f"{self.run.root / PRETRAINED}: what the trials started from is gone: search "
                    "anew under another --name"
                )
            if self.source.folder is None:
                self._learn(pool)
            else:
                self._keep(self.source.folder / self.source.weights, self.source.labels)
        folder = self.run.root / PRETRAINED
        record = kept_record(folder)
        for split in (self.audited.split, *self.audited.inner):
            Learned.read(folder / LEARNED_FROM).check(split, record.origin)
        self.watcher.say(f"trials start from {record.line()}")
        return begun_by(self.run)

    # ---- learning ----------------------------------------------------------------------------

    def _learn(self, pool: WorkerPool) -> None:
        spec = self._own_spec()
        corpus = self.source.corpus
        assert corpus is not None
        split = Split("speaker_independent", 0, 1, corpus.utterances, (), ())
        bank = prepare_features(spec, split, self.storage, on_progress=self.watcher.progress)
        self.watcher.say(f"pre-training on {self.source.learned.describe()}")
        training = _Training(self, spec.base, split, bank)
        checkpoint, epochs, spent = training.run(pool)
        if epochs < spec.training.epochs:
            self.watcher.say(
                f"pre-training ends after {epochs} of {spec.training.epochs} epochs: it has had "
                "its third of the budget"
            )
        self._keep(
            checkpoint / BEST, bank.rows.labels, epochs=epochs, wall_s=spent[0], core_s=spent[1]
        )
        self.forget(self.checkpoints())
        shutil.rmtree(self.run.root / FOLDER, ignore_errors=True)

    def _own_spec(self) -> SearchSpec:
        """The space's own settings, searched nowhere, on the corpora to learn from."""
        spec, pretrain = self.spec, self.spec.pretrain
        assert pretrain.on is not None
        training = spec.training
        if pretrain.epochs is not None:
            training = training.model_copy(update={"epochs": pretrain.epochs})
        return replace(
            spec,
            corpus=CorpusConfig(
                name=pretrain.on,
                data=pretrain.data,
                max_quarantined=spec.corpus.max_quarantined,
            ),
            pretrain=PretrainConfig(),
            training=training,
            space=Space(),
            published=PublishedConfig(),
            search=spec.search.model_copy(update={"fusion": False}),
        )

    def checkpoints(self) -> list[Path]:
        """What was published of the training so far, the newest last."""
        folder = self.run.root.absolute() / FOLDER
        here = [path for path in folder.glob("net/epoch-*") if path.is_dir()]
        return sorted({*here, *published_below(folder)}, key=lambda path: path.name)

    def forget(self, checkpoints: Sequence[Path]) -> None:
        """Remove checkpoints that a later one, or the net itself, has replaced."""
        for path in checkpoints:
            forget_published([path])
            shutil.rmtree(path, ignore_errors=True)

    # ---- keeping -----------------------------------------------------------------------------

    def _keep(self, weights: Path, labels: tuple[str, ...], **cost: Any) -> None:
        config = self.source.config or self.spec.base
        tensors = load_tensors(weights)

        def write(stage: Path) -> None:
            save_start(stage / WEIGHTS, tensors, labels)
            start = read_start(stage / WEIGHTS)
            record = StartRecord(
                origin=self.source.origin,
                learned=self.source.learned.describe(),
                taken=taken_of(self.spec, start, self.audited.split.labels).describe(),
                digest=start.digest,
                **cost,
            )
            texts = {
                RECORD: record.model_dump_json(indent=1),
                "config.json": json.dumps(config.to_dict(), indent=1),
                "labels.json": json.dumps(list(labels)),
                LEARNED_FROM: self.source.learned.to_csv(),
            }
            for name, text in texts.items():
                (stage / name).write_text(text, encoding="utf-8")

        publish_start(self.run, write, lambda: ensure_current(self.run.root, self.lease.fence))


@dataclass(frozen=True)
class _Training:
    """The net's way from its first epoch, or its last checkpoint, to its end."""

    stage: PretrainStage
    config: TrialConfig
    split: Split
    bank: FeatureBank

    def run(self, pool: WorkerPool) -> tuple[Path, int, tuple[float, float]]:
        """Train on whatever slot there is; the checkpoint, its epochs, and what all of it took."""
        stage, spent_file = self.stage, self.stage.run.root / SPENT
        spent_file.parent.mkdir(parents=True, exist_ok=True)
        before = load_json(spent_file) if spent_file.is_file() else {"wall_s": 0.0, "core_s": 0.0}
        resume = _newest_whole(stage.checkpoints())
        spent = (float(before["wall_s"]), float(before["core_s"]))

        def tick(seconds: float) -> bool:
            """Note ``seconds`` more; whether the budget's part is used up."""
            nonlocal spent
            cpus = _cpus(pool)
            spent = (spent[0] + seconds, spent[1] + seconds * cpus)
            write_json(spent_file, {"wall_s": spent[0], "core_s": spent[1]})
            return over(stage.spec.search, *spent)

        while True:
            pool.wait_for(1, stage.watcher.say)
            slot = pool.claim()
            if slot is None:
                continue
            answer = self._on_slot(pool, slot, resume, tick)
            if "failed" not in answer:
                pool.release(slot)
                folder = fetch_published(Path(answer["checkpoint"]))
                verify(folder)
                return folder, int(answer["checkpoint_epoch"]), spent
            if not _goes_on(pool, slot, answer):
                raise InfrastructureError(f"no slot is left to pre-train on: {answer['failed']}")
            resume = _newest_whole(stage.checkpoints())

    def _on_slot(
        self, pool: WorkerPool, slot: int, resume: Path | None, tick: Callable[[float], bool]
    ) -> dict[str, Any]:
        """Train there; the last answer of its host, which holds ``checkpoint`` if it ended well."""
        host = pool.slots[slot].host
        lease = pool.assign(slot, self._task(resume))["lease"]
        last, index = time.monotonic(), 0
        name = f"pretraining {self.config.model.name}"
        try:
            answer: dict[str, Any] = ray.get(host.begin.remote(lease))
            named_task = host.trial.options(name=name).remote(NUMBER)
            while "failed" not in answer and not answer.get("done"):
                answer = ray.get(host.step.remote(lease, index))
                index += 1
                now = time.monotonic()
                enough, last = tick(now - last), now
                if kept := answer.get("checkpoint"):
                    # Not the last by name: one that could not be read may have gone further.
                    old = [path for path in self.stage.checkpoints() if path != Path(kept)]
                    self.stage.forget(old)
                if enough and "failed" not in answer and not answer["done"]:
                    pool.let_go(slot, NUMBER)
                    answer = ray.get(host.step.remote(lease, index))
                    if "failed" not in answer and "checkpoint" not in answer:
                        answer = LOST
            if "failed" not in answer:
                ray.get(named_task)
        except RayActorError:
            return LOST
        return answer

    def _task(self, resume: Path | None) -> dict[str, Any]:
        stage, search = self.stage, self.stage.spec.search
        content = [self.config.identity(), self.split.identity(), search.workers_of_identity]
        identity = stable_hash([*content, search.seed])
        return {
            "trial": identity,
            "number": NUMBER,
            "attempt": 1 + len(stage.checkpoints()),
            "config": self.config.to_dict(),
            "seed": seed_from(identity, FOLDER),
            "objective": search.objective,
            "resume": str(resume) if resume else None,
            "folder": str(stage.run.root.absolute() / FOLDER / "net"),
            **publication(stage.run.root.absolute(), stage.lease),
            "checkpoint_every_s": search.checkpoint_every_s,
            "data": self.bank.data(self.config),
        }


def _goes_on(pool: WorkerPool, slot: int, answer: Mapping[str, Any]) -> bool:
    """Whether there is another slot, or this one later, for what ``slot`` could not end."""
    reason, fault = answer["failed"], answer.get("fault")
    if answer.get("slot_lost") or fault == Fault.SLOT:
        return pool.lose(slot, reason)
    if fault == Fault.STORAGE:
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
