"""Which trial goes to which slot after a loss, and which slot is given up."""

import numpy as np

from raysearch.tuning.waiting import SlotHealth, Waiting


def test_first_in_first_out():
    waiting = Waiting()
    for number in (4, 2, 9):
        waiting.add(number)
    assert len(waiting) == 3
    assert [waiting.take(0, alone=False) for _ in range(4)] == [4, 2, 9, None]


def test_a_suspect_does_not_go_back_to_its_slot_while_there_is_another():
    waiting = Waiting()
    assert not waiting.suspect(4, 0)
    waiting.add(4)
    waiting.add(5)
    assert waiting.avoided() == set()
    assert waiting.take(0, alone=False) == 5
    assert waiting.avoided() == {0}
    assert waiting.take(0, alone=False) is None
    assert waiting.is_suspect(4)
    assert not waiting.is_suspect(5)
    assert waiting.take(1, alone=False) == 4
    assert waiting.suspect(4, 1), "it was one already"


def test_a_trial_that_gets_further_elsewhere_is_no_suspect():
    waiting = Waiting()
    for epoch in range(1, 6):
        waiting.trained(4, epoch)
    waiting.suspect(4, 0)
    waiting.trained(4, 5)
    assert waiting.is_suspect(4), "it had been there"
    waiting.trained(4, 6)
    assert not waiting.is_suspect(4)
    assert not waiting.suspect(4, 1)


def test_a_suspect_takes_the_last_slot():
    waiting = Waiting()
    waiting.suspect(4, 0)
    waiting.add(4)
    assert waiting.take(0, alone=True) == 4


def test_a_slot_that_fails_what_others_train_is_given_up():
    health, given_up = SlotHealth(), []
    while not any(given_up):
        health.trained(1)
        given_up.append(health.failed(0, "bad"))
    assert 3 <= len(given_up) <= 5


def test_an_epoch_makes_up_for_failures():
    health = SlotHealth()
    for reason in "abcdefghi":
        health.trained(1)
        assert not health.failed(0, reason)
        health.trained(0)


def test_settings_that_fail_everywhere_cost_no_slot():
    health = SlotHealth()
    assert not any(health.failed(slot, "bad") for _ in range(9) for slot in (0, 1))
    health.trained(0)
    assert not any(health.failed(0, "bad") for _ in range(9)), "it alone has trained"


def test_settings_of_which_many_fail_cost_no_slot():
    rng, health = np.random.default_rng(0), SlotHealth()
    for _ in range(400):
        slot = int(rng.integers(4))
        if rng.random() < 0.6:
            health.trained(slot)
        else:
            assert not health.failed(slot, str(rng.choice(list("abcdefghijklmnopqrstuvwxyz"))))


def test_a_reason_that_a_slot_has_outlived_is_the_settings():
    health = SlotHealth()
    assert not health.failed(0, "ValueError: this net refuses a dropout of 0.50")
    health.trained(0)
    for _ in range(20):
        health.trained(1)
        assert not health.failed(2, "ValueError: this net refuses a dropout of 0.5")
    assert any(health.failed(2, "OSError: the driver's library is not there") for _ in range(5))
