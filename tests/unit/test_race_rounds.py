"""Which round comes next, and who has a second chance of what is left."""

import pytest

from raysearch.race.race_record import Place, RaceState, Round, Turn
from raysearch.race.rounds import next_grant, next_round, second_chance
from raysearch.race.verdicts import CHANCE_SHARE, chances

TOTAL = {"core_s": 1800.0}
USED = {"core_s": 900.0}


def place(verdict, *, stays):
    return Place(value=0.5, behind=None, error=None, verdict=verdict, stays=stays)


def race_of(**verdicts):
    """A race after its first round, of which a system stays if its name says so."""
    places = {
        name.removesuffix("_stays"): place(said.replace("_", " "), stays=name.endswith("_stays"))
        for name, said in verdicts.items()
    }
    first = Round(number=1, systems=list(places), ends_at={"core_s": 900.0}, places=places)
    return RaceState(systems=list(places), left_out={}, asked={}, final="auto", rounds=[first])


def test_the_cheapest_of_the_dear_are_judged_within_their_share():
    needed = {"c": 0.5, "a": 0.2, "b": 0.25}
    assert chances(needed) == ["a", "b"]
    assert chances({"a": CHANCE_SHARE, "b": CHANCE_SHARE}) == ["a"]
    assert chances({"a": 1.01 * CHANCE_SHARE}) == []


def test_who_was_too_dear_is_judged_before_the_winner_takes_all():
    state = race_of(cnn_stays="best", svm="behind", wide="not_judged", huge="not_judged")
    lacking = {"wide": {"core_s": 300.0}, "huge": {"core_s": 2000.0}}
    assert state.unjudged == ["wide", "huge"]
    second = next_round(state, TOTAL, USED, lacking)
    assert (second.number, second.systems, second.second) == (1, ["cnn", "wide"], ["wide"])
    assert second.with_turns == ["wide"]
    assert second.ends_at == {"core_s": 900.0 + 0.5 * 900.0}
    assert next_grant(second, USED) == {"core_s": 450.0}

    state.rounds.append(second)
    second.turns["wide"] = Turn(grant={}, limits={}, done=True)
    second.places = {"wide": place("best", stays=True), "cnn": place("behind", stays=False)}
    assert state.unjudged == []  # once
    last = next_round(state, TOTAL, {"core_s": 1200.0}, lacking)
    assert (last.number, last.systems, last.second) == (3, ["wide"], [])
    assert last.ends_at == TOTAL


def test_a_race_that_goes_on_after_a_second_chance_has_its_other_rounds():
    state = race_of(cnn_stays="best", svm="behind", wide="not_judged")
    second = next_round(state, TOTAL, USED, {"wide": {"core_s": 300.0}})
    second.places = dict.fromkeys(("cnn", "wide"), place("not distinguished", stays=True))
    state.rounds.append(second)
    third = next_round(state, TOTAL, {"core_s": 1200.0}, {})
    assert (third.number, third.systems) == (2, ["cnn", "wide"])
    assert third.ends_at == {"core_s": 1500.0}


@pytest.mark.parametrize("needed", [451.0, 2000.0])
def test_nobody_has_a_second_chance_that_would_take_too_much(needed):
    state = race_of(cnn_stays="best", wide="not_judged", svm="behind")
    last = next_round(state, TOTAL, USED, {"wide": {"core_s": needed}})
    assert (last.number, last.systems, last.second) == (3, ["cnn"], [])


def test_while_several_search_on_no_second_chance_comes_before_the_last_round():
    state = race_of(cnn_stays="best", svm_stays="not_distinguished", wide="not_judged")
    lacking = {"wide": {"core_s": 10.0}}
    middle = next_round(state, TOTAL, USED, lacking)
    assert (middle.number, middle.second) == (2, [])
    middle.places = dict.fromkeys(("cnn", "svm"), place("not distinguished", stays=True))
    state.rounds.append(middle)
    before_last = next_round(state, TOTAL, USED, lacking)
    assert (before_last.number, before_last.systems) == (2, ["cnn", "svm", "wide"])
    assert before_last.second == ["wide"]


def test_more_budget_on_resumption_judges_who_was_too_dear():
    state = race_of(cnn_stays="best", wide="not_judged", svm="behind")
    lacking = {"wide": {"core_s": 2000.0}}
    assert second_chance(state, TOTAL, USED, lacking) is None
    state.rounds.append(Round(number=3, systems=["cnn"], ends_at=TOTAL))
    state.rounds[-1].places = {"cnn": place("best", stays=True)}
    state.winner, state.last_turn = "cnn", Turn(grant={}, limits={}, done=True)
    more = {"core_s": 7200.0}
    assert (state.playing, state.unjudged) == (["cnn"], [])
    assert second_chance(state, more, TOTAL, lacking) is None
    state.go_on({"search.core_budget": "120m"}, None)
    assert (state.playing, state.unjudged) == (["cnn"], ["wide"])
    second = second_chance(state, more, TOTAL, lacking)
    assert (second.number, second.systems, second.second) == (3, ["cnn", "wide"], ["wide"])
    assert second.ends_at == {"core_s": 1800.0 + 2700.0}


def test_more_budget_on_resumption_gives_another_second_chance():
    state = race_of(cnn_stays="best", wide="not_judged", huge="not_judged")
    second = next_round(state, TOTAL, USED, {"wide": {"core_s": 300.0}})
    second.places = {
        "cnn": place("best", stays=True),
        "wide": place("not judged", stays=False),
    }
    state.rounds.append(second)
    state.asked = {"search.core_budget": "30m"}
    state.go_on({"search.core_budget": "30m"}, None)
    assert state.unjudged == []  # as it was
    state.go_on({"search.core_budget": "120m"}, None)
    assert state.unjudged == ["wide", "huge"]
    lacking = {"wide": {"core_s": 100.0}, "huge": {"core_s": 2000.0}}
    again = next_round(state, {"core_s": 7200.0}, TOTAL, lacking)
    assert (again.number, again.second) == (1, ["wide", "huge"])
    state.rounds.append(again)
    assert state.unjudged == []


def test_who_stayed_to_the_last_round_and_was_not_judged_may_have_a_second_chance():
    state = race_of(cnn_stays="best", wide_stays="not_judged")
    assert state.unjudged == []  # it goes on
    state.winner = "cnn"
    assert state.unjudged == ["wide"]


def test_nobody_has_a_second_chance_whose_own_settings_have_failed():
    state = race_of(cnn_stays="best", wide="not_judged", broken="not_judged")
    second = second_chance(state, TOTAL, USED, {"wide": {"core_s": 300.0}})
    assert second.second == ["wide"]
    assert second_chance(state, TOTAL, USED, {}) is None


def test_a_last_round_without_its_winner_is_held_again():
    state = race_of(cnn_stays="best", svm_stays="not_distinguished")
    state.rounds[0].number = 2
    again = next_round(state, TOTAL, USED, {})
    assert (again.number, again.systems, again.ends_at) == (2, ["cnn", "svm"], TOTAL)


def test_a_first_round_lets_a_system_take_several_parts():
    first = Round(number=1, systems=["a", "b", "c", "d"], ends_at={"core_s": 800.0})
    assert next_grant(first, {"core_s": 0.0}) == {"core_s": 600.0}
    later = Round(number=2, systems=["a", "b"], ends_at={"core_s": 800.0})
    assert next_grant(later, {"core_s": 600.0}) == {"core_s": 100.0}
