"""The workers' side of a warm group: take a command, carry it out, report, again.

Runs inside Ray Train's workers, as the train function of a fit that lasts as long as the search.
Nothing of a trial outlives its ``finish``, ``drop`` or last epoch.
"""

import gc
import os
import uuid
from typing import Any

import ray
import ray.train
import torch
from ray.train.collective import broadcast_from_rank_zero

from raysearch.errors import RaysearchError
from raysearch.workers.commands import Command, Outcome
from raysearch.workers.faults import Fault, fault_of
from raysearch.workers.freed_memory import keep_freed_memory
from raysearch.workers.trial_session import TrialSession
from raysearch.workers.trial_task import TrialTask

__all__ = ["serve_trials"]


def serve_trials(config: dict[str, Any]) -> None:
    """Serve trials until the host says ``exit``.

    Args:
        config: ``host``, the handle of this group's
            :class:`~raysearch.workers.host.WorkerGroupHost`; ``threads``, the intra-op
            threads of each worker (Ray sets one, whatever the worker reserved); and ``gpus``, the
            GPUs of each.

    Raises:
        RuntimeError: this rank failed alone, or its process is no longer to be trusted; Ray Train
            then starts the group again.
    """
    torch.set_num_threads(config["threads"])
    if 0 < config["gpus"] < 1 and torch.cuda.is_available():
        # Who needs more than its part of a card should fail, not whoever shares the card with it.
        torch.cuda.set_per_process_memory_fraction(config["gpus"])
    # Tiny activations of half-dead units would make a CPU's steps many times slower.
    torch.set_flush_denormal(True)
    keep_freed_memory()
    host, context = config["host"], ray.train.get_context()
    rank = context.get_world_rank()
    token = broadcast_from_rank_zero(uuid.uuid4().hex)
    node, world_size = ray.get_runtime_context().get_node_id(), context.get_world_size()
    ray.get(host.join.remote(rank, token, os.getpid(), node, world_size))
    # The first optimizer of a process imports torch's compiler: not while its trial waits.
    torch.optim.SGD([torch.zeros(1)], lr=0.1)
    # What is imported stays: without it a collection after each trial takes milliseconds.
    gc.freeze()
    server = _Server(rank, world_size)
    index = 0
    while (command := ray.get(host.next_command.remote(token, index))).kind != "exit":
        outcome = server.carry_out(command)
        if not ray.get(host.report.remote(rank, token, index, outcome)):
            raise RuntimeError(outcome.error or "another rank of the group failed")
        index += 1
    server.drop()


class _Server:
    """The one trial that this rank holds."""

    def __init__(self, rank: int, world_size: int) -> None:
        self._rank = rank
        self._world_size = world_size
        self._session: TrialSession | None = None

    def carry_out(self, command: Command) -> Outcome:
        """Run ``command``; an exception becomes the outcome's error."""
        try:
            return self._carry_out(command)
        except Exception as error:
            failed = _failure(error)
        # Not inside the handler: the error's frames hold the tensors that are to be freed.
        return self._cleaned_up(failed)

    def drop(self) -> None:
        """Forget the trial and its memory."""
        if self._session is None:
            return
        self._session.close()
        self._session = None
        _free_memory()

    def _cleaned_up(self, failed: Outcome) -> Outcome:
        """Forget a trial that failed, even while it was built; what the host is told of it.

        After a device-side assert every call of CUDA fails, and the first error is the one to tell.
        One that shows only here is not the trial's own.
        """
        try:
            self.drop()
            _free_memory()
        except Exception as error:
            self._session = None
            return failed if failed.fault is not Fault.SETTINGS else _failure(error)
        return failed

    def _carry_out(self, command: Command) -> Outcome:
        match command.kind:
            case "start":
                assert command.task is not None
                return self._start(command.task)
            case "epoch":
                return self._epoch()
            case "finish":
                return self._finish()
            case "drop":
                self.drop()
                return Outcome()
            case "exit":
                raise RuntimeError("the loop ends with this command, which no trial carries out")

    def _start(self, task: TrialTask) -> Outcome:
        self.drop()
        features = ray.get(task.data)  # the host could not have read what is inside
        self._session = TrialSession(task, features, self._rank, self._world_size)
        return Outcome(afresh=self._session.afresh)

    def _epoch(self) -> Outcome:
        report = self._held().run_epoch()
        if report.done:
            self.drop()
        return Outcome(report)

    def _finish(self) -> Outcome:
        report = self._held().finish()
        self.drop()
        return Outcome(report)

    def _held(self) -> TrialSession:
        if self._session is None:
            raise RuntimeError("no trial is loaded in this worker")
        return self._session


def _failure(error: Exception) -> Outcome:
    """What the host is told of ``error``: its first line, and whose fault it is."""
    text = (str(error).splitlines() or [""])[0]
    fault = fault_of(error)
    ours = fault is Fault.STORAGE and isinstance(error, RaysearchError)
    return Outcome(error=text if ours else f"{type(error).__name__}: {text}", fault=fault)


def _free_memory() -> None:
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
