"""What a search has spent and has left, as it is told while it runs."""

import pytest
from fake_slots import FakeSearch, small_spec
from search_moments import Clock

from raysearch.config.search import SearchConfig
from raysearch.trial_records import Trials
from raysearch.tuning.budgets import Budgets, Spent
from raysearch.workers.pool_sizer import further


@pytest.fixture
def clock(monkeypatch):
    return Clock(monkeypatch)


def test_core_time_counts_without_a_budget_too(clock):
    budgets = Budgets(SearchConfig(), 2, lambda: 3, spent=Spent(core_s=10))
    assert budgets.account(Trials()).core_s == 10
    budgets.begin()
    clock.now += 5
    account = budgets.account(Trials())
    assert account.core_s == 10 + 2 * 3 * 5
    assert (account.most_core_s, account.left_s, account.budget) == (None, None, "")
    assert account.cpus == 6


def test_the_budget_that_ends_first_is_named_and_the_end_s_time_is_kept(clock):
    config = SearchConfig(time_budget="100s", core_budget="10m")
    budgets = Budgets(config, 1, lambda: 2, reserve=lambda trials: 20.0)
    budgets.begin()
    account = budgets.account(Trials())
    assert (account.budget, account.left_s, account.most_core_s) == ("time budget", 80, 600)
    dear = Budgets(SearchConfig(time_budget="100s", core_budget="60s"), 1, lambda: 2)
    dear.begin()
    clock.now += 10
    assert dear.account(Trials()).budget == "core budget"
    assert dear.account(Trials()).left_s == pytest.approx(20)


def test_what_is_left_is_never_below_nothing(clock):
    budgets = Budgets(SearchConfig(time_budget="10s"), 1, lambda: 1)
    budgets.begin()
    clock.now += 60
    assert budgets.account(Trials()).left_s == 0


def test_a_search_tells_it_at_each_start_and_after_each_epoch(tmp_path):
    told = []
    spec = small_spec(search__epoch_budget=9, search__scheduler="none")
    search = FakeSearch(tmp_path, spec, tell=told.append).run()
    assert len(told) == len(search.assigned) + len(search.events("epoch"))
    left = [account.epochs_left for account in told]
    assert left == sorted(left, reverse=True)
    assert (left[0], left[-1]) == (9, 0)


def test_slots_that_wait_for_room_are_counted():
    assert further(0) == further(-1) == ""
    assert further(1) == "1 more slot waits for room in the cluster"
    assert further(3) == "3 more slots wait for room in the cluster"
