"""Who takes part in a race, and with which of the settings that were asked for."""

import pytest

from raysearch.cli.main import parsed, run_command
from raysearch.config.shipped_spaces import shipped_spaces
from raysearch.errors import MissingPathError, UserError
from raysearch.race.entrants import chosen_spaces, entrants, laid_over, num_given
from raysearch.race.race_record import Place, RaceFolder, RaceState, Round, Turn
from raysearch.run_folder import RunFolder
from raysearch.spec import SearchSpec

SPACES = ["cnn", "logistic", "ssl"]


def test_every_system_runs_in_the_space_for_this_hardware():
    plain = chosen_spaces(gpus=False)
    assert "cnn" in plain
    assert not any("-" in name for name in plain)
    with_gpus = chosen_spaces(gpus=True)
    assert len(with_gpus) == len(plain)
    assert {"cnn-gpu", "ssl-gpu", "logistic", "svm"} <= set(with_gpus)


def test_shipped_spaces_say_nothing_of_the_data_that_all_of_a_race_share():
    for name, path in shipped_spaces().items():
        spec, plain = SearchSpec.load(str(path)), SearchSpec.load("cnn")
        assert (spec.corpus, spec.protocol) == (plain.corpus, plain.protocol), name
        for field in ("inner_folds", "objective", "seed"):
            assert getattr(spec.search, field) == getattr(plain.search, field), name


def test_those_whose_weights_are_lacking_are_left_out_with_the_reason():
    found = entrants(SPACES, [])
    assert list(found.specs) == ["logistic", "cnn"]  # the smallest model first
    assert "features.ssl.weights" in found.left_out["ssl"]
    assert found.notes == []
    for spec in found.specs.values():
        assert not spec.search.published_first
        assert num_given(spec) == 1
    with pytest.raises(UserError, match=r"no system is ready: ssl: .*weights"):
        entrants(["ssl"], [])


@pytest.mark.parametrize(
    ("setting", "key"),
    [
        (("corpus.name", "savee"), "corpus"),
        (("protocol.fold", 1), "protocol"),
        (("search.objective", "val_loss"), "search.objective"),
        (("search.workers", 2), "search.workers"),
    ],
)
def test_systems_that_are_not_judged_alike_cannot_race(tmp_path, setting, key):
    mine = tmp_path / "mine.yaml"
    mine.write_text(SearchSpec.load("lstm", [setting]).to_yaml())
    with pytest.raises(UserError, match=f"cnn and lstm differ in {key}: give it as an option"):
        entrants(["cnn", str(mine)], [])
    assert set(entrants(["cnn", str(mine)], [setting]).specs) == {"cnn", "lstm"}


def test_what_starts_from_weights_of_its_own_cannot_race(tmp_path):
    mine = tmp_path / "mine.yaml"
    mine.write_text(SearchSpec.load("lstm", [("pretrain.weights", "w")]).to_yaml())
    with pytest.raises(UserError, match="lstm starts from weights of its own, and cannot race"):
        entrants(["cnn", str(mine)], [])


def test_a_setting_is_for_those_that_have_it():
    given = [("training.epochs", 3), ("model.width", 24), ("search.seed", 5), ("corpus.name", "x")]
    found = entrants(["cnn", "logistic", "lstm"], given)
    assert found.specs["cnn"].model.width == 24
    assert "model.width" not in found.specs["cnn"].space.fields
    assert {s.search.seed for s in found.specs.values()} == {5}
    assert {s.corpus.name for s in found.specs.values()} == {"x"}
    epochs = {name: spec.training.epochs for name, spec in found.specs.items()}
    assert epochs == {"cnn": 3, "lstm": 3, "logistic": 1}
    assert found.notes == [
        "training.epochs: only for cnn, lstm",
        "model.width: only for cnn",
    ]


