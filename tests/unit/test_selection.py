"""Greedy ensemble selection, and what it is worth on speakers that did not choose it."""

import numpy as np
import pytest

from raysearch.evaluation.selection import (
    MAX_SIZE,
    Candidate,
    clearly_ahead,
    compare_with_single,
    informed,
    mean_log_probs,
    select,
    value,
)

LABELS = np.arange(60) % 3
SPEAKERS = [f"s{row % 4}" for row in range(60)]


def candidate(number, wrong, confidence=0.9, labels=LABELS):
    """Right everywhere but on the rows of ``wrong``, where it says the next class."""
    said = np.where(np.isin(np.arange(len(labels)), list(wrong)), (labels + 1) % 3, labels)
    probs = np.full((len(labels), 3), (1 - confidence) / 2)
    probs[np.arange(len(labels)), said] = confidence
    return Candidate(number, np.log(probs))


def test_models_that_err_apart_are_taken_together():
    apart = [candidate(n, range(20 * n, 20 * n + 20), 0.7) for n in range(3)]
    counts = select(apart, LABELS)
    assert set(counts) == {0, 1, 2}
    assert value(mean_log_probs(apart, counts), LABELS)[0] == 1.0


def test_a_model_that_adds_nothing_is_left_out():
    good, bad = candidate(7, range(3)), candidate(8, range(60))
    assert set(select([bad, good], LABELS)) == {7}


def test_what_has_learned_nothing_is_no_member():
    good, weak = candidate(0, range(20)), candidate(1, range(26))
    rng = np.random.default_rng(0)
    luck = Candidate(2, rng.normal(0, 0.1, (60, 3)))
    one_answer = Candidate(3, np.log(np.tile([0.5, 0.3, 0.2], (60, 1))))
    able = informed([good, luck, weak, one_answer], LABELS)
    assert [one.number for one in able] == [0, 1]
    assert informed([luck, good], LABELS)[0] is luck, "the best trial stays, whatever it is"


def test_one_candidate_is_its_own_ensemble():
    assert set(select([candidate(4, range(9))], LABELS)) == {4}


def test_the_ensemble_is_never_larger_than_allowed():
    rng = np.random.default_rng(0)
    models = [candidate(n, rng.choice(60, 25, replace=False), 0.6) for n in range(12)]
    assert sum(select(models, LABELS).values()) <= MAX_SIZE


def test_taking_a_model_twice_gives_it_twice_the_share():
    one, two = candidate(0, [0], 0.9), candidate(1, [1], 0.8)
    mixed = mean_log_probs([one, two], {0: 2, 1: 1})
    np.testing.assert_allclose(mixed, (2 * one.log_probs + two.log_probs) / 3)


def test_complementary_models_pay_on_unseen_speakers():
    apart = [candidate(n, range(20 * n, 20 * n + 20), 0.7) for n in range(3)]
    compared = compare_with_single(apart, LABELS, SPEAKERS)
    assert compared.ensemble == 1.0
    assert compared.single < 0.75
    assert compared.pays


def test_chance_among_equals_does_not_pay():
    rng = np.random.default_rng(1)
    models = []
    for number in range(
        8
    ):  # pure noise: whatever is chosen on some speakers says nothing of others
        logs = np.log(rng.dirichlet(np.ones(3), size=60))
        models.append(Candidate(number, logs))
    compared = compare_with_single(models, LABELS, SPEAKERS)
    assert compared.single < 0.6
    assert compared.ensemble < 0.6
    assert not compared.pays


def test_one_speaker_cannot_judge():
    assert compare_with_single([candidate(0, [])], LABELS, ["s0"] * 60) is None


def test_equal_accuracy_is_told_apart_by_likelihood():
    sure, unsure = candidate(0, [0], 0.9), candidate(1, [0], 0.5)
    assert value(sure.log_probs, LABELS)[0] == value(unsure.log_probs, LABELS)[0]
    assert value(sure.log_probs, LABELS) > value(unsure.log_probs, LABELS)


def test_the_error_is_that_of_a_paired_difference():
    first, second = candidate(0, range(0, 60, 6)), candidate(1, [])
    compared = compare_with_single([first, second], LABELS, SPEAKERS)
    assert compared.error == pytest.approx(0.0)  # both choices are the second model


def test_a_best_trial_is_clearly_ahead_only_if_luck_does_not_explain_it():
    other = candidate(0, range(30))
    assert clearly_ahead(candidate(1, []), other, LABELS)
    assert clearly_ahead(candidate(1, range(20)), other, LABELS), "it errs on the same rows"
    apart = candidate(1, range(33, 60))
    assert value(apart.log_probs, LABELS) > value(other.log_probs, LABELS)
    assert not clearly_ahead(apart, other, LABELS), "3 rows more, 57 decided differently"
    assert not clearly_ahead(other, other, LABELS)


def test_the_best_of_forty_equals_is_not_clearly_ahead():
    rng = np.random.default_rng(0)
    found = []
    for _ in range(50):
        models = [candidate(n, np.flatnonzero(rng.random(60) < 0.3)) for n in range(40)]
        best = max(models, key=lambda c: value(c.log_probs, LABELS))
        found.append(clearly_ahead(best, models[0], LABELS))
    assert np.mean(found) < 0.1
