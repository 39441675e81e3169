"""Intervals and tests over folds of speakers, against plain loops and scipy."""

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
    paired_test,
    speaker_confusions,
    speaker_values,
)
from raysearch.evaluation.units import folds_of_speakers
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
def test_interval_is_the_jackknife_over_folds_by_plain_loops(name):
    confusions, folds = scored(9, 0.6), [0, 0, 1, 1, 2, 2, 3, 3, 4]
    found = interval(confusions, METRICS[name], folds=folds)

    def scaled(share):
        return (share**-0.25 - (1 - share) ** -0.25) / -0.25

    without = [
        METRICS[name](sum(c for c, f in zip(confusions, folds, strict=True) if f != left_out))
        for left_out in range(5)
    ]
    middle = scaled(METRICS[name](confusions.sum(axis=0)))
    half = stats.t.ppf(0.975, 4) * np.sqrt(4 / 5 * sum((scaled(w) - middle) ** 2 for w in without))
    assert found is not None
    assert (scaled(found.low), scaled(found.high)) == pytest.approx((middle - half, middle + half))
    assert (found.num_speakers, found.level) == (9, 0.95)
    assert found.method == "t over 5 folds of 9 speakers"


def test_an_interval_needs_eight_speakers_and_four_folds():
    assert interval(scored(7, 0.5)) is None
    assert difference_interval(scored(7, 0.5), scored(7, 0.6, seed=1)) is None
    assert interval(scored(12, 0.5), folds=[0, 1, 2] * 4) is None
    found = interval(scored(12, 0.5), folds=[0, 1, 2, 3] * 3)
    assert found is not None
    assert found.method == "t over 4 folds of 12 speakers"


def test_speakers_of_one_fold_tell_of_its_model_alone():
    one = interval(scored(10, 0.5), folds=[3] * 10)
    unknown = interval(scored(10, 0.5))
    assert one is not None
    assert unknown is not None
    assert (one.low, one.high) == (unknown.low, unknown.high)
    assert one.method == "t over 10 speakers of one fold: holds for these trainings alone"
    assert "folds not known" in unknown.method


def test_a_model_that_is_worse_for_all_its_speakers_widens_the_interval():
    confusions = np.concatenate(
        [scored(4, level, seed=n) for n, level in enumerate((0.9, 0.8, 0.7, 0.6, 0.5))]
    )
    shared = interval(confusions, folds=np.arange(20) // 4)
    alone = interval(confusions, folds=np.arange(20))
    assert shared is not None
    assert alone is not None
    assert shared.high - shared.low > 1.5 * (alone.high - alone.low)


def test_identical_speakers_leave_no_width():
    one = scored(1, 0.5)
    found = interval(np.repeat(one, 10, axis=0))
    assert found is not None
    assert found.low == pytest.approx(found.high) == pytest.approx(float(uar(one[0])))


def test_intervals_cover_the_truth_about_as_often_as_they_say():
    hits = 0
    for seed in range(200):
        found = interval(scored(10, 0.7, seed=seed), folds=np.arange(10) // 2)
        assert found is not None
        hits += found.low <= 0.7 <= found.high
    # 95% of 200 is 190, give or take 3.1 (standard deviation).
    assert 180 <= hits <= 198


def test_a_perfect_system_may_still_be_wrong_once():
    confusions = np.zeros((8, 2, 2))
    confusions[:, 0, 0] = 3
    confusions[0, 1, 1] = 3
    found = interval(confusions)
    assert found is not None
    assert found.high == 1.0
    assert found.low == pytest.approx(1 - 0.5 / 27)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 8), min_size=6, max_size=10), st.integers(4, 8))
def test_p_agrees_with_scipy_over_folds_of_equal_size(right, wrong):
    first = np.array([[[one, 8 - one], [0, 0]] for one in right], dtype=float)
    second = np.array([[[wrong, 8 - wrong], [0, 0]]] * len(right), dtype=float)
    gaps = [(one - wrong) / 8 for one in right]
    p = paired_test(first, second, folds=range(len(right)))
    if np.ptp(gaps) == 0:
        assert p == (1.0 if gaps[0] == 0 else 0.0)
    else:
        assert p == pytest.approx(stats.ttest_1samp(gaps, 0).pvalue)


def test_a_test_needs_six_speakers_and_four_folds():
    first, second = scored(8, 0.9), scored(8, 0.4, seed=1)
    assert paired_test(first[:5], second[:5], folds=range(5)) is None
    assert paired_test(first[:1], second[:1], folds=[2]) is None
    assert paired_test(first, second, folds=[0, 1, 2, 0, 1, 2, 0, 1]) is None
    assert paired_test(first, second, folds=[0, 1, 2, 3, 0, 1, 2, 3]) < 0.05
    assert paired_test(first[:6], second[:6], folds=range(6)) < 0.05


def test_the_interval_of_a_difference_holds_zero_where_the_test_finds_nothing():
    for seed in range(20):
        first, second = scored(10, 0.65, seed=seed), scored(10, 0.6, seed=seed + 50)
        folds = np.arange(10) // 2
        bounds = difference_interval(first, second, folds=folds, level=0.95)
        assert bounds is not None
        p = paired_test(first, second, folds=folds)
        assert (bounds.low <= 0 <= bounds.high) == (p >= 0.05)


def test_folds_of_a_speaker_are_one():
    speakers = ["a", "a", "b", "c", "d", "d", "e"]
    folds = [0, 1, 1, 2, 5, 4, 4]
    assert folds_of_speakers(list("edcba"), speakers, folds) == [4, 4, 2, 0, 0]


def test_folds_are_as_many_as_speakers():
    with pytest.raises(ValueError, match="10 speakers, but 9 folds"):
        interval(scored(10, 0.5), folds=range(9))


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
    assert results["few"].lack == "5 speaker(s); 6 speakers in 4 or more folds are needed"
    assert results["up"].lack is None
    assert results["few"].p_holm is None
    assert results["up"].p_holm == pytest.approx(5 * results["up"].p)


def test_systems_scored_on_different_rows_are_refused():
    with pytest.raises(ValueError, match="same utterances"):
        compare({"x": (scored(8, 0.5), scored(8, 0.5, per_class=5))})
    with pytest.raises(ValueError, match="same utterances"):
        compare({"x": (scored(8, 0.5), scored(7, 0.5))})


def test_description_gives_an_interval_or_the_speakers():
    shown = describe(list("abcdefgh"), scored(8, 0.5), folds=[0, 0, 1, 1, 2, 2, 3, 3])
    assert shown.endswith("(95%, t over 4 folds of 8 speakers)")
    few = describe(["a", "b"], np.array([np.eye(2) * 4, [[3, 1], [1, 3]]]))
    assert few == "87.5 (2 speaker(s), 75.0 to 100.0: a 100.0, b 75.0; no interval)"
