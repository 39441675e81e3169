"""Ends that a ledger implies: a driver died before it wrote them."""

import pytest
from fake_slots import FakeSearch, problem_of, small_spec
from search_moments import told

from raysearch.trial_records import Trials
from raysearch.tuning.judge import Judge


def replayed(search, last=None):
    """A judge that only read the ledger's first ``last`` lines, the trials, the ends it found."""
    events = search.events()[:last]
    trials = Trials.replay(events)
    judge = Judge(problem_of(search.spec))
    return judge, trials, judge.replay(events, trials)


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
