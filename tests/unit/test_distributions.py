"""Distributions: bounds inclusive and respected, values clean, YAML form faithful."""

import math

import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raysearch.config.distributions import (
    Choice,
    LogUniform,
    QUniform,
    RandInt,
    Uniform,
    parse_distribution,
)

optuna.logging.set_verbosity(optuna.logging.ERROR)

numbers = st.floats(-1e6, 1e6, allow_nan=False)


class Extreme:
    """Answers every question with its lower or its upper bound."""

    def __init__(self, upper: bool) -> None:
        self.upper = upper

    def suggest_float(self, name, low, high, *, step=None, log=False):
        return high if self.upper else low

    def suggest_int(self, name, low, high):
        return high if self.upper else low

    def suggest_categorical(self, name, choices):
        return choices[-1 if self.upper else 0]


@st.composite
def distributions(draw):
    kind = draw(st.sampled_from(["uniform", "loguniform", "quniform", "randint", "choice"]))
    if kind == "uniform":
        low, high = sorted(draw(st.lists(numbers, min_size=2, max_size=2, unique=True)))
        return Uniform(low, high)
    if kind == "loguniform":
        low = draw(st.floats(1e-9, 1e3))
        return LogUniform(low, low * draw(st.floats(1.01, 1e6)))
    if kind == "quniform":
        q = draw(st.sampled_from([0.05, 0.1, 0.25, 1, 3]))
        low = round(draw(st.integers(-20, 20)) * q, 6)
        return QUniform(low, round(low + draw(st.integers(1, 40)) * q, 6), q)
    if kind == "randint":
        low = draw(st.integers(-50, 50))
        return RandInt(low, low + draw(st.integers(1, 50)))
    scalars = st.one_of(st.integers(-9, 9), st.text(max_size=4), st.none())
    return Choice(tuple(draw(st.lists(scalars, min_size=1, max_size=5, unique=True))))


@settings(deadline=None)
@given(distributions(), st.integers(0, 1000))
def test_optuna_draws_lie_in_the_distribution(distribution, seed):
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=seed))
    trial = study.ask()
    value = distribution.suggest(trial, "x")
    assert distribution.contains(value)
    if distribution.values() is not None:
        assert value in distribution.values()
    # The clean value is one the sampler can be told again.
    fixed = optuna.trial.FixedTrial({"x": value})
    assert distribution.suggest(fixed, "x") == value


@given(distributions())
def test_both_bounds_belong(distribution):
    first = distribution.suggest(Extreme(False), "x")
    last = distribution.suggest(Extreme(True), "x")
    assert distribution.contains(first)
    assert distribution.contains(last)
    assert {first, last} <= set(distribution.probes())
    if not isinstance(distribution, Choice):
        assert (first, last) == (distribution.low, distribution.high)
        margin = 1 if isinstance(distribution, RandInt) else abs(distribution.high) * 1e-3 + 1e-3
        assert not distribution.contains(distribution.high + margin)
        assert not distribution.contains(distribution.low - margin)


@given(distributions())
def test_yaml_form_round_trips(distribution):
    assert parse_distribution(distribution.to_dict()) == distribution


def test_quniform_values_are_clean_decimals():
    grid = QUniform(0, 0.2, 0.05)
    assert grid.values() == (0.0, 0.05, 0.1, 0.15, 0.2)
    assert grid.snap(0.15000000000000002) == 0.15
    assert grid.contains(0.15000000000000002)
    assert not grid.contains(0.12)


def test_true_is_not_one():
    assert not Choice((0, 1)).contains(True)
    assert Choice((True, False)).contains(True)
    assert Choice((1,)).contains(1.0)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"loguniform": [0, 1]}, "above 0"),
        ({"loguniform": [1e-3]}, r"takes \[low, high\]"),
        ({"uniform": [2, 1]}, "below the upper"),
        ({"uniform": [0, math.inf]}, "finite"),
        ({"uniform": [0, math.nan]}, "finite"),
        ({"uniform": ["a", 1]}, "finite numbers"),
        ({"quniform": [0, 1, 0.3]}, "does not divide"),
        ({"quniform": [0, 1, 0]}, "above 0"),
        ({"quniform": [0, 1, 1e-6]}, "at most"),
        ({"randint": [0, 1.5]}, "integers"),
        ({"choice": []}, "at least one"),
        ({"choice": [1, 2, 1]}, "listed twice"),
        ({"choice": [[1]]}, "plain"),
        ({"choice": 3}, "takes a list"),
        ({"chioce": [1]}, "did you mean 'choice'"),
        ([1, 2], "expected one distribution"),
        ({"choice": [1], "uniform": [0, 1]}, "expected one distribution"),
    ],
)
def test_mistakes_are_named(data, message):
    with pytest.raises(ValueError, match=message):
        parse_distribution(data)
