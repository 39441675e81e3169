"""The plain model beside a network: which it is, and the share that it is given."""

import numpy as np
import pytest

from raysearch.evaluation.fusion import best_share
from raysearch.evaluation.selection import value
from raysearch.partner import partner_config
from raysearch.spec import SearchSpec
from raysearch.training.predictions import Predictions

LABELS = np.arange(300) % 3


def said(right_share, confidence, seed):
    """Log-probabilities of a model that is right on a share of the rows, and this sure of it."""
    rng = np.random.default_rng(seed)
    right = rng.random(len(LABELS)) < right_share
    classes = np.where(right, LABELS, (LABELS + 1) % 3)
    probs = np.full((len(LABELS), 3), (1 - confidence) / 2)
    probs[np.arange(len(LABELS)), classes] = confidence
    return np.log(probs)


def predictions(log_probs):
    names = tuple(f"u{row}" for row in range(len(LABELS)))
    return [Predictions(names, LABELS, log_probs.astype(np.float32))]


def test_one_that_errs_elsewhere_has_a_share():
    assert best_share(said(0.7, 0.9, 1), predictions(said(0.7, 0.9, 2))) > 0.2


def test_one_that_guesses_has_hardly_any():
    assert best_share(said(0.7, 0.9, 1), predictions(said(1 / 3, 0.9, 2))) <= 0.1


def test_a_network_that_is_too_sure_is_no_reason_for_one():
    """At the temperatures they come with, the worse model would make the mean less sure."""
    network, worse = said(0.7, 0.9999, 1), said(0.4, 0.9999, 2)
    assert max((0, 0.5), key=lambda s: value((1 - s) * network + s * worse, LABELS)[1]) == 0.5
    assert best_share(network, predictions(worse)) <= 0.2


@pytest.mark.parametrize("seed", range(5))
def test_no_share_costs_recall_on_the_rows_that_it_is_chosen_by(seed):
    network, other = said(0.7, 0.9, seed), said(0.6, 0.6, seed + 100)
    share = best_share(network, predictions(other))
    mixed = (1 - share) * network + share * other
    assert value(mixed, LABELS)[0] >= value(network, LABELS)[0]


def test_a_networks_partner_reads_functionals():
    partner = partner_config(SearchSpec.load("cnn"))
    assert sorted(partner.used_features) == ["functionals", "mfcc"]


def test_that_of_a_frozen_encoder_reads_its_statistics_too():
    partner = partner_config(SearchSpec.load("ssl"))
    assert sorted(partner.used_features) == ["functionals", "mfcc", "ssl"]
    assert partner.used_features["ssl"] == SearchSpec.load("ssl").base.used_features["ssl"]
    assert partner.model.c < partner_config(SearchSpec.load("cnn")).model.c


def test_an_encoder_that_learns_has_no_statistics_to_read():
    spec = SearchSpec.load("ssl", [("model.tune", "lora"), ("space.model.tune", None)])
    assert "ssl" not in partner_config(spec).used_features


@pytest.mark.parametrize(("key", "value"), [("search.fusion", False), ("search.final", "single")])
def test_there_may_be_none(key, value):
    assert partner_config(SearchSpec.load("cnn", [(key, value)])) is None


def test_the_plain_model_is_no_partner_of_itself():
    assert partner_config(SearchSpec.load("logistic")) is None


def test_another_classical_model_has_one():
    assert partner_config(SearchSpec.load("svm")).model.name == "logistic"
