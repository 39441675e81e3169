"""The trial as Tune drives it: what of it may block, and what must not."""

import pytest

from raysearch.tuning import trial_proxy as trial_module
from raysearch.tuning.trial_proxy import TrialProxy

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


@pytest.fixture
def host(monkeypatch):
    epoch = {"attempt": 1, "epoch": 1, "value": 0.5}
    found = Host(begin={"attempt": 1}, step=epoch)
    monkeypatch.setattr(trial_module.ray, "get_actor", lambda name: found)
    monkeypatch.setattr(trial_module.ray, "get", lambda reference: reference)
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
    host.answers["begin"] = {"failed": "superseded"}
    result = proxy.step()
    assert (result["done"], result["report"].failed) == (True, "superseded")
    assert ("step", 5, 0) not in host.calls
