"""What more time would bring, told from what a search has reached by now."""

import numpy as np
import pytest

from raysearch.config.metric_table import metric_of
from raysearch.config.stop_rule_table import STOP_RULES
from raysearch.core_time import SlotSeconds
from raysearch.forecast import gain
from raysearch.forecast.course import Course
from raysearch.forecast.gain import RATIOS, YARDSTICKS, Gain, yardstick
from raysearch.forecast.progress import HOUR_S, Outlook, Progress, outlook_of
from raysearch.ledger import Event
from raysearch.spec import SearchSpec
from raysearch.trial_records import Trials

# Five trials of four epochs each; the best of all values comes with the 17th epoch.
ENDS = (0.5, 0.3, 0.65, 0.4, 0.7)
# A search of five whole runs is promised so much less than one of a single run.
FIVE_RUNS = 5**-0.5
VALUES = [end - 0.1 * min(epoch, 1) for end in ENDS for epoch in range(4)]


def course_of(values=VALUES, *, loss=False, epochs=4):
    numbers = [i // epochs for i in range(len(values))]
    metric = metric_of("val_loss" if loss else "val_uar")
    return Course.of(range(1, len(values) + 1), numbers, values, metric)


def forecast(course, ratio, max_epochs, scheduler="asha"):
    return gain.forecast(course, ratio, max_epochs, scheduler)


def test_the_yardstick_is_the_lead_and_twice_the_last_gain():
    measured = yardstick(course_of(), 1.0, max_epochs=4)
    lead, half_ago = 0.7 - (0.7 + 0.65 + 0.5) / 3, 0.65
    assert measured.length == pytest.approx(FIVE_RUNS * (lead + 2 * (0.7 - half_ago)))
    assert measured.room == pytest.approx(0.3)
    # A tenth of the compute ago, at 18 epochs, it was 0.7 already: only the lead is left.
    assert yardstick(course_of(), 0.1, max_epochs=4).length == pytest.approx(FIVE_RUNS * lead)


def test_an_older_search_promises_less():
    """The same course is one of two whole runs, or of five."""
    young, old = yardstick(course_of(), 1.0, 10), yardstick(course_of(), 1.0, 4)
    assert old.length == pytest.approx(young.length * (2 / 5) ** 0.5)
    assert old.room == young.room


def test_a_lead_over_failures_counts_as_three_tenths_of_what_is_left():
    bad = course_of([0.1] * 16 + [0.9] * 4)
    assert yardstick(bad, 0.1, 4).length == pytest.approx(FIVE_RUNS * 0.3 * 0.1)


def test_the_interval_is_so_many_yardsticks():
    for scheduler, known in YARDSTICKS.items():
        for ratio, times in zip(RATIOS, known, strict=True):
            length = yardstick(course_of(), ratio, 4).length
            expected = Gain(0.0, pytest.approx(times * length))
            assert forecast(course_of(), ratio, 4, scheduler) == expected
    assert forecast(course_of(), 0.0, 4) == Gain(0.0, 0.0)


def test_constants_are_of_rules_that_there_are():
    """A new rule has none, and no forecast, until they are measured on recorded curves."""
    assert set(YARDSTICKS) <= set(STOP_RULES.built_in)
    assert {"promote", "asha", "median", "none"} <= set(YARDSTICKS)
    assert all(len(known) == len(RATIOS) for known in YARDSTICKS.values())


def test_more_compute_brings_no_less():
    highs = [forecast(course_of(), ratio, 4).high for ratio in np.linspace(0, 1, 41)]
    assert highs == sorted(highs)
    assert 0 < highs[1] < highs[-1] <= 0.3


def test_a_loss_is_foretold_as_a_score_is_and_no_lower_than_zero():
    high = forecast(course_of([1 - value for value in VALUES], loss=True), 1.0, 4).high
    assert high == pytest.approx(forecast(course_of(), 1.0, 4).high)
    steep = [2.0, 1.5, 1.2, 0.01, *[2.0] * 12]
    assert forecast(course_of(steep, loss=True), 1.0, 4).high <= 0.01


def test_the_scale_of_a_loss_does_not_matter():
    one, ten = (course_of([k * (1 - v) for v in VALUES], loss=True) for k in (1, 10))
    assert forecast(ten, 0.5, 4).high == pytest.approx(10 * forecast(one, 0.5, 4).high)


def test_a_search_that_has_stood_still_gains_less_than_one_that_has_not():
    still = [0.7, *[value for value in VALUES if value < 0.7], 0.3]
    for ratio in RATIOS:
        assert forecast(course_of(still), ratio, 4).high <= forecast(course_of(), ratio, 4).high
    assert forecast(course_of(still), 1.0, 4).high < forecast(course_of(), 1.0, 4).high


def test_equal_trials_may_still_gain_something_and_a_perfect_one_nothing():
    assert forecast(course_of([0.5] * 20), 1.0, 4).high > 0
    assert forecast(course_of([1.0] * 20), 1.0, 4) == Gain(0.0, 0.0)


@pytest.mark.parametrize(
    ("values", "max_epochs"),
    [
        (VALUES[:12], 4),  # three trials
        (VALUES, 11),  # less than two whole runs
        ([None] * 20, 4),
        ([], 4),
    ],
)
def test_nothing_is_said_before_there_is_enough(values, max_epochs):
    assert forecast(course_of(values), 1.0, max_epochs) is None


def test_epochs_without_a_value_count_as_compute_alone():
    told = course_of([*VALUES[:2], None, *VALUES[3:10], None, *VALUES[11:]])
    assert forecast(told, 1.0, 4).high == pytest.approx(forecast(course_of(), 1.0, 4).high)
    late = course_of([None] * 12 + VALUES[4:])
    assert forecast(late, 1.0, 4).high > 0


def test_nothing_is_foretold_beyond_as_much_again():
    with pytest.raises(ValueError, match="beyond"):
        forecast(course_of(), 1.1, 4)


# ---- from a ledger ---------------------------------------------------------------------------

SPEC = SearchSpec.load("emohrnet", [("training.epochs", 2), ("search.cpus_per_worker", 2)])


def line(kind, number, at, slot=0, attempt=1, fence=1, **data):
    return Event(kind, int(10 * at) + 1, f"t{number}", number, attempt, fence, at, slot, data)


def trained(number, at, uars, slot=0, seconds=10.0, first=1, **where):
    """Epochs of ``seconds`` each, the first of which begins at ``at``."""
    for i, uar in enumerate(uars):
        metrics = {"val_uar": uar, "val_uar_mean3": uar, "val_loss": 1.0}
        told = {"epoch": first + i, "metrics": metrics, "train_s": seconds}
        yield line("epoch", number, at + (i + 1) * seconds, slot, **where, **told)


def search(seconds=10.0):
    """Five trials of two epochs on one slot."""
    for number, end in enumerate(ENDS):
        at = 2 * number * seconds
        yield line("started", number, at, None, config={})
        yield from trained(number, at, (end - 0.1, end), seconds=seconds)
        yield line("completed", number, at + 2 * seconds)


def outlook(events, spec=SPEC):
    events = list(events)
    return outlook_of(spec, events, Trials.replay(events, spec.search.objective))


def course(events):
    events = list(events)
    trials = Trials.replay(events, SPEC.search.objective)
    return Progress(SPEC, events).course(trials)


def test_core_time_is_that_of_all_slots_from_their_first_epoch_on():
    events = [*trained(0, 100, (0.1, 0.2)), *trained(1, 100, (0.3,), slot=1, seconds=5.0)]
    # Another driver's slot 0 is another slot; what has no slot takes no time.
    events += [*trained(2, 500, (0.3,), fence=2), line("started", 3, 900, None, config={})]
    assert SlotSeconds(events).total == 20 + 5 + 10
    # A slot that waits between two trials is held all the same.
    assert SlotSeconds([*events, *trained(3, 130, (0.4,))]).total == 40 + 5 + 10
    assert Progress(SPEC, events).core_s == 2 * 35


def test_a_short_search_is_told_of_as_long_again_and_a_long_one_of_the_next_core_hour():
    short = outlook(search())
    assert short.core_s == 2 * 100
    assert not short.is_hour
    hours = outlook(search(seconds=900.0))
    assert hours.is_hour
    assert hours.core_s == HOUR_S
    # Five core-hours: a fifth as much again, between what a tenth and a quarter would bring.
    assert 0 < hours.gain.high < short.gain.high


def test_events_one_by_one_come_to_the_same():
    progress, trials = Progress(SPEC), Trials(SPEC.search.objective)
    for event in search():
        trials.apply(event)
        progress.take(event)
    assert progress.outlook(trials) == outlook(search()) is not None


def test_failed_trials_and_repetitions_are_left_out():
    more = [
        line("started", 5, 100, None, config={}),
        *trained(5, 100, (0.99,)),
        line("failed", 5, 110, reason="x"),
        line("started", 6, 110, None, config={}),
        line("completed", 6, 110, None, copied_from=4),
    ]
    found = course([*search(), *more])
    assert found.num_epochs == 10
    assert found.best() == 0.7
    assert outlook([*search(), *more]).core_s == 2 * 110, "what failed was paid for"


def test_epochs_that_were_trained_again_count_once():
    again = [
        line("started", 5, 100, None, config={}),
        *trained(5, 100, (0.2, 0.9)),
        line("resumed", 5, 130, None, attempt=2, epoch=1),
        *trained(5, 130, (0.4,), first=2, attempt=2),
    ]
    found = course([*search(), *again])
    assert found.num_epochs == 12
    assert found.best() == 0.7
    assert found.spent_E[-1] == 2 * 140


def test_a_paused_trial_that_goes_on_is_one_trial():
    pausing = [
        line("started", 5, 100, None, config={}),
        *trained(5, 100, (0.5,)),
        line("paused", 5, 110, epoch=1),
        line("resumed", 5, 110, None, attempt=2, epoch=1, promoted=True),
        *trained(5, 110, (0.8,), first=2, attempt=2),
    ]
    bests = course([*search(), *pausing]).bests()
    assert list(bests) == [0.8, 0.7, 0.65, 0.5, 0.4, 0.3]


def test_a_ledger_without_epochs_has_no_outlook():
    assert outlook([]) is None
    assert outlook([line("started", 0, 1.0, None, config={})]) is None
    assert outlook(list(search())[:12]) is None


def test_an_outlook_of_an_hour_says_so():
    assert Outlook(HOUR_S, Gain(0.0, 0.1)).is_hour
    assert not Outlook(60.0, Gain(0.0, 0.1)).is_hour
