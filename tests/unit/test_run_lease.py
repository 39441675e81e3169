"""The lease of a run's folder: one holder, whose fence rises."""

import os
import subprocess
import sys

import pytest

from raysearch.errors import InfrastructureError, RunExistsError
from raysearch.run_lease import RunLease, check_fence


def test_the_lease_is_held_by_one_and_its_fence_rises(tmp_path):
    folder = tmp_path / "run"
    with RunLease.acquire(folder) as lease:
        assert lease.fence == 1
        lease.check()
        with pytest.raises(RunExistsError, match=rf"process {os.getpid()} on "):
            RunLease.acquire(folder)
        lease.check()
    with RunLease.acquire(folder) as second:
        assert second.fence == 2
        with pytest.raises(InfrastructureError, match=r"fence 2, ours is 1"):
            check_fence(folder, 1)
    assert sorted(path.name for path in folder.iterdir()) == ["lease.json", "lease.lock"]


def test_a_killed_holder_frees_the_folder(tmp_path):
    code = (
        "import sys, pathlib, raysearch.run_lease as l\n"
        "lease = l.RunLease.acquire(pathlib.Path(sys.argv[1]))\n"
        "print('held', flush=True)\n"
        "sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(RunExistsError, match=f"process {holder.pid} "):
            RunLease.acquire(tmp_path)
        holder.kill()
    with RunLease.acquire(tmp_path) as lease:
        assert lease.fence == 2


def test_a_damaged_lease_is_not_guessed(tmp_path):
    RunLease.acquire(tmp_path).release()
    (tmp_path / "lease.json").write_text("{}")
    with pytest.raises(InfrastructureError, match="holds no fence"):
        RunLease.acquire(tmp_path)
    with pytest.raises(InfrastructureError, match=r"lease\.json"):
        check_fence(tmp_path / "absent", 1)
