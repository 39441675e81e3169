"""Priors: what they say of values, what they do to proposals, and what is wrong with them."""

import math
import statistics

import pytest
from fake_slots import problem_of, small_spec

from raysearch.config.distributions import Choice, LogUniform, QUniform, RandInt, Uniform
from raysearch.config.priors import Prior, parse_prior
from raysearch.config.search import SearchConfig
from raysearch.config.space import parse_space
from raysearch.errors import ConfigError
from raysearch.spec import SearchSpec
from raysearch.tuning.study import Study

PRIORS = {
    "uniform": Prior(Uniform(0, 0.5), 0.1, 0.3),
    "loguniform": Prior(LogUniform(1e-4, 1e-2), 2e-3, 0.25),
    "quniform": Prior(QUniform(0, 0.2, 0.05), 0.1, 0.3),
    "randint": Prior(RandInt(1, 9), 3, 0.2),
    "at a bound": Prior(LogUniform(1e-6, 1e-2), 1e-2, 0.4),
    "narrow": Prior(Uniform(-1, 1), 0.5, 0.001),
    "choice": Prior(Choice((8, 12, None, "a")), None, 0.4),
    "of one": Prior(Choice((8,)), 8, 0.4),
}
OPTIMUM = {"rate": 1e-3, "dropout": 0.3}


@pytest.mark.parametrize("prior", PRIORS.values(), ids=PRIORS)
def test_draws_are_as_likely_as_the_prior_says(prior):
    draws = [prior.draw((i + 0.5) / 2000) for i in range(2000)]
    assert all(prior.distribution.contains(value) for value in draws)
    assert all(prior.distribution.contains(prior.draw(end)) for end in (0.0, 1.0))
    # What is drawn evenly and weighed by the ratio is what is drawn from the prior.
    even = prior.distribution.values() or [at(prior, (i + 0.5) / 20000) for i in range(20000)]
    ratios = [math.exp(prior.log_ratio(value)) for value in even]
    assert statistics.fmean(ratios) == pytest.approx(1, rel=0.05)
    assert max(ratios) == pytest.approx(math.exp(prior.log_ratio(prior.mode)), rel=0.01)
    for value, ratio in zip(even, ratios, strict=True):
        if prior.distribution.values():
            assert draws.count(value) / 2000 == pytest.approx(ratio / len(even), abs=0.02)


def at(prior, part):
    """The value that lies at ``part`` of the range."""
    low, high = prior.distribution.low, prior.distribution.high
    if isinstance(prior.distribution, LogUniform):
        return low * (high / low) ** part
    return low + (high - low) * part


def test_a_width_is_a_share_of_the_range_and_of_a_loguniform_s_logarithms():
    prior = Prior(LogUniform(1e-4, 1), 1e-2, 0.125)
    # Half a decade is a standard deviation: the density there is a factor exp(1/2) lower.
    drop = prior.log_ratio(1e-2) - prior.log_ratio(10**-1.5)
    assert drop == pytest.approx(0.5)
    inside = [1e-2 / 10**0.5 < prior.draw((i + 0.5) / 1000) < 1e-2 * 10**0.5 for i in range(1000)]
    assert sum(inside) / 1000 == pytest.approx(0.683, abs=0.005)


def test_of_a_choice_the_width_is_what_all_options_share():
    prior = Prior(Choice((8, 12, 16, 32)), 12, 0.4)
    draws = [prior.draw((i + 0.5) / 1000) for i in range(1000)]
    assert [draws.count(option) for option in (8, 12, 16, 32)] == [100, 700, 100, 100]
    assert Prior(Choice((8, 12)), 12, 1).log_ratio(8) == 0


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"mode": 6e-3, "width": 0.3}, r"prior.mode is 0.006, which is no value of {'loguniform"),
        ({"mode": "a", "width": 0.3}, "prior.mode is 'a'"),
        ({"mode": 1e-3, "width": 0}, "prior.width is 0: a share from 0.001 to 1 is wanted"),
        ({"mode": 1e-3, "width": 1.5}, "prior.width is 1.5"),
        ({"mode": 1e-3, "width": True}, "prior.width is True"),
        ({"mode": 1e-3, "widht": 0.3}, r"prior has no key 'widht' \(did you mean 'width'\?\)"),
        ({"mode": 1e-3}, "prior.width is missing"),
        ({"width": 0.3}, "prior.mode is missing"),
        (1e-3, "'prior' is {mode: VALUE, width: SHARE}, not 0.001"),
        (None, "'prior' is {mode: VALUE, width: SHARE}, not None"),
    ],
)
def test_mistakes_are_named(data, message):
    with pytest.raises(ValueError, match=message):
        parse_prior(data, LogUniform(5e-4, 5e-3))


