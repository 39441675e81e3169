"""A guard on how well a new search spends its epochs: replays of a system's real trials."""

from pathlib import Path

import pytest

from raysearch.replay.ledger_curves import read_run
from raysearch.replay.rule_comparison import Plan, compare_rules
from raysearch.replay.search_rules import BASELINE, rules_named

RUN = Path(__file__).parents[2] / "results/reference/search_quality/runs/nemo-ssl-fold-3"


@pytest.fixture(scope="module")
def compared():
    table = read_run(RUN, RUN.name)
    assert table.noise is not None, "the stop rule would be replayed without it"
    return compare_rules([table], rules_named([BASELINE, "default"]), Plan(8)).rules


def test_the_default_is_at_no_moment_worse_than_stopping_trials(compared):
    for moment, stopping in compared[BASELINE].regret.items():
        assert compared["default"].regret[moment].mean <= stopping.mean


def test_the_default_takes_less_to_what_stopping_trials_reaches(compared):
    for sooner in compared["default"].epochs_to_present.values():
        assert not sooner.unreached
        assert sooner.mean <= 0.6
