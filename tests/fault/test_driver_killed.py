"""The driver is killed at any point; the search goes on as if it had not been."""

import random

import pytest
from driver import Driver, check_resumed

pytestmark = [pytest.mark.fault, pytest.mark.timeout(900)]


def featurizing(driver):
    """The first shard of a store of its own is being written."""
    return any((driver.run.parent / ".features").glob("*/*.parquet*"))


def first_epoch(driver):
    return any(event["event"] == "epoch" for event in driver.events())


def mid_search(driver):
    return sum(event["event"] in ("completed", "pruned") for event in driver.events()) >= 2


def publishing(driver):
    """A checkpoint lies staged, not yet renamed."""
    return any(driver.run.glob("checkpoints/*/.*.tmp"))


def last_trial(driver):
    return any(event["number"] == 3 for event in driver.events())


def after_lines(count):
    return lambda driver: len(driver.events()) >= count


NAMED = {
    "first-epoch": (first_epoch, False),
    "mid-search": (mid_search, False),
    "publishing": (publishing, True),
    "last-trial": (last_trial, False),
}
RANDOM = {f"line-{n}": (after_lines(n), False) for n in random.Random(7).sample(range(2, 26), 3)}


def points():
    for name, (point, in_ci) in {**NAMED, **RANDOM}.items():
        yield pytest.param(point, id=name, marks=[pytest.mark.ci] if in_ci else [])


@pytest.mark.parametrize("point", list(points()))
def test_resume_equals_an_undisturbed_search(storage, expected, point, request):
    name = request.node.callspec.id
    driver = Driver(storage, name)
    driver.wait_until(point)
    driver.kill()
    check_resumed(Driver(storage, name, "--resume"), expected)


def test_killed_while_featurizing(storage, tmp_path, expected):
    driver = Driver(tmp_path, "featurizing")
    driver.wait_until(featurizing)
    driver.kill()
    check_resumed(Driver(tmp_path, "featurizing", "--resume"), expected)
