"""What a worker tells of a trial that failed, and what it still holds of it."""

import weakref

import pytest
import torch

from raysearch.workers.commands import Command
from raysearch.workers.faults import Fault
from raysearch.workers.worker_loop import _Server

ASSERT = torch.AcceleratorError("CUDA error: device-side assert triggered\nCUDA kernel errors ...")


class Activations:
    """Stands for a tensor, of which it can be told when it is freed."""


class FailingSession:
    """A trial whose epoch raises ``error``, and whose end raises ``at_end``."""

    def __init__(self, error, at_end=None):
        self.error, self.at_end = error, at_end
        self.held, self.held_at_end = None, None

    def run_epoch(self):
        activations = Activations()
        self.held = weakref.ref(activations)
        raise type(self.error)(*self.error.args)  # one that nobody else holds

    def close(self):
        self.held_at_end = self.held()
        if self.at_end:
            raise self.at_end


def failed_epoch(session):
    server = _Server(0, 1)
    server._session = session
    outcome = server.carry_out(Command("epoch"))
    assert server._session is None
    return outcome


def test_what_a_failed_epoch_held_is_free_before_memory_is_given_back():
    session = FailingSession(torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"))
    outcome = failed_epoch(session)
    assert outcome.fault is Fault.MEMORY
    assert outcome.error == "OutOfMemoryError: CUDA out of memory. Tried to allocate 2 GiB"
    assert session.held_at_end is None


@pytest.mark.parametrize("error", [ASSERT, ValueError("no")])
def test_a_gpu_that_is_broken_at_the_end_too_is_the_slots_fault(error):
    outcome = failed_epoch(FailingSession(error, at_end=ASSERT))
    assert outcome.fault is Fault.SLOT
    assert outcome.error == "AcceleratorError: CUDA error: device-side assert triggered"


def test_what_was_there_before_the_end_broke_is_told():
    broken = torch.AcceleratorError("CUDA error: unspecified launch failure")
    assert "assert" in failed_epoch(FailingSession(ASSERT, at_end=broken)).error
