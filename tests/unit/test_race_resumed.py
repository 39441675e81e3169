"""What a race is asked when it is resumed, and what becomes of its record."""

import pytest

from raysearch.race.record import Place, RaceState, Round, Turn

CORES = {"search.core_budget": "60m"}


def turn(*, done=True):
    return Turn(grant={}, limits={}, done=done)


def place(**fields):
    fields = {"value": 0.5, "verdict": "best", "stays": True, **fields}
    return Place(behind=None, error=None, **fields)


def round_of(number, *systems, **fields):
    fields = {"ends_at": {}, "turns": {system: turn() for system in systems}, **fields}
    return Round(number=number, systems=list(systems), **fields)


def state(**fields):
    asked = {"search.core_budget": "30m"}
    return RaceState(
        **{"systems": ["cnn", "svm"], "left_out": {}, "asked": asked, "final": "auto", **fields}
    )


def test_where_no_own_settings_have_a_score_more_budget_lets_all_search_on():
    found = state(rounds=[round_of(1, "cnn", "svm")])
    found.go_on({}, None)
    assert not found.rounds[0].places  # nothing more to spend: as it was
    found.go_on(CORES, None)
    assert found.asked == CORES
    assert [p.stays for p in found.rounds[0].places.values()] == [True, True]
    assert RaceState.model_validate(found.model_dump(mode="json")) == found


def test_a_later_round_without_a_score_is_held_again_with_more_budget():
    first = round_of(1, "cnn", "svm", places={"cnn": place(), "svm": place()})
    found = state(rounds=[first, round_of(2, "cnn", "svm")])
    found.go_on(CORES, None)
    assert found.rounds == [first]


def test_a_round_under_way_stays_so():
    turns = {"cnn": turn(), "svm": turn(done=False)}
    for under_way in (round_of(1, "cnn", "svm", turns=turns), round_of(1, "cnn", "svm", turns={})):
        found = state(rounds=[under_way])
        found.go_on(CORES, None)
        assert found.rounds == [under_way]
        assert not under_way.places


@pytest.mark.parametrize(
    ("asked", "final", "again"),
    [({}, None, False), ({}, "auto", False), ({}, "ensemble", True), (CORES, None, True)],
)
def test_another_final_model_or_more_budget_is_a_last_turn_anew(asked, final, again):
    found = state(winner="cnn", last_turn=turn())
    found.go_on(asked, final)
    assert found.over is not again
    assert found.final == (final or "auto")
