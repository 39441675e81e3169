import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, f1_score, recall_score

from raysearch.training.metrics import accuracy, confusion_matrix, macro_f1, recalls, uar

PAIRS = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=40)


@given(PAIRS)
def test_scores_equal_scikit_learns_over_supported_classes(pairs: list[tuple[int, int]]) -> None:
    true, predicted = zip(*pairs, strict=True)
    present = sorted(set(true))
    matrix = confusion_matrix(true, predicted, 5)
    options = {"labels": present, "average": "macro", "zero_division": 0}
    assert uar(matrix) == pytest.approx(recall_score(true, predicted, **options))
    assert macro_f1(matrix) == pytest.approx(f1_score(true, predicted, **options))
    assert accuracy(matrix) == pytest.approx(accuracy_score(true, predicted))


@given(PAIRS, PAIRS)
def test_matrices_add_up(first: list[tuple[int, int]], second: list[tuple[int, int]]) -> None:
    parts = [confusion_matrix(*zip(*pairs, strict=True), 5) for pairs in (first, second)]
    whole = confusion_matrix(*zip(*(first + second), strict=True), 5)
    np.testing.assert_array_equal(parts[0] + parts[1], whole)


def test_classes_without_support_are_left_out() -> None:
    matrix = [[2, 0, 2], [0, 0, 0], [0, 0, 4]]
    np.testing.assert_array_equal(recalls(matrix), [0.5, np.nan, 1.0])
    assert uar(matrix) == 0.75
    assert macro_f1(matrix) == pytest.approx((2 * 2 / 6 + 2 * 4 / 10) / 2)


def test_a_class_never_predicted_counts_as_zero() -> None:
    assert uar([[4, 0], [4, 0]]) == 0.5
    assert macro_f1([[4, 0], [4, 0]]) == pytest.approx((8 / 12) / 2)


def test_nothing_to_score_is_nan_not_zero() -> None:
    empty = np.zeros((3, 3))
    assert np.isnan([uar(empty), accuracy(empty), macro_f1(empty)]).all()


def test_leading_axes_are_independent_matrices() -> None:
    stack = np.random.default_rng(0).integers(0, 5, (7, 2, 4, 4))
    for score in (uar, accuracy, macro_f1):
        assert score(stack).shape == (7, 2)
        assert score(stack)[3, 1] == score(stack[3, 1])
    assert recalls(stack).shape == (7, 2, 4)


def test_foreign_indices_are_refused() -> None:
    with pytest.raises(ValueError, match=r"outside 0\.\.2"):
        confusion_matrix([0, 3], [0, 1], 3)
    with pytest.raises(ValueError, match="2 labels, but 1"):
        confusion_matrix([0, 1], [0], 3)
