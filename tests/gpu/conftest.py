"""The GPU that every test here needs; with ``--device cpu`` they are rehearsed without one.

    python -m pytest -m gpu tests/gpu

What is about CUDA itself is skipped in a rehearsal.
"""

import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
sys.path.append(str(HERE.parent / "unit"))


def pytest_addoption(parser):
    parser.addoption("--device", choices=("cuda", "cpu"), default="cuda", help="cpu: a rehearsal")


def pytest_collection_modifyitems(items):
    # Libraries warn of a GPU's own matters; that must not hide what a test found.
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.filterwarnings("default"))


@pytest.fixture(scope="session")
def rehearsed(request):
    """Whether there is no GPU, and none is wanted."""
    return request.config.getoption("--device", default="cuda") == "cpu"


@pytest.fixture(scope="session")
def device(rehearsed):
    """Where networks learn."""
    import torch

    if rehearsed:
        return torch.device("cpu")
    if not torch.cuda.is_available():
        pytest.skip("torch sees no CUDA device")
    return torch.device("cuda", 0)


@pytest.fixture
def cuda(device):
    """The GPU, for what no CPU can stand in for."""
    if device.type != "cuda":
        pytest.skip("about CUDA itself: not rehearsed on a CPU")
    return device


@pytest.fixture
def exact():
    """Convolutions in float32 and not in TF32, which keeps 10 bits of each factor."""
    import torch

    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = False
    yield
    torch.backends.cudnn.allow_tf32 = before
