"""Intervals and tests over speakers, against plain loops, known p-values and scipy."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from raysearch.evaluation.statistics import (
    METRICS,
    compare,
    describe,
    difference_interval,
    holm,
    interval,
    num_supported,
    sign_flip_test,
    speaker_confusions,
    speaker_values,
)
from raysearch.training.metrics import uar


def scored(num_speakers, accuracy, *, num_classes=4, per_class=6, seed=0):
    """Confusions ``(S, K, K)`` of a system that is right with probability ``accuracy``."""
    rng = np.random.default_rng(seed)
    confusions = np.zeros((num_speakers, num_classes, num_classes))
    for speaker, true in product(range(num_speakers), range(num_classes)):
        for _ in range(per_class):
            right = rng.random() < accuracy
            predicted = true if right else (true + rng.integers(1, num_classes)) % num_classes
            confusions[speaker, true, predicted] += 1
    return confusions


def test_confusions_are_kept_by_speaker():
    names, confusions = speaker_confusions(["b", "a", "b"], [0, 1, 1], [0, 0, 1], 2)
    assert names == ["a", "b"]
    assert confusions.tolist() == [[[0, 0], [1, 0]], [[1, 0], [0, 1]]]
    assert speaker_values(names, confusions) == {"a": 0.0, "b": 1.0}


def test_class_numbers_are_checked():
    with pytest.raises(ValueError, match="outside"):
        speaker_confusions(["a"], [2], [0], 2)


def test_support_is_counted():
    confusion = np.array([[3, 1, 0], [0, 0, 0], [1, 0, 1]])
    assert num_supported(confusion) == 2
    assert uar(confusion) == pytest.approx((0.75 + 0.5) / 2)


@pytest.mark.parametrize("name", METRICS)
def test_interval_equals_a_plain_bootstrap(name):
    confusions = scored(9, 0.6)
    found = interval(confusions, METRICS[name], num_draws=500, seed=3)
    draws = np.random.default_rng(3).multinomial(9, [1 / 9] * 9, size=500)
    values = []
    for draw in draws:
        pooled = sum(count * confusion for count, confusion in zip(draw, confusions, strict=True))
        values.append(float(METRICS[name](pooled)))
    assert found is not None
    assert (found.low, found.high) == pytest.approx(tuple(np.quantile(values, [0.025, 0.975])))
    assert found.low < float(METRICS[name](confusions.sum(axis=0))) < found.high
    assert (found.num_speakers, found.num_draws, found.level) == (9, 500, 0.95)


def test_interval_is_repeatable_and_needs_eight_speakers():
    assert interval(scored(8, 0.5)) == interval(scored(8, 0.5))
    few = [interval(scored(8, 0.5), num_draws=50, seed=seed) for seed in (1, 2)]
    assert few[0] != few[1]
    assert interval(scored(7, 0.5)) is None
    assert difference_interval(scored(7, 0.5), scored(7, 0.6, seed=1)) is None


def test_identical_speakers_leave_no_width():
    one = scored(1, 0.5)
    found = interval(np.repeat(one, 10, axis=0))
    assert found is not None
    assert found.low == pytest.approx(found.high) == pytest.approx(float(uar(one[0])))


def test_bootstrap_covers_the_truth_about_as_often_as_it_says():
    hits = 0
    for seed in range(60):
        found = interval(scored(24, 0.7, seed=seed), num_draws=400)
        assert found is not None
        hits += found.low <= 0.7 <= found.high
    # 95% of 60 is 57; percentile intervals of 24 speakers run a little narrow.
    assert hits >= 50


def test_a_class_missing_from_some_draws_is_left_out_of_their_mean():
    confusions = np.zeros((8, 2, 2))
    confusions[:, 0, 0] = 3
    confusions[0, 1, 1] = 3
    found = interval(confusions)
    assert found is not None
    assert (found.low, found.high) == (1.0, 1.0)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(-8, 8), min_size=6, max_size=10))
def test_exact_flips_agree_with_scipy(values):
    differences = np.array(values) / 16
    expected = stats.permutation_test(
        (differences, np.zeros_like(differences)),
        lambda a, b, axis: np.mean(a - b, axis=axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=np.inf,
    ).pvalue
    assert sign_flip_test(differences) == pytest.approx(expected)


def test_known_p_values():
    assert sign_flip_test([1.0] * 6) == 2 / 2**6
    assert sign_flip_test([0.0] * 6) == 1.0
    assert sign_flip_test([1.0] * 5) is None


def test_sampled_flips_come_near_the_exact_ones():
    differences = np.random.default_rng(0).normal(0.4, 1.0, 20)
    sampled = sign_flip_test(differences, num_draws=20_000)
    signs = np.array(list(product((1, -1), repeat=20)), dtype=np.int8)
    exact = np.mean(np.abs(signs @ differences) >= abs(differences.sum()) - 1e-9)
    assert sampled == pytest.approx(exact, abs=0.012)
    assert sign_flip_test([1.0] * 30, num_draws=999) == 1 / 1000
    assert sign_flip_test([1.0] * 30) == 1 / 100_001


def test_holm():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


def test_difference_is_that_of_the_pooled_ua_also_with_uneven_support():
    first, second = scored(9, 0.7), scored(9, 0.5, seed=1)
    weights = np.arange(1, 10).reshape(9, 1, 1) * np.array([1, 2, 0, 3]).reshape(1, 4, 1)
    first, second = first * weights, second * weights
    result = compare({"x": (first, second)})["x"]
    assert result.difference == pytest.approx(
        float(uar(first.sum(axis=0)) - uar(second.sum(axis=0)))
    )
    flipped = compare({"x": (second, first)})["x"]
    assert (flipped.difference, flipped.p) == pytest.approx((-result.difference, result.p))


def test_p_equals_swapping_the_systems_speaker_by_speaker():
    first, second = scored(6, 0.7), scored(6, 0.6, seed=1)
    observed = abs(float(uar(first.sum(axis=0)) - uar(second.sum(axis=0))))
    extreme = 0
    for swap in product((False, True), repeat=6):
        mask = np.array(swap).reshape(6, 1, 1)
        one, other = np.where(mask, second, first), np.where(mask, first, second)
        extreme += abs(uar(one.sum(axis=0)) - uar(other.sum(axis=0))) >= observed - 1e-9
    assert compare({"x": (first, second)})["x"].p == pytest.approx(extreme / 64)


def test_verdicts():
    strong, weak, other = scored(10, 0.9), scored(10, 0.4, seed=1), scored(10, 0.9, seed=2)
    results = compare(
        {
            "up": (strong, weak),
            "down": (weak, strong),
            "same": (strong, strong.copy()),
            "near": (strong, other),
            "few": (strong[:5], weak[:5]),
            "seven": (strong[:7], strong[:7]),
        }
    )
    verdicts = {name: result.verdict for name, result in results.items()}
    assert verdicts == {
        "up": "better",
        "down": "worse",
        "same": "tie",
        "near": "not distinguished",
        "few": "cannot be tested",
        "seven": "not distinguished",
    }
    assert results["few"].p is None
    assert results["few"].p_holm is None
    assert results["up"].p_holm == pytest.approx(5 * results["up"].p)


def test_systems_scored_on_different_rows_are_refused():
    with pytest.raises(ValueError, match="same utterances"):
        compare({"x": (scored(8, 0.5), scored(8, 0.5, per_class=5))})
    with pytest.raises(ValueError, match="same utterances"):
        compare({"x": (scored(8, 0.5), scored(7, 0.5))})


def test_description_gives_an_interval_or_the_speakers():
    assert "over 8 speakers, training variance not included" in describe(
        list("abcdefgh"), scored(8, 0.5)
    )
    few = describe(["a", "b"], np.array([np.eye(2) * 4, [[3, 1], [1, 3]]]))
    assert few == "87.5 (2 speaker(s), 75.0 to 100.0: a 100.0, b 75.0; no interval)"