def test_a_mistake_in_a_file_is_named_by_its_line_and_field(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(
        "features: {mel: {extractor: log_mel}}\n"
        "model: {name: cnn}\n"
        "space:\n"
        "  model.blocks: {choice: [3, 4], prior: {mode: 5, width: 0.5}}\n"
    )
    with pytest.raises(ConfigError) as caught:
        SearchSpec.load(str(path))
    expected = "prior.mode is 5, which is no value of {'choice': [3, 4]}"
    assert str(caught.value) == f"{path}:4: 'space.model.blocks': {expected}"


PRIOR = {"mode": 1e-3, "width": 0.3}
RATE = {"loguniform": [1e-4, 5e-3], "prior": PRIOR}


def test_a_spec_holds_its_priors_and_trials_do_not():
    spec = small_spec(**{"space__training.learning_rate": RATE})
    assert spec.to_dict()["space"]["training.learning_rate"] == RATE
    assert SearchSpec.from_dict(spec.to_dict()) == spec
    plain = small_spec(**{"space__training.learning_rate": {"loguniform": [1e-4, 5e-3]}})
    expected = f"space.training.learning_rate.prior.mode: absent -> {PRIOR['mode']}"
    assert expected in plain.differences(spec)
    values = {"training.learning_rate": 2e-3, "model.dropout": 0.1}
    assert problem_of(spec).identity(values) == problem_of(plain).identity(values)


def test_a_prior_of_one_alternative_is_that_one_s():
    rates = [
        {"loguniform": [1e-5, 1e-3], "when": {"tuned": [True]}, "prior": {**PRIOR, "mode": 1e-4}},
        {"loguniform": [1e-4, 1e-2], "when": {"tuned": [False]}},
    ]
    data = {"rate": rates, "tuned": {"choice": [True, False]}}
    space = parse_space(data, lambda field, key: True)
    assert {name: prior.mode for name, prior in space.priors().items()} == {"rate[0]": 1e-4}
    assert parse_space(space.to_dict(), lambda field, key: True) == space


def space_of(width=0.2, **modes):
    """Two fields, expected where ``modes`` has them."""
    data = {"rate": {"loguniform": [1e-4, 1e-2]}, "dropout": {"uniform": [0.0, 0.5]}}
    for field, mode in modes.items():
        data[field]["prior"] = {"mode": mode, "width": width}
    return parse_space(data, lambda field, key: 0.0)


RIGHT = space_of(rate=1.2e-3, dropout=0.28)
WRONG = space_of(rate=8e-3, dropout=0.05)


def regret(values):
    """How far from the optimum, in parts of the ranges."""
    rate = math.log10(values["rate"] / OPTIMUM["rate"]) / 2
    return math.hypot(rate, (values["dropout"] - OPTIMUM["dropout"]) / 0.5)


def searched(space, count, *, seed=0, num_startup=6, priors=True):
    """``count`` settings of a search that tells each one's regret."""
    study = Study(None, "priors", space, seed=seed, num_startup=num_startup, priors=priors)
    return [told(study, number) for number in range(count)]


def told(study, number):
    values = study.propose(number)
    study.report(number, 1, -regret(values))
    study.finish(number, "completed", -regret(values))
    return values


def mean_best(space, count, seeds, **options):
    runs = [searched(space, count, seed=seed, **options) for seed in range(seeds)]
    return statistics.fmean(min(map(regret, run)) for run in runs)


def test_a_right_prior_finds_the_optimum_sooner():
    assert mean_best(RIGHT, 4, 60) < 0.85 * mean_best(space_of(), 4, 60)


def test_a_wrong_prior_is_given_up_as_trials_tell_better():
    count, seeds = 24, 5
    as_expected = mean_best(WRONG, count, seeds, num_startup=count)
    given_up = mean_best(WRONG, count, seeds)
    # What is drawn from the prior to the end, one trial in four evenly, stays far from it.
    assert given_up < 0.6 * as_expected
    assert given_up < 0.12


def test_some_of_the_first_trials_are_where_nothing_is_expected():
    narrow = space_of(width=0.01, rate=8e-3, dropout=0.05)
    first = [values["dropout"] for values in searched(narrow, 200, num_startup=200)]
    assert 0.65 < statistics.fmean(abs(value - 0.05) < 0.02 for value in first) < 0.9
    assert max(first) > 0.45


def test_equal_seeds_propose_equal_settings_and_others_others():
    assert searched(WRONG, 12) == searched(WRONG, 12) != searched(WRONG, 12, seed=1)


@pytest.mark.parametrize("cut", [3, 9])
def test_a_rebuilt_study_proposes_what_the_first_would_have(cut):
    whole = searched(RIGHT, 12)
    study = Study(None, "priors", RIGHT, seed=0, num_startup=6)
    for number, values in enumerate(whole[:cut]):
        study.add(number, values, "completed", {1: -regret(values)})
    assert [told(study, number) for number in range(cut, 12)] == whole[cut:]


def test_priors_can_be_left_out_and_then_change_nothing():
    assert searched(RIGHT, 10, priors=False) == searched(space_of(), 10) != searched(RIGHT, 10)


def test_a_prior_weighs_only_what_a_trial_has():
    when = {"kernel": ["rbf"]}
    space = parse_space(
        {
            "kernel": {"choice": ["linear", "rbf"], "prior": {"mode": "rbf", "width": 0.5}},
            "gamma": {"loguniform": [1e-4, 1e-2], "prior": PRIOR, "when": when},
        },
        lambda field, key: "linear",
    )
    study = Study(None, "priors", space, seed=0, num_startup=4)
    kernels = []
    for number in range(16):
        values = study.propose(number)
        kernels.append(values["kernel"])
        assert ("gamma" in values) == (values["kernel"] == "rbf")
        study.finish(number, "completed", 0.0)
    assert 8 <= kernels.count("rbf") < 16


def test_priors_count_unless_the_section_says_no():
    spec = small_spec(search__priors=True)
    assert SearchConfig().priors
    assert spec.differences(small_spec()) == ["search.priors: True -> False"]
