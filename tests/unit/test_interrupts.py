"""What a first and a second signal do to a search."""

import signal

import pytest

from raysearch.errors import SearchInterruptedError
from raysearch.tuning.interrupts import Interrupt, signals


def test_a_first_signal_asks_and_a_second_one_ends():
    asked = []
    interrupt = Interrupt()
    interrupt.then(asked.append)
    interrupt(signal.SIGINT, None)
    assert (asked, interrupt.received) == (["signal"], True)
    with pytest.raises(SearchInterruptedError, match="stopped by SIGTERM"):
        interrupt(signal.SIGTERM, None)
    assert asked == ["signal"]


@pytest.mark.parametrize("asked_before", [False, True])
def test_where_nothing_can_be_asked_the_first_signal_ends(asked_before):
    interrupt = Interrupt()
    if asked_before:
        interrupt.then(lambda reason: None)
        interrupt.then(None)
    with pytest.raises(SearchInterruptedError, match="stopped by SIGINT"):
        interrupt(signal.SIGINT, None)
    assert not interrupt.received


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_reach_it_and_the_handlers_are_put_back(number):
    before = signal.getsignal(number)
    with pytest.raises(SearchInterruptedError), signals():
        signal.raise_signal(number)
    assert signal.getsignal(number) is before
