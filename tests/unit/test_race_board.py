"""What a race says at its end, from what its systems have found."""

import csv

import pytest
from protocol_corpora import regular

from raysearch.errors import TrialError
from raysearch.evaluation.evaluation_notes import race_notes
from raysearch.ledger import Event
from raysearch.protocols.audit import audit
from raysearch.protocols.protocol_section import ProtocolConfig
from raysearch.protocols.splits import inner_splits
from raysearch.race.board import board_of, statements, write_board
from raysearch.race.race_record import Place, RaceFolder, RaceState, Round, Turn
from raysearch.race.standings import Seen, gap, whole_trial
from raysearch.run_folder import RACE, RunFolder
from raysearch.spec import SearchSpec
from raysearch.streaming.preparation import AuditedSplit
from raysearch.trial_records import Trials

OBJECTIVE = "val_uar_mean3"


def trials_of(*values, status="completed", epochs=1):
    """Trials with a value each, all of them ended so."""
    found, seq = Trials(OBJECTIVE), 0
    for number, value in enumerate(values):
        told = [("started", {"config": {}, "seed": number})]
        told += [
            ("epoch", {"epoch": e, "metrics": {OBJECTIVE: value, "val_wa": value}, "train_s": 6.0})
            for e in range(1, 1 + epochs)
        ]
        told += [(status, {"reason": "it broke"})] if status else []
        for kind, data in told:
            seq += 1
            event = Event(kind, seq, f"trial-{number}", number, 1, 1, float(seq), data=data)
            found.apply(event)
    return found


def seen_of(system, *values, rows=None, **kinds):
    trials = trials_of(*values, **kinds)
    best = next(iter(trials.ranked()), None)
    used = {"core_s": 60.0, "epochs": 1.0, "trials": float(len(values))}
    whole = whole_trial(trials, SearchSpec.load("cnn"), 2.0, 1)
    return Seen(system, trials, best, used, whole, rows)


@pytest.fixture(scope="module")
def audited():
    corpus = regular(10, per_class=3)
    split, *inner = inner_splits(corpus, ProtocolConfig(), 2)
    return AuditedSplit(corpus, split, audit(split), tuple(inner))


def rows_of(audited, right):
    """Every validation row, of which every ``right``-th is heard right."""
    names = [row.id for split in (audited.split, *audited.inner) for row in split.validation]
    return {name: (0, int(i % right > 0)) for i, name in enumerate(names)}


def state(*systems, **fields):
    return RaceState(systems=list(systems), left_out={}, asked={}, final="auto", **fields)


def said(audited, *seen, **fields):
    specs = {one.system: SearchSpec.load("cnn") for one in seen}
    found = board_of(state(*specs, **fields), {one.system: one for one in seen}, specs, audited)
    return found, statements(found)


def test_near_and_far_are_told_apart(audited):
    _, lines = said(
        audited, seen_of("far", 0.2), seen_of("near", 0.79, 0.7), seen_of("best", 0.8, 0.3)
    )
    assert lines[0].startswith("best system: best, 3-epoch validation UA 80.0% +- ")
    assert lines[0].endswith(" validation speakers), the best of 2 trials")
    assert lines[1].startswith("not distinguished from it: near (-1.0 +- ")
    assert lines[2].startswith("clearly behind: far (-60.0 +- ")
    assert len(lines) == 3


def test_what_came_to_no_end_is_not_judged_and_what_failed_says_why(audited):
    cut = seen_of("cut", 0.1, status=None, epochs=2)
    broken = seen_of("broken", status="failed")
    failed = Trials(OBJECTIVE)
    failed.apply(Event("started", 1, "t", 0, 1, 1, 1.0, data={"config": {}, "seed": 1}))
    failed.apply(Event("failed", 2, "t", 0, 1, 1, 2.0, data={"reason": "it broke"}))
    broken = Seen("broken", failed, None, broken.used, {}, None)
    late = Seen("late", Trials(OBJECTIVE), None, broken.used, {}, None)
    _, lines = said(audited, seen_of("best", 0.8), cut, broken, late)
    # 30 epochs of 6 s on 2 CPUs.
    assert lines[1].startswith(
        "not judged: cut: the budget was enough for 2 epochs of its settings, and a whole trial "
        "takes about 6.0 core-minutes"
    )
    assert "no score: broken: its first trial failed: it broke" in lines
    assert "no score: late: its share of the budget ended before its first epoch" in lines


