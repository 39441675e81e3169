"""The trial as Tune drives it: what of it may block, and what must not."""

import pytest
from ray.exceptions import RayActorError

from raysearch.tuning.trial_proxy import TrialProxy
from raysearch.workers import booked_trial
from raysearch.workers.booked_trial import BookedTrial
from raysearch.workers.epoch_report import EpochReport

CONFIG = {"number": 3, "host": "slot-0", "booking": 5, "label": "trial 0003"}


class Call:
    """A method of a host, as its handle has it; the answer lies in the reference."""

    def __init__(self, host, name):
        self._host, self._name = host, name

    def options(self, **_):
        return self

    def remote(self, *arguments):
        self._host.calls.append((self._name, *arguments))
        return self._host.answers.get(self._name)


class Host:
    def __init__(self, **answers):
        self.answers, self.calls = answers, []

    def __getattr__(self, name):
        return Call(self, name)


def test_a_host_that_is_dead_is_told_as_one(monkeypatch):
    """Its name is free by then: whoever drives the trial hears of a lost slot all the same."""

    def gone(name):
        raise ValueError(f"no actor {name}")

    monkeypatch.setattr(booked_trial.ray, "get_actor", gone)
    with pytest.raises(RayActorError):
        next(BookedTrial(3, "trial 0003", "slot-0", 5).run())


@pytest.fixture
def host(monkeypatch):
    epoch = EpochReport(3, attempt=1, epoch=1, value=0.5)
    found = Host(begin=EpochReport(3, attempt=1), step=epoch)
    monkeypatch.setattr(booked_trial.ray, "get_actor", lambda name: found)
    monkeypatch.setattr(booked_trial.ray, "get", lambda reference: reference)
    return found


@pytest.fixture
def proxy(host):
    found = TrialProxy.__new__(TrialProxy)
    found.setup(CONFIG)
    return found


def test_tune_waits_for_no_begin_and_the_first_step_does(host, proxy):
    assert host.calls == []
    assert proxy.step()["epoch"] == 1
    # The task that the dashboard lists waits for the trial that is there once it has begun.
    assert host.calls == [("begin", 5), ("trial", 3), ("step", 5, 0)]
    proxy.step()
    assert host.calls[3:] == [("step", 5, 1)]


def test_a_proxy_that_is_used_again_begins_again(host, proxy):
    proxy.step()
    host.calls.clear()
    assert proxy.reset_config({**CONFIG, "number": 4, "booking": 6})
    assert host.calls == []
    proxy.step()
    assert host.calls == [("begin", 6), ("trial", 4), ("step", 6, 0)]


def test_a_trial_that_cannot_begin_says_so_in_its_first_step(host, proxy):
    host.answers["begin"] = EpochReport(-1, failed="superseded", done=True)
    result = proxy.step()
    assert (result["done"], result["report"].failed) == (True, "superseded")
    assert result["report"].number == 3
    assert ("step", 5, 0) not in host.calls
