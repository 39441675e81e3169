"""A search that goes part by part, as others take their turns on its slots."""

import pytest
from fake_slots import FakeSearch, small_spec

from raysearch.tuning.conductor import PART


def spec(scheduler="promote", **settings):
    fields = ("training.learning_rate", "model.dropout", "training.label_smoothing")
    given = {"search__trials": 8, "search__published_first": False, "search__defaults_first": True}
    return small_spec(fields, search__scheduler=scheduler, **{**given, **settings})


def own_over(trials):
    return 0 in trials.records and trials.records[0].status == "completed"


def never(trials):
    return False


def test_a_part_ends_when_it_is_told_to_and_leaves_no_slot_taken(tmp_path):
    first = FakeSearch(tmp_path / "run", spec(), until=own_over).run()
    assert list(first.trials.records) == [0]
    assert first.trials.records[0].is_own
    assert first.conductor.stopping == PART
    assert first.slots.free() == [0]


def test_what_is_in_flight_beside_it_goes_on_in_the_next_part(tmp_path):
    def at_five(trials):
        return trials.num_epochs >= 5

    first = FakeSearch(tmp_path / "run", spec("none"), num_slots=2, until=at_five).run()
    beside = first.trials.with_status("running")
    assert beside
    assert all(record.checkpoint for record in beside)
    assert not first.slots.busy
    rest = FakeSearch(tmp_path / "run", spec("none"), fence=2).run()
    assert {record.status for record in rest.trials.records.values()} == {"completed"}


@pytest.mark.parametrize("limit", ["search__trials", "search__epoch_budget"])
def test_what_pauses_at_a_part_s_end_may_still_be_promoted(tmp_path, limit):
    few = {limit: 5 if limit == "search__trials" else 8}
    first = FakeSearch(tmp_path / "run", spec(**few), until=never).run()
    paused = {record.number for record in first.trials.with_status("paused")}
    assert paused
    rest = FakeSearch(tmp_path / "run", spec(), fence=2).run()
    assert not rest.trials.with_status("paused")
    assert any(event.data.get("promoted") for event in rest.events("resumed"))
    # A search that ends for good leaves none.
    whole = FakeSearch(tmp_path / "whole", spec(**few)).run()
    assert not whole.trials.with_status("paused")


def test_parts_find_what_one_search_finds(tmp_path):
    whole = FakeSearch(tmp_path / "whole", spec("asha")).run()
    for fence, trials in enumerate((1, 3, 8), start=1):
        last = trials == 8
        part = FakeSearch(
            tmp_path / "parts",
            spec("asha", search__trials=trials),
            fence=fence,
            until=None if last else never,
        ).run()
    assert part.outcome() == whole.outcome()
