"""Trials whose slots are slow to begin them: side by side, and none for all."""

import asyncio
import time

import pytest
import ray

from raysearch.run_folder import RunFolder
from raysearch.storage.publication import Publication
from raysearch.tuning.sitting import _let_tune_run
from raysearch.workers.booked_trial import BookedTrial
from raysearch.workers.epoch_report import EpochReport
from raysearch.workers.trial_order import Assignment
from raysearch.workers.trial_task import TrialTask

pytestmark = pytest.mark.ray

SLOW_S, HUNG_S = 5.0, 60.0


@ray.remote(num_cpus=0, max_concurrency=100)
class SlowHost:
    """A host whose group takes its time to begin a trial of one epoch."""

    def __init__(self, hangs):
        self._hangs, self._freed = hangs, asyncio.Event()

    async def free(self):
        self._freed.set()

    async def begin(self, booking):
        if self._hangs:
            await asyncio.wait_for(self._freed.wait(), HUNG_S)
        await asyncio.sleep(SLOW_S)
        return EpochReport(0, attempt=1)

    async def step(self, booking, index):
        return EpochReport(0, attempt=1, epoch=1, value=0.5, done=True)

    async def trial(self, number):
        pass


def task_of(number):
    """An order of which Tune reads the number and the label."""
    return TrialTask(
        number=number,
        trial=f"{number:012x}",
        attempt=1,
        label=f"trial {number}",
        config={},
        seed=0,
        objective="val_uar",
        data=None,
        folder="",
        publication=Publication("", 1, None, ""),
    )


class Slots:
    """A trial to each of ``hosts``, as conductor and pool at once; when each trial ended."""

    stopping = error = None

    def __init__(self, hosts):
        self._hosts, self._waiting = hosts, list(hosts)
        self.begun, self.ended = time.monotonic(), {}

    @property
    def finished(self):
        return not self._waiting

    @property
    def idle(self):
        return len(self.ended) == len(self._hosts)

    def next_trial(self):
        if not self._waiting:
            return None
        slot = len(self._hosts) - len(self._waiting)
        self._waiting.pop(0)
        return Assignment(slot, task_of(slot))

    def assign(self, slot, task):
        return BookedTrial(task.number, task.label, self._hosts[slot], 0)

    def close_idle(self):
        pass

    def take(self, report):
        self.ended[report.number] = time.monotonic() - self.begun
        if len(self.ended) == len(self._hosts) - 1:
            ray.get(ray.get_actor(self._hosts[0]).free.remote())
        return True


def test_slots_start_side_by_side_and_one_that_hangs_starves_nobody(cluster, tmp_path):
    names = [f"slow-{index}" for index in range(4)]
    hosts = [SlowHost.options(name=name).remote(name == names[0]) for name in names]
    ray.get([host.free.remote() for host in hosts[1:]])
    slots = Slots(names)
    _let_tune_run(slots, slots, RunFolder(tmp_path), keep_slots=False)
    *others, last = sorted(slots.ended, key=slots.ended.__getitem__)
    assert last == 0, "the trial that hung is the last to end, and the others did not wait for it"
    times = [slots.ended[number] for number in others]
    print("ended after", {n: round(t, 1) for n, t in slots.ended.items()})
    assert max(times) - min(times) < SLOW_S, "their begins overlap"
