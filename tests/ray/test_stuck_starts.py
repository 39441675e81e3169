"""A group whose worker stands still while it starts: its slot closes all the same."""

import os
import signal
import threading
import time

import psutil
import pytest
import ray
from ray.util.placement_group import (
    placement_group,
    placement_group_table,
    remove_placement_group,
)

from raysearch.ray_cluster.resources import Plan
from raysearch.workers.pool import WorkerPool

pytestmark = pytest.mark.ray

PATIENCE_S = 60.0


def wait_for(what, patience_s=PATIENCE_S):
    deadline = time.monotonic() + patience_s
    while not (found := what()):
        assert time.monotonic() < deadline, f"not in {patience_s:.0f} s"
        time.sleep(0.05)
    return found


def processes(title):
    """Those of this session's Ray whose title begins so."""
    raylets = [p for p in psutil.Process().children() if p.name() == "raylet"]
    found = [child for raylet in raylets for child in raylet.children(recursive=True)]
    return [process for process in found if title in command(process)[:1]]


def command(process):
    """Its command line; nothing of one that has ended, meanwhile too."""
    try:
        return [] if process.status() == psutil.STATUS_ZOMBIE else process.cmdline()
    except psutil.NoSuchProcess:
        return []


def pids(title):
    return {process.pid for process in processes(title)}


def free_cpus():
    return ray.available_resources().get("CPU", 0.0)


def test_a_slot_closes_while_its_worker_hangs_in_its_start(cluster, tmp_path, monkeypatch):
    monkeypatch.setattr("raysearch.workers.slot.CLOSE_S", 1.0)
    monkeypatch.setattr("raysearch.workers.slot.ABORT_S", 1.0)
    all_cpus = wait_for(lambda: free_cpus() == 2.0) and free_cpus()
    before = pids("ray::TrainController")
    pool = WorkerPool(Plan(1, 1, 1, 0.0), "stuck", tmp_path)
    try:
        (worker,) = wait_for(lambda: processes("ray::RayTrainWorker"))
        os.kill(worker.pid, signal.SIGSTOP)
        assert free_cpus() < all_cpus
        pool.slots[0].close()
        wait_for(lambda: free_cpus() == all_cpus)
        wait_for(lambda: not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE)
        wait_for(lambda: pids("ray::TrainController") <= before)
    finally:
        pool.close()


def test_a_closed_slot_leaves_no_controller_and_what_the_driver_reserved(cluster, tmp_path):
    place, before = placement_group([{"memory": 1}]), pids("ray::TrainController")
    pool = WorkerPool(Plan(1, 1, 1, 0.0), "own", tmp_path)
    try:
        assert place.wait(PATIENCE_S)
        wait_for(lambda: pool.slots[0].ready)
    finally:
        pool.close()
    wait_for(lambda: pids("ray::TrainController") <= before)
    assert placement_group_table(place)["state"] == "CREATED"
    remove_placement_group(place)


def test_no_thread_still_waits_for_ray_once_a_pool_has_closed(cluster, tmp_path):
    pool = WorkerPool(Plan(1, 1, 1, 0.0), "left", tmp_path)
    try:
        (worker,) = wait_for(lambda: processes("ray::RayTrainWorker"))
        os.kill(worker.pid, signal.SIGSTOP)
    finally:
        pool.close(timeout_s=0.5)
    assert not [t for t in threading.enumerate() if t.name.startswith("left-slot")]
    wait_for(lambda: not processes("ray::RayTrainWorker"))
