"""Real errors of CUDA, as a worker meets them. Each breaks a process of its own."""

import subprocess
import sys

import pytest
import torch

from raysearch.workers.commands import Command
from raysearch.workers.faults import Fault
from raysearch.workers.worker_loop import _Server

pytestmark = pytest.mark.gpu

FAR_TOO_MUCH = 2**50
BROKEN = """
import os
import torch
from raysearch.workers.commands import Command
from raysearch.workers.worker_loop import _Server

class Session:
    def run_epoch(self):
        {code}
        torch.cuda.synchronize()
    def close(self):
        torch.cuda.empty_cache()

server = _Server(0, 1)
server._session = Session()
outcome = server.carry_out(Command("epoch"))
print(outcome.fault, "|", outcome.error, flush=True)
os._exit(0)
"""


class Greedy:
    """A trial that holds a gigabyte when it asks for more than there is."""

    def run_epoch(self):
        held = torch.zeros(2**28, device="cuda")
        return held.sum() + torch.zeros(FAR_TOO_MUCH, dtype=torch.uint8, device="cuda")

    def close(self):
        pass


def test_out_of_memory_is_told_as_such_and_all_is_free_after(cuda):
    torch.zeros(1, device=cuda)
    torch.cuda.empty_cache()
    before = torch.cuda.memory_reserved(cuda)
    server = _Server(0, 1)
    server._session = Greedy()
    outcome = server.carry_out(Command("epoch"))
    assert outcome.fault is Fault.MEMORY
    assert outcome.error.startswith("OutOfMemoryError: CUDA out of memory")
    assert torch.cuda.memory_reserved(cuda) <= before


CASES = {
    "page-locked memory": ("torch.empty(2**46, dtype=torch.uint8, pin_memory=True)", "memory"),
    "an index": ("torch.zeros(4, device='cuda')[torch.tensor([9], device='cuda')]", "slot"),
    "a label": (
        "torch.nn.functional.cross_entropy(torch.zeros(1, 3, device='cuda'),"
        " torch.tensor([7], device='cuda'))",
        "slot",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_broken_process_tells_whose_fault_it_was(case, cuda):
    code, fault = CASES[case]
    done = subprocess.run(
        [sys.executable, "-c", BROKEN.format(code=code)],
        capture_output=True,
        text=True,
        timeout=120,
    )
    told = done.stdout.strip().splitlines()[-1:]
    assert told, done.stderr[-2000:]
    assert told[0].startswith(f"{fault} |"), told
