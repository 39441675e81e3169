"""When a trial is stopped."""

import random
import statistics

import pytest
from fake_slots import problem_of
from hypothesis import given
from hypothesis import strategies as st
from search_moments import told

from raysearch.config.search import SearchConfig
from raysearch.config.stop_rule_table import STOP_RULES
from raysearch.errors import UnknownNameError
from raysearch.spec import SearchSpec
from raysearch.trial_records import Trials
from raysearch.tuning.halving import PAUSE_SHARE, STOP_SHARE, first_rung
from raysearch.tuning.judge import Judge
from raysearch.tuning.stop_rules import RuleSettings, StopRule, rule_class, stop_rule
from raysearch.tuning.tolerance import ValidationNoise

every_rule = pytest.mark.parametrize("kind", STOP_RULES.built_in)
STOPS_NOBODY = {"none"}


def rule(kind="asha", max_epochs=9, grace=1, factor=3):
    settings = RuleSettings(max_epochs=max_epochs, grace_epochs=grace, reduction_factor=factor)
    return stop_rule(kind, settings)


def stopped_at(stop_rule, number, values, warmup=0):
    """The epoch after which trial ``number`` is stopped or paused, or ``None``."""
    for epoch, value in enumerate(values, start=1):
        if stop_rule.stops(number, epoch, value, warmup=warmup):
            return epoch
    return None


def test_asha_stops_the_bad_and_keeps_the_good():
    asha = rule()
    for number in range(6):
        assert not asha.stops(number, 1, 0.5 + number / 100)
    assert asha.stops(10, 1, 0.1)
    assert not asha.stops(11, 1, 0.9)
    assert stopped_at(asha, 12, [0.9] * 9) is None


def test_asha_decides_at_its_rungs_only():
    asha = rule()
    for number in range(6):
        assert stopped_at(asha, number, [0.9] * 9) is None
    # Rungs at 1, 2, 4 and 8: what is lost at epoch 3 shows at epoch 4.
    assert stopped_at(asha, 10, [0.9, 0.9, 0.1, 0.1, 0.1]) == 4
    assert stopped_at(asha, 11, [*[0.9] * 8, 0.1]) is None


def test_one_in_so_many_is_kept_rounded_up():
    asha = rule(factor=3)
    for number, value in enumerate([0.1, 0.2, 0.3]):
        assert not asha.stops(number, 1, value)
    # The best two of four, two of five, two of six, three of seven.
    assert not asha.stops(3, 1, 0.21)
    assert not asha.stops(4, 1, 0.22)
    assert asha.stops(5, 1, 0.21)
    assert not asha.stops(6, 1, 0.21)


@pytest.mark.parametrize("factor", [2, 3, 4])
def test_few_trials_are_not_compared(factor):
    asha = rule(factor=factor)
    for number in range(factor):
        assert stopped_at(asha, number, [0.9 - number / 5] * 9) is None
    assert stopped_at(asha, 9, [0.0] * 9) == 1


def test_a_difference_within_the_tolerance_stops_nobody():
    def tolerance(value, cutoff):
        assert value <= 0.9
        assert cutoff == 0.9
        return 0.1

    settings = {"max_epochs": 9, "grace_epochs": 1, "reduction_factor": 3}
    asha = stop_rule("asha", RuleSettings(**settings, tolerance=tolerance))
    for number in range(6):
        assert stopped_at(asha, number, [0.9] * 9) is None
    assert stopped_at(asha, 10, [0.81] * 9) is None
    assert stopped_at(asha, 11, [0.79] * 9) == 1


@every_rule
def test_grace_epochs_are_given_to_all(kind):
    found = rule(kind, grace=4)
    for number in range(6):
        assert stopped_at(found, number, [0.5] * 9) == (4 if found.promotion else None)
        found.record(number, 10, 0.5)
    assert stopped_at(found, 10, [0.0] * 9) == (None if kind in STOPS_NOBODY else 4)
    assert stopped_at(rule(kind, grace=9, max_epochs=2), 0, [0.0] * 2) is None


@every_rule
def test_warm_up_does_not_count(kind):
    found = rule(kind, grace=2)
    for number in range(6):
        curve = [0.0] * number + [0.5] * 9  # as many epochs of warm-up as its number says
        first = stopped_at(found, number, curve, warmup=number)
        assert first == (number + 2 if found.promotion else None)
        found.record(number, len(curve) + 1, 0.5, warmup=number)
    first = stopped_at(found, 10, [0.0] * 9, warmup=3)
    assert first == (None if kind in STOPS_NOBODY else 3 + 2)


def test_the_first_rung_is_a_share_of_the_epochs_unless_it_is_given():
    wholes = (1, 2, 8, 30, 101)
    assert [first_rung(epochs, None, STOP_SHARE) for epochs in wholes] == [1, 2, 3, 6, 21]
    assert [first_rung(epochs, None, PAUSE_SHARE) for epochs in wholes] == [1, 2, 3, 3, 6]
    assert (first_rung(30, 4, STOP_SHARE), first_rung(3, 4, PAUSE_SHARE)) == (4, 3)


