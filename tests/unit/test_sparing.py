"""What may wait costs a share of the time, however long it takes; files are sent beside trials."""

import threading

import pytest

from raysearch import sparing
from raysearch.errors import StorageRefusedError
from raysearch.sparing import Sparing
from raysearch.storage.sending import BackgroundSender
from raysearch.storage.small_files import RunSender


@pytest.mark.parametrize("cost_s", [0.001, 0.26])
def test_a_board_that_takes_longer_is_drawn_seldomer(monkeypatch, cost_s):
    """Four thousand trials end a second apart, each drawing costs the more the more there are."""
    now, spent = [0.0], [0.0]
    monkeypatch.setattr(sparing.time, "monotonic", lambda: now[0])

    def draw(share):
        now[0] += cost_s * share
        spent[0] += cost_s * share

    once, drawn = Sparing(0.02), 0
    for number in range(4000):
        drawn += once(lambda n=number: draw(n / 4000))
        now[0] += 1.0
    assert spent[0] < 0.03 * now[0]
    assert drawn > 100


def test_no_trial_waits_for_a_send_and_an_error_ends_nothing(tmp_path, monkeypatch):
    held, sent = threading.Event(), []

    def slow(self):
        if len(sent) == 1:
            sent.append("refused")
            raise StorageRefusedError("403")
        sent.append(threading.current_thread().name)
        if len(sent) == 3:
            held.set()

    monkeypatch.setattr(RunSender, "send", slow)
    sender = BackgroundSender(tmp_path)
    assert sent == ["MainThread"], "what a resumption needs is sent before anything begins"
    sender.ring()
    while len(sent) < 2:
        held.wait(0.01)
    sender.ring()
    assert held.wait(10)
    sender.close()
    assert sent == ["MainThread", "refused", "file sender"]
