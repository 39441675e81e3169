"""The driver is killed at any point; the search goes on as if it had not been."""

import json
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
    return sum(event["event"] in ("completed", "paused") for event in driver.events()) >= 2


def promoted(driver):
    """A trial that had paused trains again."""
    return any(event.get("promoted") for event in driver.events())


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
    "promoted": (promoted, False),
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


def refitting(driver):
    """One net of the final model is there, the model is not."""
    return any(driver.run.glob("final/*/seed-1/weights/best.safetensors"))


def test_killed_while_the_final_model_is_made(storage):
    """What was refitted before is kept, and the model is the one of an undisturbed search."""
    options = ("--set=search.final=refit", "--set=search.final_seeds=2")
    whole = Driver(storage, "refit-undisturbed", *options, trials=2)
    assert whole.finish() == 0, whole.log.read_text()
    driver = Driver(storage, "refit", *options, trials=2)
    driver.wait_until(refitting)
    driver.kill()
    assert not (driver.run / "final.json").exists()
    kept = {path: path.stat().st_mtime_ns for path in driver.run.glob("final/*/*/*/best.*")}
    assert kept
    resumed = Driver(storage, "refit", *options, "--resume", trials=2)
    assert resumed.finish() == 0, resumed.log.read_text()
    assert {path: path.stat().st_mtime_ns for path in kept} == kept, "refitted again"
    assert nets(resumed) == nets(whole)


def nets(driver):
    """Each net of the final model: its share and its weights' bytes."""
    found = json.loads((driver.run / "final.json").read_text())["nets"]
    return [
        (net["weight"], (driver.run / net["folder"] / "best.safetensors").read_bytes())
        for net in found
    ]
