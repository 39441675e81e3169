"""Groups of ranks with a GPU: NCCL alone on a card, two ranks on one card, and what is refused."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from group_of_ranks import SHARES
from random_streams import near

from raysearch.errors import ResourceError
from raysearch.ray_cluster.resources import Node, plan_slots
from raysearch.workers.faults import Fault

pytestmark = pytest.mark.gpu

SCRIPT = Path(__file__).with_name("group_of_ranks.py")
LIMIT_S = 150
ONE_CARD = [Node(cpus=8.0, gpus=1.0)]


def told(what, backend, ranks, folder, device):
    """What each rank wrote; a rank that hangs is killed."""
    processes = [
        subprocess.Popen(
            [sys.executable, SCRIPT, what, backend, str(rank), str(ranks), folder, str(device)],
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(ranks)
    ]
    try:
        said = [process.communicate(timeout=LIMIT_S)[1][-2000:] for process in processes]
    finally:
        for process in processes:
            process.kill()
    paths = [Path(folder, f"{what}-{backend}-{ranks}-{rank}.json") for rank in range(ranks)]
    assert all(path.exists() for path in paths), said
    return [json.loads(path.read_text()) for path in paths]


def check_alone(answer):
    assert "error" not in answer, answer
    found = answer["found"]
    assert found["sum"] == [1.0, 1.0, 1.0]
    assert found["words"] == [{"rank": 0}]
    assert found["wrapped"] == near(found["bare"], 1e-3)


def test_a_group_of_one_by_nccl(cuda, tmp_path):
    check_alone(*told("alone", "nccl", 1, tmp_path, cuda))


def test_a_group_of_one_by_gloo(device, tmp_path):
    check_alone(*told("alone", "gloo", 1, tmp_path, device))


def test_two_ranks_of_gloo_on_one_card_learn_what_one_does(device, tmp_path):
    """Gradients through the wrapper, uneven shares, and ranks that stand by, on a GPU."""
    one, (first, second) = (told("together", "gloo", n, tmp_path, device) for n in (1, 2))
    assert "error" not in one[0], one
    assert first == second
    assert "error" not in first, first
    for (name, _, _), alone, both in zip(SHARES, one[0]["found"], first["found"], strict=True):
        assert both == near(alone, 5e-3), name


def test_nccl_refuses_two_ranks_of_one_card_and_that_is_the_slots_fault(cuda, tmp_path):
    answers = told("sum", "nccl", 2, tmp_path, cuda)
    assert all(answer.get("fault") == Fault.SLOT for answer in answers), answers


@pytest.mark.parametrize("gpus", [0.5, 1.0, None])
def test_a_plan_of_two_ranks_on_one_card_is_refused_before(device, gpus):
    wanted = {"workers": 2, "cpus_per_worker": 1, "gpus_per_worker": gpus}
    with pytest.raises(ResourceError, match=r"NCCL needs a whole device|can never fit"):
        plan_slots(ONE_CARD, **wanted, slots=1, trials=4)


def test_two_ranks_without_the_card_are_planned(device):
    wanted = {"workers": 2, "cpus_per_worker": 1, "gpus_per_worker": 0.0}
    plan = plan_slots(ONE_CARD, **wanted, slots=1, trials=4)
    assert plan.resources_per_worker == {"CPU": 1.0}