def test_the_median_rule():
    median = rule("median")
    for number in range(4):
        for epoch in range(1, 5):
            assert not median.stops(number, epoch, 0.5)
        median.record(number, 5, 0.5)
    assert stopped_at(median, 10, [0.1, 0.1]) == 1
    assert stopped_at(median, 11, [0.6] * 5) is None


def test_no_scheduler_stops_nothing():
    none = rule("none")
    for number in range(9):
        assert stopped_at(none, number, [1 - number / 10] * 9) is None


@every_rule
def test_an_epoch_that_is_told_again_changes_nothing(kind):
    once, twice = rule(kind), rule(kind)
    for number in range(5):
        for epoch in range(1, 6):
            value = 0.5 + number / 50 + epoch / 100
            once.record(number, epoch, value)
            twice.record(number, epoch, value)
            twice.record(number, epoch, value)
            assert not twice.stops(number, epoch, -1.0)
    for value in (0.3, 0.52, 0.56, 0.6, 0.7):
        number = int(value * 1000)
        curve = [value] * 5
        assert stopped_at(once, number, curve) == stopped_at(twice, number, curve)


CURVES = st.lists(st.floats(0, 1, width=16), min_size=9, max_size=9).map(
    lambda values: [max(values[: i + 1]) for i in range(len(values))]
)


@given(
    past=st.lists(CURVES, min_size=1, max_size=8),
    order=st.randoms(use_true_random=False),
    live=CURVES,
)
def test_asha_s_decisions_do_not_depend_on_the_order_of_the_past(past, order, live):
    told = [(n, e, v) for n, curve in enumerate(past) for e, v in enumerate(curve, start=1)]
    forward, shuffled = rule(), rule()
    for entry in told:
        forward.record(*entry)
    numbers = list(range(len(past)))
    order.shuffle(numbers)
    for number in numbers:
        for entry in [entry for entry in told if entry[0] == number]:
            shuffled.record(*entry)
    assert stopped_at(forward, 100, live) == stopped_at(shuffled, 100, live)


@given(past=st.lists(CURVES, min_size=1, max_size=8), live=CURVES)
def test_recording_is_deciding_without_the_decision(past, live):
    decided, recorded = rule(), rule()
    for number, curve in enumerate(past):
        for epoch, value in enumerate(curve, start=1):
            decided.stops(number, epoch, value)
            recorded.record(number, epoch, value)
    assert stopped_at(decided, 100, live) == stopped_at(recorded, 100, live)


def noisy_plateaus(bad=()):
    """Curves of twelve trials of 30 epochs: chance while they warm up, then a noisy plateau."""
    rng = random.Random(3)
    return {
        number: [
            rng.gauss(1 / 7 if epoch <= 3 or number in bad else 0.6, 0.04) for epoch in range(1, 31)
        ]
        for number in range(12)
    }


def judged(curves, noise):
    """Number to the epoch at which successive halving stops it."""
    settings = ["training.warmup_epochs=3", "training.epochs=30", "search.scheduler=asha"]
    judge = Judge(problem_of(SearchSpec.load("cnn", settings)), noise)
    stopped = {}
    for number, curve in curves.items():
        events = [told("started", number, 1, config={})]
        for epoch, value in enumerate(curve, start=1):
            mean = statistics.fmean(curve[max(0, epoch - 3) : epoch])
            metrics = {"val_uar": value, "val_uar_mean3": mean}
            events.append(told("epoch", number, epoch + 1, epoch=epoch, metrics=metrics))
            record = Trials.replay(events).records[number]
            if judge.end(record, epoch, done=epoch == 30) == "pruned":
                stopped[number] = epoch
                break
    return stopped


# Two speakers' 119 rows of seven classes.
SMALL = ValidationNoise(((17,) * 7,), (2,))


def test_a_noisy_plateau_after_warm_up_stops_nobody():
    assert judged(noisy_plateaus(), SMALL) == {}


def test_a_bad_trial_is_stopped_where_rank_predicts_the_end_and_not_before():
    stopped = judged(noisy_plateaus(bad={5, 9}), SMALL)
    assert stopped == dict.fromkeys((5, 9), 3 + first_rung(30, None, STOP_SHARE))


def test_many_rows_tell_more_trials_apart():
    assert len(judged(noisy_plateaus(), ValidationNoise(((10_000,) * 7,), (1000,)))) > 2


class FirstOnly(StopRule):
    """A user's own rule: only trial 0 trains on."""

    def take(self, number, epoch, value):
        return number > 0


@pytest.mark.parametrize("name", [*STOP_RULES.built_in, "test_stop_rule:FirstOnly"])
def test_every_rule_of_the_table_and_the_users_own_lets_the_first_trial_train(name):
    found = stop_rule(name, RuleSettings(max_epochs=9, grace_epochs=9, reduction_factor=3))
    assert isinstance(found, StopRule)
    assert stopped_at(found, 0, [0.5] * 9) is None
    assert SearchConfig(scheduler=name).scheduler == name


def test_what_is_no_rule_is_refused():
    with pytest.raises(ValueError, match=r"unknown stop rule 'ahsa' \(did you mean 'asha'"):
        SearchConfig(scheduler="ahsa")
    with pytest.raises(UnknownNameError, match="not a subclass"):
        rule_class("raysearch.errors:UserError")
