"""What a trial is expected to have after as many epochs again."""

import math

import pytest
from fake_slots import small_spec

from raysearch.tuning.extrapolation import Extrapolation
from raysearch.tuning.stop_rules import RuleSettings, stop_rule


def curve(limit, fall, power, epochs=16):
    """Values that near a limit by a power of the epochs."""
    return {epoch: limit - fall * epoch**-power for epoch in range(1, epochs + 1)}


def exactly(value, other):
    return 0.0


def expected(values, part, noise=exactly):
    told = Extrapolation(part, noise)
    return {epoch: told.take(0, epoch, value) for epoch, value in values.items()}


@pytest.mark.parametrize("power", [0.5, 1.0, 2.0])
def test_a_power_law_is_foretold_exactly(power):
    """Each doubling of its epochs brings 2 ** -power of the one before."""
    values, longer = curve(0.8, 0.6, power), curve(0.8, 0.6, power, 32)
    found = expected(values, 2.0**-power)
    assert found[8] == pytest.approx(longer[16])
    assert found[16] == pytest.approx(longer[32])


def test_of_odd_epochs_the_half_is_rounded_down():
    assert expected({1: 0.2, 2: 0.3, 3: 0.6}, 0.5)[3] == pytest.approx(0.6 + 0.5 * 0.4)


def test_without_a_half_or_a_value_there_is_nothing_to_go_by():
    assert expected({1: 0.2}, 0.5) == {1: 0.2}
    assert expected({4: 0.2, 5: 0.4}, 0.5)[5] == 0.4
    assert expected({1: -math.inf, 2: 0.4, 3: -math.inf}, 0.5)[2] == 0.4


def test_a_gain_counts_beyond_two_standard_errors_only():
    gains = {1: 0.2, 2: 0.6}
    assert expected(gains, 0.5, lambda value, other: 0.1)[2] == pytest.approx(0.6 + 0.5 * 0.2)
    assert expected(gains, 0.5, lambda value, other: 0.3)[2] == 0.6


def test_trials_do_not_mix():
    told = Extrapolation(0.5, exactly)
    told.take(0, 1, 0.1)
    told.take(1, 2, 0.5)
    assert told.take(0, 2, 0.3) == pytest.approx(0.4)


@pytest.mark.parametrize(("part", "first"), [(0.0, 0), (0.5, 1)])
def test_who_still_rises_is_promoted_before_who_has_levelled_off(part, first):
    settings = RuleSettings(max_epochs=8, grace_epochs=2, reduction_factor=2, extrapolation=part)
    rule = stop_rule("promote", settings)
    for epoch in (1, 2):
        assert rule.stops(0, epoch, (0.55, 0.56)[epoch - 1]) == (epoch == 2)
    rule.stops(1, 1, 0.3)
    assert rule.stops(1, 2, 0.5) == (first == 0)


def test_a_search_says_how_far():
    assert small_spec().search.extrapolation == 0.5
