"""What of a GPU's memory a worker may count on, without opening the GPU."""

import subprocess
import sys
from types import SimpleNamespace

import pytest

from raysearch.ray_cluster import gpu_memory
from raysearch.ray_cluster.gpu_memory import free_gpu_bytes
from raysearch.streaming.tiers import choose_tier

GIB = 2**30


class NvmlError(Exception):
    """As the driver's library raises it."""


def driver_library(*free):
    """That of a machine with GPUs of so many free bytes; ``opened`` and ``closed`` count."""
    found = SimpleNamespace(NVMLError=NvmlError, opened=0, closed=0)

    def init():
        found.opened += 1

    def shutdown():
        found.closed += 1

    def by_index(index):
        if index >= len(free):
            raise NvmlError
        return index

    def by_name(name):
        if not name.startswith("GPU-"):
            raise NvmlError
        return by_index(int(name.removeprefix("GPU-")))

    found.nvmlInit, found.nvmlShutdown = init, shutdown
    found.nvmlDeviceGetCount = lambda: len(free)
    found.nvmlDeviceGetHandleByIndex, found.nvmlDeviceGetHandleByUUID = by_index, by_name
    found.nvmlDeviceGetMemoryInfo = lambda device: SimpleNamespace(free=free[device])
    return found


@pytest.mark.parametrize(
    ("share", "visible", "expected"),
    [
        (None, None, 60),
        (1.0, None, 60),
        (2.0, None, 60),
        (0.25, None, 15),
        (0.0, None, None),
        (None, "0", 80),
        (None, "GPU-0", 80),
        (None, "0,7,1", 80),
        (0.5, "1", 30),
        (None, "", None),
        (None, "-1", None),
    ],
)
def test_a_worker_counts_on_its_part_of_the_fullest_gpu(share, visible, expected):
    nvml = driver_library(80 * GIB, 60 * GIB)
    environment = {} if visible is None else {"CUDA_VISIBLE_DEVICES": visible}
    found = free_gpu_bytes(share, nvml, environment)
    assert found == (expected * GIB if expected else None)
    assert nvml.opened == nvml.closed


@pytest.mark.parametrize(("visible", "expected"), [(None, 60), ("", 60), ("0", 80), ("-1", None)])
def test_a_node_answers_for_the_gpus_that_its_user_has_chosen(monkeypatch, visible, expected):
    """An empty list is no choice: Ray hides the GPUs so from a task that reserves none."""
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    found = gpu_memory._free_on_this_node(None, driver_library(80 * GIB, 60 * GIB))
    assert found == (expected * GIB if expected else None)


def test_a_gpu_is_filled_from_the_nodes_cache():
    assert choose_tier(10 * GIB, 80 * GIB, 8 * GIB)[0] == "stream"


def test_four_shares_of_one_card_do_not_take_all_of_it():
    """The device tier takes three tenths of what a worker has; all four together no more."""
    card = driver_library(40 * GIB)
    assert choose_tier(10 * GIB, free_gpu_bytes(None, card, {}), 64 * GIB)[0] == "device"
    assert choose_tier(10 * GIB, free_gpu_bytes(0.25, card, {}), 64 * GIB)[0] == "host"
    assert choose_tier(3 * GIB, free_gpu_bytes(0.25, card, {}), 64 * GIB)[0] == "device"


def test_no_torch_is_asked():
    code = (
        "import sys; from raysearch.ray_cluster.gpu_memory import free_gpu_bytes; "
        "free_gpu_bytes(); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
