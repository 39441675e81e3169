"""A cluster's nodes join, are drained and die under a search; it grows, moves and loses nothing."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from driver import Driver
from ray.cluster_utils import Cluster

pytestmark = [pytest.mark.fault, pytest.mark.timeout(900)]

# Long enough for a node to come and go, and never stopped early.
LONG = ["--slots=2", "--set=search.scheduler=none", "--set=search.checkpoint_every_s=5"]
NUM_EPOCHS = 40


@pytest.fixture
def cluster():
    """A head with one CPU; nodes of one CPU each are added by the tests."""
    made = Cluster(
        initialize_head=True,
        shutdown_at_exit=False,
        head_node_args={
            "num_cpus": 1,
            "include_dashboard": True,
            "dashboard_host": "127.0.0.1",
            "dashboard_port": 0,
            "object_store_memory": 200_000_000,
        },
    )
    yield made
    made.shutdown()


def add_node(cluster):
    return cluster.add_node(num_cpus=1, object_store_memory=200_000_000)


def slots_of(driver):
    """The slots that reported an epoch so far."""
    return {event["slot"] for event in driver.events() if event["event"] == "epoch"}


def started(cluster, tmp_path):
    driver = Driver(
        tmp_path, "one", "--address", cluster.address, *LONG, trials=3, epochs=NUM_EPOCHS
    )
    driver.wait_until(lambda d: len(slots_of(d)) == 1)
    return driver


def on_second(driver):
    """The trial that runs on a slot which was not the first."""
    first = min(slots_of(driver))
    epochs = [e for e in driver.events() if e["event"] == "epoch" and e["slot"] != first]
    return epochs[-1]["number"]


def check_whole(driver):
    assert driver.finish() == 0, driver.log.read_text()
    events = driver.events()
    ends = [event["number"] for event in events if event["event"] == "completed"]
    assert sorted(ends) == [0, 1, 2]
    for number in ends:
        epochs = {e["epoch"]: e for e in events if e["event"] == "epoch" and e["number"] == number}
        assert sorted(epochs) == list(range(1, NUM_EPOCHS + 1))
    assert (driver.run / "best" / "weights.safetensors").stat().st_size > 0


def test_a_drained_node_s_trial_publishes_and_moves(cluster, tmp_path):
    driver = started(cluster, tmp_path)
    node = add_node(cluster)
    driver.wait_until(lambda d: len(slots_of(d)) == 2)  # the pool grew while the search ran
    number = on_second(driver)
    drain = [Path(sys.executable).parent / "ray", "drain-node", "--address", cluster.address]
    drain += ["--node-id", node.node_id, "--reason", "DRAIN_NODE_REASON_PREEMPTION"]
    drain += ["--reason-message", "spot", "--deadline-remaining-seconds", "120"]
    subprocess.run(drain, check=True, capture_output=True, timeout=60)
    driver.wait_until(lambda d: resumed(d, number))
    events = [event for event in driver.events() if event["number"] == number]
    again = next(i for i, event in enumerate(events) if event["event"] == "resumed")
    before = [event["epoch"] for event in events[:again] if event["event"] == "epoch"]
    assert events[again - 1]["event"] == "checkpoint"
    assert events[again]["epoch"] == events[again - 1]["epoch"] == max(before), "nothing is redone"
    cluster.remove_node(node, allow_graceful=False)
    check_whole(driver)


def test_a_dead_node_s_trial_goes_on_elsewhere(cluster, tmp_path):
    driver = started(cluster, tmp_path)
    node = add_node(cluster)
    driver.wait_until(lambda d: len(slots_of(d)) == 2)
    number = on_second(driver)
    cluster.remove_node(node, allow_graceful=False)
    driver.wait_until(lambda d: resumed(d, number))
    check_whole(driver)


def test_a_hung_worker_whose_host_dies_is_ended(cluster, tmp_path):
    driver = started(cluster, tmp_path)
    (worker,), (host,) = actors(cluster, "RayTrainWorker"), actors(cluster, "WorkerGroupHost")
    os.kill(worker, signal.SIGSTOP)
    os.kill(host, signal.SIGKILL)
    check_whole(driver)  # with a CPU that the hung one held
    assert not psutil.pid_exists(worker)


def actors(cluster, name):
    """The process ids of the cluster's actors of a class."""
    raylets = [node.all_processes["raylet"][0].process.pid for node in cluster.list_all_nodes()]
    below = [one for pid in raylets for one in psutil.Process(pid).children(recursive=True)]
    return [one.pid for one in below if one.cmdline()[:1] and name in one.cmdline()[0]]


def resumed(driver, number):
    return any(e["event"] == "resumed" and e["number"] == number for e in driver.events())
