"""Tasks whose process dies: some deaths are outlived, and no task is tried for ever."""

import os
import signal
from pathlib import Path

import pytest

from raysearch.errors import InfrastructureError
from raysearch.streaming.ray_tasks import RETRIES, run_tasks

pytestmark = [pytest.mark.ray, pytest.mark.usefixtures("cluster")]


def die(table, tried, times):
    """End this process unless it was done ``times`` before; each try leaves a file."""
    before = len(os.listdir(tried))
    Path(tried, str(os.getpid())).touch()
    if before < times:
        os.kill(os.getpid(), signal.SIGSEGV)
    return table


def test_a_task_outlives_some_deaths_of_its_process(tmp_path):
    kwargs = {"tried": str(tmp_path), "times": RETRIES}
    (table,) = run_tasks([{"number": 5}], die, kwargs, num_cpus=1)
    assert table.to_pylist() == [{"number": 5}]


def test_a_task_that_always_dies_is_told_of_and_not_tried_for_ever(tmp_path):
    kwargs = {"tried": str(tmp_path), "times": 1000}
    with pytest.raises(InfrastructureError, match=r"process of a task died 4 times \(die, Worker"):
        list(run_tasks([{"number": 5}], die, kwargs, num_cpus=1))
    assert len(list(tmp_path.iterdir())) == 1 + RETRIES
