"""What ``training.compile`` makes of each architecture; the first of a process takes longest."""

import shutil

import pytest
from random_streams import SMALL, learner_of, losses, near
from torch._dynamo.utils import counters

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(
        not any(map(shutil.which, ("cc", "gcc", "clang"))),
        reason="torch.compile needs a C compiler, and there is none",
    ),
]

TOLERANCE = 2e-3


@pytest.mark.parametrize("name", sorted(SMALL))
def test_compiled_losses_are_those_of_eager(name, device, exact):
    eager = losses(learner_of(name, device), 1)
    counters.clear()
    trial = learner_of(name, device, compile=True)
    compiled = losses(trial, 1)
    assert counters["stats"]["unique_graphs"] > 0, "nothing was compiled"
    trial.close()
    assert compiled == near(eager, TOLERANCE)
