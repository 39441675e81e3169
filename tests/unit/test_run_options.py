"""What the options of ``run`` and ``submit`` mean, before anything is started."""

import pytest

from raysearch.cli.main import parsed, run_command
from raysearch.errors import ConfigError, UserError
from raysearch.run_folder import RunFolder
from raysearch.spec import SearchSpec


def options(*arguments):
    return parsed(["run", *arguments])[1]


def spec_from_arguments(arguments, run=None):
    return arguments.search.spec(run)


def overrides(arguments):
    return dict(arguments.search.settings)


def test_workers_may_be_a_range():
    given = overrides(options("--space=cnn", "--workers=2:8"))
    assert (given["search.workers"], given["search.max_workers"]) == (2, 8)
    assert overrides(options("--space=cnn", "--workers=2")) == {"search.workers": 2}
    spec = spec_from_arguments(options("--space=cnn", "--workers=2:8"))
    assert spec.search.workers_of_identity == "2:8"
    assert (
        spec_from_arguments(options("--space=cnn", "--workers=2")).search.workers_of_identity == 2
    )
    with pytest.raises(ConfigError, match="below 'workers'"):
        spec_from_arguments(options("--space=cnn", "--workers=8:2"))


@pytest.mark.parametrize("workers", ["x", "2:", ":8", "2:8:9"])
def test_what_is_no_range_is_refused(workers, capsys):
    with pytest.raises(SystemExit):
        options("--space=cnn", f"--workers={workers}")
    assert "--workers" in capsys.readouterr().err


def test_data_is_an_absolute_path_or_a_url(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    given = overrides(options("--space=cnn", "--corpus=a,b", "--data=here,s3://bucket/there"))
    assert given["corpus.data"] == f"{tmp_path}/here,s3://bucket/there"


def test_a_resumption_takes_the_run_s_own_settings(tmp_path):
    run = RunFolder(tmp_path / "one")
    run.open(SearchSpec.load("cnn", ["model.width=24", "search.trials=7"]), resume=False)
    found = spec_from_arguments(options("--resume", "--name=one", "--trials=9"), run)
    assert (found.model.width, found.search.trials) == (24, 9)
    with pytest.raises(UserError, match="nothing to resume there"):
        spec_from_arguments(options("--resume", "--name=two"), RunFolder(tmp_path / "two"))
    with pytest.raises(UserError, match="is missing; only --resume"):
        spec_from_arguments(options("--name=one"))


def test_auto_asks_for_a_name(capsys, tmp_path):
    code = run_command(["run", "--space=cnn", "--resume=auto", f"--storage={tmp_path}"])
    assert code == 2
    assert "--resume auto asks for --name RUN" in capsys.readouterr().err


@pytest.mark.parametrize("space", [["--space=cnn"], []])
def test_who_names_a_space_may_leave_it_out(tmp_path, capsys, space):
    """Refused before Ray is started; of other settings alone there is no space to leave out."""
    RunFolder(tmp_path / "one").open(SearchSpec.load("cnn"), resume=False)
    given = ["--name=one", "--resume", "--seed=5", f"--storage={tmp_path}"]
    assert run_command(["run", *space, *given]) == 2
    told = capsys.readouterr().err
    assert "cannot resume with other settings: search.seed: 0 -> 5" in told
    hint = "; leave --space out to go on with the run's own settings"
    assert told.rstrip().endswith(hint) == bool(space)


def test_a_storage_that_is_none_is_one_line(capsys):
    assert run_command(["run", "--space=cnn", "--storage=ftp://x/y"]) == 2
    assert capsys.readouterr().err.startswith("raysearch: 'ftp://x/y': no storage")


def test_a_folder_by_url_is_a_folder(tmp_path):
    given = options("--space=cnn", f"--storage=file://{tmp_path}/results")
    assert given.storage == tmp_path / "results"
