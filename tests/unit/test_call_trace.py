"""What a process notes of its own calls, and what is made of the notes."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from call_trace import FOLDER, SUFFIX

TESTS = Path(__file__).parents[1]
HOUSE = '''
"""A docstring stays one."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Order:
    number: int

    @property
    def doubled(self) -> int:
        """Twice as much."""
        return 2 * self.number


class Base:
    def run(self) -> int:
        return self.order().number

    def order(self) -> Order:
        raise NotImplementedError


class Derived(Base):
    class Inner:
        def act(self) -> None:
            def nested() -> None: ...

            nested()

    def order(self) -> Order:
        return replace(Order(1), number=2)

    async def later(self) -> int:
        return Order(3).doubled


def numbers():
    yield from (1, 2)


def orders():
    yield Order(5)


class Desk:
    def take(self):
        return {"order": next(orders())}["order"].number

    def keep(self, orders: dict) -> None: ...
'''
USED = """
import call_trace
call_trace.begin("house", ["Order"])
import asyncio, pickle, threading
import house
derived = house.Derived()
assert derived.run() == 2 and house.Order.__doc__ and "A docstring" in house.__doc__
assert asyncio.run(derived.later()) == 6
assert pickle.loads(pickle.dumps(house.Order(4))) == house.Order(4)
thread = threading.Thread(target=house.Derived.Inner().act)
thread.start()
thread.join()
assert list(house.numbers()) == [1, 2]
desk = house.Desk()
assert desk.take() == 5
desk.keep({"order": house.Order(6)})
"""


@pytest.fixture(scope="module")
def noted(tmp_path_factory):
    """Thread, class, function and handling of each call, in order."""
    folder = tmp_path_factory.mktemp("traced")
    (folder / "house.py").write_text(HOUSE, encoding="utf-8")
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(TESTS), str(folder)]),
        FOLDER: str(folder),
    }
    subprocess.run([sys.executable, "-c", USED], env=environment, check=True)
    (file,) = folder.glob(f"*{SUFFIX}")
    return [tuple(line.split("\t")[1:]) for line in file.read_text().splitlines()]


def test_methods_belong_to_the_class_that_they_are_written_in(noted):
    assert noted[:2] == [
        ("main", "house.Base", "house.Base.run", ""),
        ("main", "house.Derived", "house.Derived.order", ""),
    ]


def test_a_dataclass_is_noted_as_often_as_it_is_made(noted):
    made = ("main", "house.Order", "house.Order.__init__", "handles")
    assert noted.count(made) == 7, "pickle makes no new one, replace does"


def test_properties_coroutines_generators_and_other_threads_are_noted(noted):
    assert ("main", "house.Order", "house.Order.doubled", "handles") in noted
    assert ("main", "house.Derived", "house.Derived.later", "") in noted
    assert ("main", "", "house.numbers", "") in noted
    assert ("other", "house.Derived.Inner", "house.Derived.Inner.act", "") in noted
    assert ("other", "", "house.Derived.Inner.act.nested", "") in noted


def test_who_is_given_an_order_returns_one_or_is_returned_one_handles_it(noted):
    handling = {function for _, _, function, handles in noted if handles}
    assert handling == {
        "house.Order.__init__",
        "house.Order.doubled",
        "house.Derived.order",
        "house.Base.run",
        "house.orders",
        "house.Desk.take",
        "house.Desk.keep",
    }
