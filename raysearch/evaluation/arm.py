"""One arm of an evaluation: settings, and the split they are retrained and tested on."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

import ray

from raysearch.config.identity import seed_from
from raysearch.config.published import PublishedConfig
from raysearch.config.space import Space
from raysearch.errors import InfrastructureError, UserError
from raysearch.lease import Lease
from raysearch.spec import SearchSpec, TrialConfig
from raysearch.storage.runs import fetch_published, publication
from raysearch.training.state import BEST
from raysearch.tuning.pool import WorkerPool
from raysearch.tuning.preparation import AuditedSplit, FeatureBank
from raysearch.tuning.slot import Slot

__all__ = ["NUM_SEEDS", "Arm", "retrain"]

# The searched weights and two retrainings, or three retrainings where nothing was searched.
NUM_SEEDS = 3


@dataclass(frozen=True)
class Arm:
    """What is trained, and what it is tested on.

    Attributes:
        spec: the settings of the split: its protocol and fold.
        audited: that split.
        config: the settings that were chosen.
        identity: the identity of the chosen trial; retrainings derive their seeds from it.
        weights: the searched weights of this very split, or ``None`` if it was not searched.
        folder: where the retrainings of this arm are kept, by ``identity``.
        bank: the features of its training and validation rows.
    """

    spec: SearchSpec
    audited: AuditedSplit
    config: TrialConfig
    identity: str
    weights: Path | None
    folder: Path
    bank: FeatureBank | None = None

    @property
    def feature_spec(self) -> SearchSpec:
        """The spec whose only feature set is the chosen one."""
        return replace(
            self.spec,
            features=self.config.features,
            waveform_augment=self.config.waveform_augment,
            model=self.config.model,
            training=self.config.training,
            space=Space(),
            published=PublishedConfig(),
        )

    def weight_files(self) -> list[Path]:
        """The weights of each seed: the searched ones first, if there are any."""
        searched = [self.weights] if self.weights else []
        refits = [self._refit(seed) for seed in range(NUM_SEEDS - len(searched))]
        return [*searched, *(fetch_published(folder) / BEST for folder in refits)]

    def check_weights(self) -> None:
        """Raise UserError if a seed's weights are not there."""
        for path in self.weight_files():
            if not path.is_file():
                raise UserError(
                    f"{path}: no such weights: evaluate the run first; if its search went on "
                    "since, to another winner, move evaluation.json away before"
                )

    def tasks(self, run: Path, lease: Lease) -> list[dict[str, Any]]:
        """The retrainings that are not there yet, for a worker group.

        Their epoch is chosen on validation, as in the search.
        """
        assert self.bank is not None
        data = self.bank.data(self.config)
        count = NUM_SEEDS - (1 if self.weights else 0)
        return [
            {
                "trial": self.identity,
                "attempt": 1,
                "config": self.config.to_dict(),
                "seed": seed_from(self.identity, "refit", seed),
                "objective": self.spec.search.objective,
                "resume": None,
                "folder": str(self._refit(seed).parent),
                "checkpoint_name": self._refit(seed).name,
                **publication(run, lease),
                "checkpoint_every_s": float("inf"),
                "data": data,
            }
            for seed in range(count)
            if not (self._refit(seed) / BEST).exists()
        ]

    def _refit(self, seed: int) -> Path:
        # A resumed search can have another winner, whose retrainings must not be taken for these.
        return self.folder.absolute() / self.identity / f"seed-{seed + 1}" / "weights"


def retrain(pool: WorkerPool, tasks: Sequence[dict[str, Any]], say: Callable[[str], None]) -> None:
    """Run ``tasks`` to their ends, as many at a time as there are slots.

    Raises:
        InfrastructureError: a retraining failed, or its slot was lost.
    """
    queue: SimpleQueue[dict[str, Any]] = SimpleQueue()
    for number, task in enumerate(tasks):
        queue.put({**task, "number": number})
    slots = [slot for slot in pool.slots if slot.staying]
    with ThreadPoolExecutor(len(slots)) as executor:
        for future in [executor.submit(_work, pool, slot, queue, say) for slot in slots]:
            future.result()


def _work(
    pool: WorkerPool,
    slot: Slot,
    queue: "SimpleQueue[dict[str, Any]]",
    say: Callable[[str], None],
) -> None:
    while True:
        try:
            task = queue.get_nowait()
        except Empty:
            return
        _train(pool, slot, task)
        say(f"retrained {Path(task['folder']).relative_to(task['run_folder'])}")


def _train(pool: WorkerPool, slot: Slot, task: dict[str, Any]) -> None:
    lease = pool.assign(slot.index, task)["lease"]
    answer = ray.get(slot.host.begin.remote(lease))
    name = f"refit {task['number']} {task['config']['model']['name']}"
    named_task = slot.host.trial.options(name=name).remote(task["number"])
    index = 0
    while "failed" not in answer and not answer.get("done"):
        answer = ray.get(slot.host.step.remote(lease, index))
        index += 1
    if "failed" in answer:
        raise InfrastructureError(f"retraining in {task['folder']}: {answer['failed']}")
    ray.get(named_task)
