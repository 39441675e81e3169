"""What is said of slots that train nothing."""

import pytest

from raysearch.reporting import slot_board
from raysearch.reporting.slot_board import SlotBoard
from raysearch.workers.slot_news import SlotNews


@pytest.fixture
def clock(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(slot_board.time, "monotonic", lambda: now[0])
    return now


def board_of(*news):
    board = SlotBoard()
    for one in news:
        board.take(one)
    return board


def test_a_slot_that_trains_is_not_told_of():
    board = board_of(SlotNews(0, "starting"), SlotNews(0, "free"))
    board.take(SlotNews(0, "training", number=7))
    assert (board.waits(), board.slot_of(7), board.slot_of(8)) == ([], 0, None)


def test_a_trial_has_its_slot_until_that_has_closed():
    board = board_of(SlotNews(0, "training", number=7), SlotNews(0, "leaving", "its node goes"))
    assert board.slot_of(7) == 0
    board.take(SlotNews(0, "closed"))
    assert board.slot_of(7) is None


def test_a_rest_counts_down_and_ends_by_itself(clock):
    board = board_of(SlotNews(1, "resting", "disk full", until=104.0))
    assert board.waits() == [("1", "rests for 4 s: disk full")]
    clock[0] = 103.0
    assert board.waits() == [("1", "rests for 1 s: disk full")]
    clock[0] = 105.0
    assert board.waits() == []


def test_a_slot_is_idle_only_after_a_while(clock):
    board = board_of(SlotNews(1, "free"))
    clock[0] += 1
    assert board.waits() == []
    clock[0] += 60
    assert board.waits() == [("1", "idle (1 min): no trial can start now")]


def test_what_the_search_waits_for_is_over_once_nothing_is_named():
    board = board_of(SlotNews(None, "waiting", "waiting in the queue, place 1"))
    assert board.waits() == [("-", "waiting in the queue, place 1")]
    assert not board.heard
    board.take(SlotNews(None, "waiting"))
    assert board.waits() == []


def test_what_closed_comes_last_the_newest_first_and_an_ordinary_end_not_at_all(clock):
    board = board_of(SlotNews(0, "closed", "first"))
    clock[0] += 1
    board.take(SlotNews(1, "closed", "second"))
    board.take(SlotNews(2, "closed"))
    board.take(SlotNews(3, "starting"))
    whys = [("3", "its workers start (0 s)"), ("1", "closed: second"), ("0", "closed: first")]
    assert board.waits() == whys


def test_a_reason_is_one_line():
    assert board_of(SlotNews(0, "closed", "bad\n\x1b[2J")).waits() == [("0", "closed: bad ?[2J")]
