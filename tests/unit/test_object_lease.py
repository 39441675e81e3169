"""The lease of a run in a store: who holds it, who waits, who is refused."""

import json
import os

import pytest

from raysearch.errors import (
    InfrastructureError,
    RunExistsError,
)
from raysearch.storage import object_lease as lease_module
from raysearch.storage.object_lease import ObjectLease, check_object_fence
from raysearch.storage.objects import ObjectStore


@pytest.fixture
def held(bucket, tmp_path, monkeypatch):
    """A store, and drivers that renew their leases all the time; a folder has flock instead."""
    monkeypatch.setattr(lease_module, "RENEW_S", 0.05)
    return ObjectStore(f"{bucket}/{tmp_path.name}")


def test_a_living_driver_keeps_its_run(held):
    with ObjectLease.acquire(held, "run") as lease:
        assert lease.fence == 1
        with pytest.raises(RunExistsError, match=f"process {os.getpid()}"):
            ObjectLease.acquire(held, "run")
        lease.check()
    with ObjectLease.acquire(held, "run") as lease:
        assert lease.fence == 2


def test_a_dead_drivers_lease_runs_out_and_its_fence_is_refused(held, monkeypatch):
    monkeypatch.setattr(lease_module, "RENEW_S", 3600)  # it will not renew
    dead = ObjectLease.acquire(held, "run")
    with ObjectLease.acquire(held, "run", expiry_s=0) as lease:
        assert lease.fence == 2
        lease.check()
        with pytest.raises(InfrastructureError, match="fence 2, ours is 1"):
            dead.check()
        with pytest.raises(InfrastructureError, match="taken over"):
            check_object_fence(held, "run", dead.fence)
    dead.release()  # which leaves the later driver's lease alone
    assert json.loads(held.read("run/lease.json").data)["fence"] == 2


def test_who_was_replaced_notices(held, monkeypatch):
    monkeypatch.setattr(lease_module, "RENEW_S", 2)  # time for the second to come in between
    first = ObjectLease.acquire(held, "run")
    second = ObjectLease.acquire(held, "run", expiry_s=0)
    first._thread.join(timeout=10)
    assert not first._thread.is_alive()
    with pytest.raises(InfrastructureError, match="taken over"):
        first.check()
    second.release()
    first.release()


def test_a_silent_driver_is_waited_for(held, monkeypatch):
    monkeypatch.setattr(lease_module, "RENEW_S", 3600)
    monkeypatch.setattr(lease_module, "POLL_S", 0.1)
    said = []
    ObjectLease.acquire(held, "run")
    with ObjectLease.acquire(held, "run", expiry_s=2.5, say=said.append) as lease:
        assert lease.fence == 2
    assert len(said) == 1
    assert f"process {os.getpid()}" in said[0]
    with ObjectLease.acquire(held, "run", say=said.append):  # it was let go
        assert len(said) == 1


def test_a_driver_that_shows_life_is_not_waited_for(held, monkeypatch):
    monkeypatch.setattr(lease_module, "RENEW_S", 0.3)
    monkeypatch.setattr(lease_module, "POLL_S", 0.1)
    with (
        ObjectLease.acquire(held, "run"),
        pytest.raises(RunExistsError, match=f"process {os.getpid()}"),
    ):
        ObjectLease.acquire(held, "run", expiry_s=3600, say=lambda line: None)
