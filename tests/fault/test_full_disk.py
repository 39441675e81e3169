"""A disk that is full while a search runs costs time, and no trial."""

import contextlib
import os
import subprocess
import time

import pytest
from driver import Driver, check_resumed

pytestmark = [pytest.mark.fault, pytest.mark.timeout(900)]


@pytest.fixture
def disk(tmp_path):
    """A file system of 64 MiB, as a quota or a partition would be."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small disk")
    folder = tmp_path / "disk"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", folder], check=True)
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


def fill(disk):
    with contextlib.suppress(OSError), (disk / "ballast").open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))


def two_epochs(driver):
    return sum(event["event"] == "epoch" for event in driver.events()) >= 2


def test_full_for_a_moment(disk, tmp_path, expected):
    driver = Driver(disk, "one", log=tmp_path / "log")
    driver.wait_until(two_epochs)
    fill(disk)
    time.sleep(10)
    (disk / "ballast").unlink()
    check_resumed(driver, expected)
    assert "Traceback" not in driver.log.read_text()


def test_full_for_good_then_given_room(disk, tmp_path, expected):
    driver = Driver(disk, "one", log=tmp_path / "log")
    driver.wait_until(two_epochs)
    fill(disk)
    assert driver.finish() == 4, driver.log.read_text()
    said = driver.log.read_text()
    assert "No space left" in said.splitlines()[-1]
    assert "Traceback" not in said
    (disk / "ballast").unlink()
    assert not [event for event in driver.events() if event["event"] == "failed"]
    check_resumed(Driver(disk, "one", "--resume", log=tmp_path / "log"), expected)
