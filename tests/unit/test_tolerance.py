"""The noise of a difference of two trials' validation values."""

import math

import pytest
from protocol_corpora import regular

from raysearch.protocols.protocol_section import ProtocolConfig
from raysearch.protocols.splits import inner_splits
from raysearch.tuning.tolerance import INTRACLASS, SHARED, ValidationNoise

ONE_EACH = ValidationNoise(((50, 10),), (60,))


def test_a_mean_recall_varies_as_the_binomial_shares_that_it_is_the_mean_of():
    variance = (0.7 * 0.3 / 50 + 0.7 * 0.3 / 10) / 4
    error = ONE_EACH.of_difference(0.65, 0.75, "val_uar")
    assert error == pytest.approx(math.sqrt(2 * (1 - SHARED) * variance))
    assert ONE_EACH.of_difference(0.75, 0.65, "val_uar_mean3") == pytest.approx(error)


def test_accuracy_and_loss_vary_by_all_rows():
    wa = ONE_EACH.of_difference(0.7, 0.7, "val_wa")
    assert wa == pytest.approx(math.sqrt(2 * (1 - SHARED) * 0.7 * 0.3 / 60))
    loss = ONE_EACH.of_difference(-1.0, -1.4, "val_loss")
    assert loss == pytest.approx(math.sqrt(2 * (1 - SHARED) * 1.2**2 / 60))


def test_rows_of_few_speakers_tell_less():
    two = ValidationNoise(((50, 10),), (2,))
    ratio = two.of_difference(0.7, 0.7, "val_uar") / ONE_EACH.of_difference(0.7, 0.7, "val_uar")
    assert ratio == pytest.approx(math.sqrt(1 + 29 * INTRACLASS))


def test_a_mean_over_validation_sets_varies_less():
    one = ValidationNoise(((20, 20),), (4,))
    two = ValidationNoise(((20, 20), (20, 20)), (4, 4))
    ratio = two.of_difference(0.5, 0.5, "val_uar") / one.of_difference(0.5, 0.5, "val_uar")
    assert ratio == pytest.approx(math.sqrt(1 / 2))


@pytest.mark.parametrize("objective", ["val_uar", "val_loss"])
def test_what_has_no_value_is_behind_what_has_one(objective):
    assert ONE_EACH.of_difference(-math.inf, -0.5, objective) == 0.0


def test_it_is_read_off_the_validation_rows():
    splits = inner_splits(regular(10, per_class=3), ProtocolConfig(), 2)
    noise = ValidationNoise.of(splits)
    assert noise == ValidationNoise(((6, 6, 6, 6),) * 2, (2, 2))
