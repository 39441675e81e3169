"""What a start adds to a search: a value of every trial, and what it has cost."""

import pytest
from fake_slots import FakeSearch, small_spec

from raysearch.config.search import SearchConfig
from raysearch.evaluation.pretrain_net import over
from raysearch.ledger import Event, read
from raysearch.trial_records import Trials
from raysearch.tuning.budgets import Budgets, Spent

FIELD, DIGEST = "training.pretrained", "0123456789abcdef"


def test_every_trial_has_it_but_the_published_settings(tmp_path):
    spec = small_spec(search__defaults_first=True, search__trials=5, search__scheduler="none")
    search = FakeSearch(tmp_path, spec, common={FIELD: DIGEST}).run()
    published, *others = search.trials.records.values()
    assert published.details["published"]
    assert FIELD not in published.config, "they are rerun as they were published"
    assert len(others) == 4
    assert {record.config[FIELD] for record in others} == {DIGEST}
    assert spec.resolve(others[0].config).training.pretrained == DIGEST


def test_it_is_part_of_the_identity_and_a_resumption_proposes_the_same(tmp_path):
    spec = small_spec(search__defaults_first=True, search__trials=4, search__scheduler="none")
    runs = {
        digest: FakeSearch(tmp_path / digest[0], spec, common={FIELD: digest}).run()
        for digest in (DIGEST, DIGEST[::-1])
    }
    first, other = ([r.trial for r in run.trials.records.values()] for run in runs.values())
    assert first[0] == other[0]
    assert not set(first[1:]) & set(other)
    more = small_spec(search__defaults_first=True, search__trials=6, search__scheduler="none")
    resumed = FakeSearch(tmp_path / "0", more, fence=2, common={FIELD: DIGEST}).run()
    whole = FakeSearch(tmp_path / "whole", more, common={FIELD: DIGEST}).run()
    # The sampler's start-up differs with the number of trials alone, here it does not.
    assert resumed.outcome() == whole.outcome()


def test_budgets_pay_for_it(tmp_path):
    spent = Spent(wall_s=12, core_s=40)
    core = Budgets(SearchConfig(core_budget="60s"), 2, lambda: 1, spent=spent)
    assert core.left_s() == pytest.approx(10)
    assert core.spent(Trials()) is None
    dear = Budgets(SearchConfig(core_budget="40s"), 2, lambda: 1, spent=spent)
    assert dear.spent(Trials()) == "core budget"
    assert Budgets(SearchConfig(time_budget="30s"), spent=spent).left_s() == pytest.approx(18)


def test_wall_time_is_paid_by_the_driver_that_began(tmp_path):
    search = FakeSearch(tmp_path, small_spec(search__trials=1)).run()
    events: list[Event] = read(search.ledger.path)
    assert events
    later = Budgets(SearchConfig(time_budget="30s"), events=events, spent=Spent(wall_s=12))
    assert later.left_s() == pytest.approx(30)


@pytest.mark.parametrize(
    ("budgets", "ends"),
    [
        ({}, False),
        ({"time_budget": "90s"}, False),
        ({"time_budget": "89s"}, True),
        ({"time_budget": "10h", "core_budget": "3m"}, False),
        ({"core_budget": "179s"}, True),
    ],
)
def test_pretraining_has_a_third_of_each_budget(budgets, ends):
    assert over(SearchConfig(**budgets), wall_s=30, core_s=60) is ends