def test_whose_own_settings_failed_is_not_judged_by_more_budget(audited):
    broken = seen_of("broken", 0.1, status="failed", epochs=2)
    _, lines = said(audited, seen_of("best", 0.8), broken)
    assert lines[1] == (
        "not judged: broken: its settings failed: it broke; --space broken alone would try others"
    )


def test_rows_that_two_systems_hear_differently_make_the_error_larger(audited):
    alike = [seen_of(name, 0.8, rows=rows_of(audited, 3)) for name in ("a", "b")]
    other = seen_of("b", 0.8, rows={n: (0, 1 - h) for n, (_, h) in rows_of(audited, 3).items()})
    least = gap(seen_of("a", 0.8), seen_of("b", 0.8), audited, OBJECTIVE)
    assert gap(*alike, audited, OBJECTIVE) == least
    assert gap(alike[0], other, audited, OBJECTIVE).error > least.error
    assert gap(alike[0], seen_of("c"), audited, OBJECTIVE) is None


def test_what_is_left_of_the_budget_is_said_once_the_race_is_over(audited):
    left = "10.0 core-minutes of 30.0 core-minutes, as all trials are there"
    done = Turn(grant={}, limits={}, done=True)
    told = {"unspent": left, "last_turn": done}
    lines = said(audited, seen_of("best", 0.8), seen_of("far", 0.2), **told)[1]
    assert lines[-1] == f"left unspent: {left}"
    assert "left unspent" not in said(audited, seen_of("best", 0.8), unspent=left)[1][-1]


def test_a_race_of_one_that_failed_throughout_is_an_error(audited):
    found, _ = said(audited, seen_of("cnn", None, None, status="failed"))
    with pytest.raises(TrialError, match="every trial failed, the first as it broke"):
        found.check()
    said(audited, seen_of("cnn", 0.5), seen_of("svm", None, status="failed"))[0].check()


def test_the_board_is_of_all_systems_and_says_who_left_when(audited, tmp_path):
    places = {
        "best": Place(value=0.8, behind=None, error=None, verdict="best", stays=True),
        "far": Place(value=0.2, behind=0.6, error=0.1, verdict="behind", stays=False),
    }
    rounds = [Round(number=1, systems=["far", "best"], ends_at={}, places=places)]
    found, lines = said(
        audited, seen_of("far", 0.2), seen_of("best", 0.8), rounds=rounds, winner="best"
    )
    write_board(RaceFolder(tmp_path), found)
    rows = list(csv.DictReader((tmp_path / "leaderboard.csv").read_text().splitlines()))
    assert [(row["system"], row["verdict"], row["left_after_round"]) for row in rows] == [
        ("best", "best", ""),
        ("far", "behind", "1"),
    ]
    assert float(rows[1]["behind"]) == pytest.approx(0.6)
    assert float(rows[0]["core_s"]) == 60.0
    text = (tmp_path / "leaderboard.md").read_text()
    assert all(f"- {line}" in text for line in lines)
    assert "[0000](far/leaderboard.md)" in text
    assert "no test row was read" in text


def test_who_stays_after_a_second_chance_did_not_leave(audited):
    best = Place(value=0.8, behind=None, error=None, verdict="best", stays=True)
    out = Place(value=0.2, behind=0.6, error=0.1, verdict="not judged", stays=False)
    first = Round(
        number=1, systems=["dear", "near"], ends_at={}, places={"near": best, "dear": out}
    )
    second = {"dear": best.model_copy(update={"stays": True}), "near": out}
    again = Round(number=1, systems=["near", "dear"], second=["dear"], ends_at={}, places=second)
    found, _ = said(
        audited, seen_of("near", 0.2), seen_of("dear", 0.8), rounds=[first, again], winner=None
    )
    assert [(row.system, row.left_after) for row in found.rows] == [("dear", None), ("near", 1)]
    only, _ = said(audited, seen_of("near", 0.8), seen_of("dear", 0.2), rounds=[first])
    assert [row.left_after for row in only.rows] == [None, 1]


def test_a_winner_was_chosen_on_speakers_that_its_other_folds_test(tmp_path):
    run = RunFolder(tmp_path / "race" / "cnn")
    run.root.mkdir(parents=True)
    assert race_notes(run, "nested") == []
    (run.root.parent / RACE).write_text("{}")
    (note,) = race_notes(run, "nested")
    assert note == "the system saw these speakers: it won a race on one fold"
    assert race_notes(run, "reuse-settings") == [note]
    assert race_notes(run, "fold") == []