def test_a_range_of_a_field_goes_to_those_that_have_the_field():
    spec, unknown = laid_over("cnn", [("space.model.width", {"choice": [8, 16]})])
    assert not unknown
    assert "model.width" in spec.space.fields
    assert laid_over("svm", [("space.model.width", {"choice": [8]})])[1] == ["space.model.width"]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (("model.widht", 3), "model.widht: no system has it .did you mean 'model.width'"),
        (("model.width", -1), "^cnn: .*model.width"),
        (("model.name", "svm"), "it is one system's, and several are to race"),
        (("pretrain.on", "tess"), "it is one system's"),
        (("search.nonsense", 1), "nonsense"),
    ],
)
def test_what_no_system_can_have_is_refused(given, message):
    with pytest.raises(UserError, match=message):
        entrants(["cnn", "logistic"], [given])


def state(**fields):
    given = {"systems": ["cnn", "svm"], "left_out": {"ssl": "no weights"}, "asked": {}}
    return RaceState(**{**given, "final": "auto", **fields})


def test_a_race_s_record_comes_back_as_it_was(tmp_path):
    folder, before = RaceFolder(tmp_path), state(spent={"cnn": 1.5}, winner="cnn")
    before.rounds.append(
        Round(
            number=1,
            systems=["cnn", "svm"],
            ends_at={"core_s": 3.0},
            turns={
                "cnn": Turn(
                    grant={"core_s": 1.0}, limits={"core_budget": "1s", "trials": 2}, done=True
                )
            },
            places={"cnn": Place(value=0.5, behind=None, error=None, verdict="best", stays=True)},
        )
    )
    folder.save(before)
    assert folder.load() == before
    assert not before.over
    folder.file.write_text('{"systems": 3}')
    with pytest.raises(UserError, match=r"race\.json: not a race's record"):
        folder.load()


def test_a_race_stands_for_its_winner_s_run(tmp_path):
    folder = RaceFolder(tmp_path / "race")
    folder.run("cnn").open(SearchSpec.load("cnn"), resume=False)
    with pytest.raises(MissingPathError, match="not a run's folder"):
        RunFolder.existing(folder.root)
    folder.save(state())
    with pytest.raises(MissingPathError, match="no winner yet: resume it, or name a system's run"):
        RunFolder.existing(folder.root)
    folder.save(state(winner="cnn"))
    run = RunFolder.existing(folder.root)
    assert run.root == folder.root / "cnn"
    assert run.storage == tmp_path
    assert RunFolder(tmp_path / "plain").storage == tmp_path
    folder.save(state(winner="../elsewhere"))
    with pytest.raises(MissingPathError, match="no winner yet"):
        RunFolder.existing(folder.root)


def test_a_race_is_asked_for_or_resumed(tmp_path):
    def options(*arguments):
        return parsed(["run", *arguments])[1]

    def is_race(given, named):
        return given.is_race(named)

    folder = RaceFolder(tmp_path / "race")
    folder.root.mkdir()
    assert is_race(options("--space=auto"), None)
    assert not is_race(options("--resume", "--name=race"), RunFolder(folder.root))
    folder.save(state())
    assert is_race(options("--resume", "--name=race"), RunFolder(folder.root))
    assert not is_race(options("--space=cnn", "--resume"), RunFolder(folder.root))
    assert is_race(options("--space=cnn,svm"), None)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--warm-start=results/x"], "--warm-start: an earlier run's settings are one system's"),
        (["--pretrain-on=tess"], "pretrain.on: it is one system's"),
        (["--trials=2"], "systems begin with their own settings, a trial each; give more"),
        (["--core-budget=soon"], "30m"),
        (["--resume", "--name=none"], "no race to resume there; leave --resume out"),
        (["--resume"], "no race has these settings"),
        (["--resume=auto"], "--resume auto asks for --name RUN"),
        (["--set=model.widht=3"], "model.widht: no system has it"),
    ],
)
def test_a_race_that_cannot_be_is_refused_in_a_line(arguments, message, tmp_path, capsys):
    code = run_command(["run", "--space=auto", f"--storage={tmp_path}", *arguments])
    told = capsys.readouterr().err
    assert code == 2
    assert message in told
    assert told.count("\n") == 1
