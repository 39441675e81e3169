"""What every test of a killed driver is held against."""

import pytest
from driver import Driver, outcome


@pytest.fixture(scope="session")
def storage(tmp_path_factory):
    return tmp_path_factory.mktemp("storage")


@pytest.fixture(scope="session")
def expected(storage):
    """What the same search finds when nobody disturbs it."""
    driver = Driver(storage, "undisturbed")
    assert driver.finish() == 0, driver.log.read_text()
    return outcome(driver.events())
