"""Recorded searches go the same way again: proposals, seeds, prunings, pauses, promotions, ends.

``make_ledgers.py`` made the ledgers, and makes them anew when a search is meant to go otherwise.
"""

from dataclasses import replace
from pathlib import Path

import pytest
from ledger_replay import replay
from recorded_ledger import DivergedError
from recorded_searches import SEARCHES
from recording import LEDGERS, Recording

TESTS = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    """The speech encoder of the searches that have one; also the way to what they import."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(TESTS / "unit"))
        patch.syspath_prepend(str(TESTS / "ray"))
        from tiny_encoder import write_file

        yield write_file(tmp_path_factory.mktemp("encoder"))


def test_every_search_is_kept():
    assert {path.name for path in LEDGERS.iterdir() if path.is_dir()} == set(SEARCHES)


@pytest.mark.parametrize("name", SEARCHES)
def test_a_recorded_search_goes_the_same_way_again(name, tmp_path, encoder):
    replay(Recording.read(name), tmp_path, encoder)


# Where a search with another setting goes another way; what it says then.
CHANGES = {
    "the reduction factor": ("cnn", [("search.reduction_factor", 2)], "trains on"),
    "the first rung": ("cnn", [("search.grace_epochs", 2)], "trains on"),
    "the rule": ("cnn", [("search.scheduler", "asha")], "trains on|was let go|is 'p"),
    "what difference means nothing": ("cnn", [("search.noise", 1)], "trains on"),
    "what is expected": ("cnn", [("search.priors", False)], "config"),
    "a bound": (
        "cnn",
        [("space.spec_augment.freq_mask_width", {"uniform": [0.05, 0.36]})],
        "config",
    ),
    "the seed": ("cnn", [("search.seed", 1)], "trial is"),
    "asha's reduction factor": ("resnet34", [("search.reduction_factor", 2)], "trains on"),
    "asha's first rung": ("resnet34", [("search.grace_epochs", 2)], "trains on"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_search_is_noticed(change, tmp_path, encoder):
    name, overrides, says = CHANGES[change]
    with pytest.raises(DivergedError, match=says):
        replay(Recording.read(name), tmp_path, encoder, overrides=overrides)


@pytest.mark.parametrize("name", SEARCHES)
def test_another_seed_of_the_sampler_is_noticed(name, tmp_path, encoder):
    with pytest.raises(DivergedError, match="config"):
        replay(Recording.read(name), tmp_path, encoder, sampler_seed=77)


def test_another_number_of_random_trials_is_noticed(tmp_path, encoder):
    recording = replace(Recording.read("svm"), num_startup=12)
    with pytest.raises(DivergedError, match="config"):
        replay(recording, tmp_path, encoder)


@pytest.mark.parametrize(
    ("name", "budgets"),
    [
        ("epoch_budget", {"epoch_budget": 27}),
        ("epoch_budget", {"epoch_budget": 25}),
        ("time_budget", {"time_budget": "20s"}),
        ("time_budget", {"time_budget": "60s"}),
    ],
)
def test_another_budget_is_noticed(name, budgets, tmp_path, encoder):
    recording = Recording.read(name)
    *before, last = recording.sittings
    last = replace(last, budgets={**last.budgets, **budgets})
    with pytest.raises(DivergedError):
        replay(replace(recording, sittings=[*before, last]), tmp_path, encoder)


def test_another_course_of_a_trial_is_noticed(tmp_path, encoder):
    """A value that was measured otherwise leads to other proposals."""
    recording = Recording.read("ssl")
    events = [
        replace(event, data={**event.data, "metrics": {**event.data["metrics"], "val_loss": 0.01}})
        if event.event == "epoch" and event.number == 2
        else event
        for event in recording.events
    ]
    with pytest.raises(DivergedError, match="config"):
        replay(replace(recording, events=events), tmp_path, encoder)
