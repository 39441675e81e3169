"""When a trial is stopped, now and in a replay."""

import random
import statistics

import pytest
from fake_slots import FakeSearch, problem_of, small_spec
from hypothesis import given
from hypothesis import strategies as st

from raysearch.config.search import SearchConfig
from raysearch.config.stop_rule_table import STOP_RULES
from raysearch.errors import UnknownNameError
from raysearch.ledger import Event
from raysearch.spec import SearchSpec
from raysearch.trial_records import Trials
from raysearch.tuning.halving import PAUSE_SHARE, STOP_SHARE, first_rung
from raysearch.tuning.judge import Judge
from raysearch.tuning.stop_rules import RuleSettings, StopRule, rule_class, stop_rule
from raysearch.tuning.tolerance import ValidationNoise


def rule(kind="asha", max_epochs=9, grace=1, factor=3):
    settings = RuleSettings(max_epochs=max_epochs, grace_epochs=grace, reduction_factor=factor)
    return stop_rule(kind, settings)


def stopped_at(stop_rule, number, values):
    """The epoch after which trial ``number`` is stopped, or ``None``."""
    for epoch, value in enumerate(values, start=1):
        if stop_rule.stops(number, epoch, value):
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


@pytest.mark.parametrize("kind", ["asha", "median"])
def test_grace_epochs_are_given_to_all(kind):
    asha = rule(kind, grace=4)
    for number in range(6):
        assert stopped_at(asha, number, [0.5] * 9) is None
        asha.record(number, 10, 0.5)
    assert stopped_at(asha, 10, [0.0] * 9) == 4
    assert stopped_at(rule(kind, grace=9, max_epochs=2), 0, [0.0] * 2) is None


@pytest.mark.parametrize("kind", ["asha", "median"])
def test_warm_up_does_not_count(kind):
    asha = rule(kind, grace=2)
    for number in range(6):
        curve = [0.0] * number + [0.5] * 9  # as many epochs of warm-up as its number says
        for epoch, value in enumerate(curve, start=1):
            assert not asha.stops(number, epoch, value, warmup=number)
        asha.record(number, len(curve) + 1, 0.5, warmup=number)
    assert next(e for e in range(1, 10) if asha.stops(10, e, 0.0, warmup=3)) == 3 + 2


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


@pytest.mark.parametrize("kind", ["asha", "median", "none"])
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


def replayed(search, last=None):
    """A judge that only read the ledger's first ``last`` lines, the trials, the ends it found."""
    events = search.events()[:last]
    trials = Trials.replay(events)
    judge = Judge(problem_of(search.spec))
    return judge, trials, judge.replay(events, trials)


def told(event, number, seq, attempt=1, **data):
    return Event(event, seq, f"{number:012x}", number, attempt, 1, 0.0, 0, data)


@pytest.fixture(scope="module")
def search(tmp_path_factory):
    """Three slots, so that trials meet at the rungs in another order than that of their numbers."""
    spec = small_spec(search__trials=10, search__reduction_factor=2)
    return FakeSearch(tmp_path_factory.mktemp("run") / "run", spec, num_slots=3).run()


def test_every_stop_is_found_again_if_the_driver_died_before_its_word(search):
    events = search.events()
    found = 0
    for i, event in enumerate(events):
        if event.event in ("pruned", "completed"):
            _, _, ends = replayed(search, i)
            assert ends[event.number] == event.event
            found += 1
    assert found == 10


def test_a_trial_that_went_on_is_not_stopped_where_it_was_not(search):
    for i, event in enumerate(search.events(), start=1):
        _, trials, ends = replayed(search, i)
        live = {record.number for record in trials.with_status("running")}
        assert set(ends) <= live
        if event.event == "checkpoint":
            following = [e.event for e in search.events()[i:] if e.number == event.number]
            ended = following[0] if following[0] in ("pruned", "completed") else None
            assert ends[event.number] == ended


def test_a_live_trial_s_epochs_after_its_checkpoint_are_not_taken(tmp_path):
    spec = small_spec(search__reduction_factor=2, search__trials=5)
    story = []

    def tell(event, number, **data):
        story.append(told(event, number, len(story) + 1, **data))

    for number, value in [(0, 0.5), (1, 0.9)]:
        tell("started", number, config={})
        tell("epoch", number, epoch=1, metrics={"val_uar": value})
    tell("completed", 0)
    trials = Trials.replay(story)
    judge = Judge(problem_of(spec))
    assert judge.replay(story, trials) == {}
    # Trial 1 had no checkpoint: only trial 0 is in the rung, and 0.6 beats it.
    rival = Trials.replay(
        [
            told("started", 2, 1, config={}),
            told("epoch", 2, 2, epoch=1, metrics={"val_uar": 0.6}),
        ]
    ).records[2]
    assert judge.end(rival, 1, done=False) is None


@pytest.mark.parametrize(("never_pruned", "end"), [(False, "pruned"), (True, None)])
def test_some_settings_are_never_pruned_though_they_count(never_pruned, end):
    judge = Judge(problem_of(small_spec()))

    def ends_at_once(number, value, **details):
        started = told("started", number, 1, config={}, **details)
        epoch = told("epoch", number, 2, epoch=1, metrics={"val_uar": value})
        record = Trials.replay([started, epoch]).records[number]
        return judge.end(record, 1, done=False)

    for number in range(6):
        assert ends_at_once(number, 0.5 + number / 100) is None
    assert ends_at_once(10, 0.1, exempt=never_pruned) == end
    # 0.52 was in the best third of nothing until the low values came: they are in the rung.
    assert ends_at_once(11, 0.55) is None


def test_a_value_is_the_best_so_far():
    events = [told("started", 0, 1, config={})]
    for epoch, (uar, loss) in enumerate([(0.3, 1.0), (None, None), (0.2, 0.8)], start=1):
        metrics = {"val_uar": uar, "val_loss": loss}
        events.append(told("epoch", 0, epoch + 1, epoch=epoch, metrics=metrics))
    record = Trials.replay(events).records[0]
    judge = Judge(problem_of(small_spec()))
    assert [judge.value(record, epoch) for epoch in (1, 2, 3)] == [0.3, 0.3, 0.3]
    losses = Judge(problem_of(small_spec(search__objective="val_loss")))
    assert [losses.value(record, epoch) for epoch in (1, 2, 3)] == [-1.0, -1.0, -0.8]


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
