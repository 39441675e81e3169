"""Tasks whose process dies: some deaths are outlived, and no task is tried for ever."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from raysearch.errors import InfrastructureError
from raysearch.streaming.ray_tasks import RETRIES, run_tasks

pytestmark = pytest.mark.ray

FULL_MEMORY = """
import sys
from pathlib import Path
from raysearch.errors import InfrastructureError
from raysearch.ray_cluster.session import cluster_session
from raysearch.streaming.ray_tasks import run_tasks
from test_dying_tasks import take_long

with cluster_session(None, Path(sys.argv[1]), num_cpus=1):
    try:
        list(run_tasks([{"number": 5}], take_long, {}, num_cpus=1))
    except InfrastructureError as error:
        print(error)
"""


def die(table, tried, times):
    """End this process unless it was done ``times`` before; each try leaves a file."""
    before = len(os.listdir(tried))
    Path(tried, str(os.getpid())).touch()
    if before < times:
        os.kill(os.getpid(), signal.SIGSEGV)
    return table


def take_long(table):
    """Be there to be ended."""
    time.sleep(60)
    return table


def test_a_task_outlives_some_deaths_of_its_process(cluster, tmp_path):
    kwargs = {"tried": str(tmp_path), "times": RETRIES}
    (table,) = run_tasks([{"number": 5}], die, kwargs, num_cpus=1)
    assert table.to_pylist() == [{"number": 5}]


def test_a_task_that_always_dies_is_told_of_and_not_tried_for_ever(cluster, tmp_path):
    kwargs = {"tried": str(tmp_path), "times": 1000}
    with pytest.raises(InfrastructureError, match=r"process of a task died 4 times \(die, Worker"):
        list(run_tasks([{"number": 5}], die, kwargs, num_cpus=1))
    assert len(list(tmp_path.iterdir())) == 1 + RETRIES


def test_a_task_whose_node_has_no_memory_is_told_of_and_not_tried_for_ever(tmp_path):
    env = {
        **os.environ,
        "PYTHONPATH": str(Path(__file__).parent),
        # Of any machine's memory more is in use: Ray ends whatever can be tried again.
        "RAY_memory_usage_threshold": "0.001",
        "RAY_memory_monitor_refresh_ms": "100",
        "RAY_task_oom_retry_delay_base_ms": "10",
    }
    command = [sys.executable, "-c", FULL_MEMORY, str(tmp_path)]
    ended = subprocess.run(command, env=env, capture_output=True, text=True, timeout=120)
    assert ended.stdout.startswith("Ray ended a task (take_long) each time"), ended.stderr
