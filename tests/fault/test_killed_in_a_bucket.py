"""A search in an object store: its driver's machine is gone, another one goes on."""

import pytest
from driver import Driver, check_resumed

from raysearch.ledger import read
from raysearch.storage.objects import ObjectStore
from raysearch.storage.segments import fetch_ledger

pytestmark = [pytest.mark.fault, pytest.mark.timeout(900)]


def first_checkpoint(driver):
    return any(event["event"] == "checkpoint" for event in driver.events())


def mid_search(driver):
    return sum(event["event"] in ("completed", "paused") for event in driver.events()) >= 2


def promoted(driver):
    """A trial that had paused trains again."""
    return any(event.get("promoted") for event in driver.events())


@pytest.mark.parametrize("point", [first_checkpoint, mid_search, promoted])
def test_another_machine_goes_on(bucket, tmp_path, expected, point):
    url, name = f"{bucket}/{tmp_path.name}", "one"
    driver = Driver(url, name, machine=tmp_path / "first")
    driver.wait_until(point)
    driver.kill()
    resumed = Driver(url, name, "--resume", machine=tmp_path / "second")
    check_resumed(resumed, expected)
    assert "held this run" in resumed.log.read_text()
    objects = ObjectStore(url)
    fetch_ledger(objects, name, tmp_path / "fetched.jsonl")
    assert list(read(tmp_path / "fetched.jsonl")) == list(read(resumed.run / "trials.jsonl"))
    weights = objects.read(f"{name}/best/weights.safetensors")
    assert weights.data == (resumed.run / "best" / "weights.safetensors").read_bytes()
