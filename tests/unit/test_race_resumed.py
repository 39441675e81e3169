"""What a race is asked when it is resumed, and what becomes of its record."""

import pytest

from raysearch.cli.known_job import kept
from raysearch.cli.main import parsed
from raysearch.cli.race_asked import planned
from raysearch.cli.resume import specs_of
from raysearch.errors import MissingPathError
from raysearch.race.race_record import Place, RaceFolder, RaceState, Round, Turn
from raysearch.race.rounds import next_grant
from raysearch.ray_cluster.resources import Node
from raysearch.run_folder import RunFolder
from raysearch.service.job_record import recorded
from raysearch.spec import SearchSpec
from raysearch.workers.open_pool import plan_for

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


def test_a_round_under_way_has_its_part_of_another_driver_s_wall_time():
    ends_at = {"wall_s": 3000.0, "core_s": 900.0}
    second = round_of(2, "cnn", "svm", ends_at=dict(ends_at))
    used = {"wall_s": 0.0, "core_s": 600.0, "epochs": 40.0}
    second.taken_up({"wall_s": 3600.0, "core_s": 1800.0}, used, 3)
    assert second.ends_at == {"wall_s": 1800.0, "core_s": 900.0}
    second.taken_up({"core_s": 1800.0}, used, 3)
    assert second.ends_at == {"wall_s": 1800.0, "core_s": 900.0}
    first = round_of(1, "cnn", "svm", ends_at=dict(ends_at))
    first.taken_up({"wall_s": 1200.0}, used, 2)
    assert first.ends_at["wall_s"] == 600.0


def test_a_budget_of_another_kind_limits_the_round_under_way():
    turns = {"cnn": turn(), "svm": turn(done=False)}
    second = round_of(2, "cnn", "svm", ends_at={"core_s": 900.0}, turns=turns)
    used = {"wall_s": 0.0, "core_s": 600.0, "epochs": 40.0}
    second.taken_up({"core_s": 1800.0, "epochs": 100.0}, used, 3)
    assert second.ends_at == {"core_s": 900.0, "epochs": 70.0}
    assert list(second.turns) == ["cnn"]  # the other's is granted anew
    assert next_grant(second, used) == {"core_s": 300.0, "epochs": 30.0}
    second.turns["svm"] = turn(done=False)
    second.taken_up({"core_s": 1800.0, "epochs": 100.0}, used, 3)
    assert list(second.turns) == ["cnn", "svm"]  # no new kind: the turn under way goes on


def test_a_smaller_budget_holds_for_the_round_under_way():
    turns = {"cnn": turn(), "svm": turn(done=False)}
    second = round_of(2, "cnn", "svm", ends_at={"core_s": 900.0, "epochs": 60.0}, turns=turns)
    used = {"wall_s": 0.0, "core_s": 600.0, "epochs": 40.0}
    second.taken_up({"core_s": 700.0, "epochs": 100.0}, used, 3)
    assert second.ends_at == {"core_s": 700.0, "epochs": 60.0}
    assert list(second.turns) == ["cnn"]  # the other's is granted anew
    assert next_grant(second, used) == {"core_s": 100.0, "epochs": 20.0}
    wall = round_of(2, "cnn", "svm", ends_at={"wall_s": 3000.0}, turns=dict(turns))
    wall.taken_up({"wall_s": 1200.0}, used, 3)
    assert wall.ends_at == {"wall_s": 600.0}
    assert list(wall.turns) == ["cnn"]


def test_features_are_made_for_those_that_may_still_have_a_turn():
    assert state().playing == ["cnn", "svm"]
    half = {"cnn": turn(), "svm": turn(done=False)}
    assert state(rounds=[round_of(1, "cnn", "svm", turns=half)]).playing == ["cnn", "svm"]
    out = place(verdict="behind", stays=False)
    first = round_of(1, "cnn", "svm", places={"svm": place(), "cnn": out})
    assert state(rounds=[first]).playing == ["svm"]
    assert state(rounds=[first, round_of(2, "svm")]).playing == ["svm"]
    near = round_of(2, "cnn", "svm", places={"svm": place(), "cnn": place()})
    assert state(rounds=[near], winner="svm").playing == ["svm"]


def begun(root, record, **limits):
    """A race on disk, whose runs have the limits of their last turns."""
    folder = RaceFolder(root)
    for system in record.systems:
        given = [(f"search.{key}", value) for key, value in limits.items()]
        folder.run(system).open(SearchSpec.load(system, given), resume=False)
    folder.save(record)
    return folder


def plan(folder, *arguments):
    _, options = parsed(["run", "--resume", *arguments])
    return planned(options, RunFolder(folder.root))


def test_slots_are_for_the_trials_of_the_race_not_of_its_last_turn(tmp_path):
    node = Node(cpus=8.0, gpus=0.0)
    trials = state(asked={"search.trials": 12})
    resumed = plan(begun(tmp_path / "race", trials, trials=1))
    assert [plan_for(spec, [node]).slots for spec in resumed.specs.values()] == [8, 8]
    longer = plan(begun(tmp_path / "longer", trials, trials=1), "--trials=3")
    assert [plan_for(spec, [node]).slots for spec in longer.specs.values()] == [3, 3]
    assert longer.total == {"trials": 3.0}


@pytest.mark.parametrize(
    ("arguments", "again"),
    [
        ([], False),
        (["--set=search.final_seeds=4"], False),  # as it was
        (["--set=search.final_seeds=2"], True),
        (["--set=search.fusion=false"], True),
    ],
)
def test_another_way_to_the_final_model_is_a_last_turn_anew(tmp_path, arguments, again):
    over = state(winner="svm", last_turn=turn())
    found = plan(begun(tmp_path / "race", over), *arguments)
    assert found.state.over is not again


def test_best_is_the_winner_s_unless_a_folder_is_in_its_place(tmp_path):
    folder = RaceFolder(tmp_path)
    for winner in ("cnn", "svm"):
        folder.link_best(winner)
        assert (tmp_path / "best").readlink().as_posix() == f"{winner}/best"
    (tmp_path / "best").unlink()
    (tmp_path / "best").mkdir()
    folder.link_best("cnn")
    assert not (tmp_path / "best").is_symlink()


def test_a_race_is_resumed_elsewhere_with_the_modules_of_all_its_systems(tmp_path):
    folder = begun(tmp_path / "race", state())
    place = str(folder.root)
    assert [spec.name for spec in specs_of(place)] == ["cnn", "svm"]
    assert [spec.name for spec in specs_of(f"{place}/svm")] == ["svm"]
    assert specs_of(str(tmp_path / "none")) == []


def test_what_a_race_s_job_left_is_in_the_race(tmp_path):
    folder = begun(tmp_path / "race", state())
    place = str(folder.root)
    with pytest.raises(MissingPathError, match="race: it was never submitted as a job"):
        kept(place)
    with recorded(folder.root, "race.1"):
        pass
    where, record = kept(place)
    assert (where, record.submission, record.state) == (folder.root, "race.1", "finished")
    with pytest.raises(MissingPathError, match="it was never submitted as a job"):
        kept(f"{place}/cnn")
    with pytest.raises(MissingPathError, match="not a run's folder"):
        kept(str(tmp_path))
