"""Keys under their former names are still read, and the user is told the new one."""

import pytest

from raysearch.config.base import Config
from raysearch.config.dotted_keys import flat
from raysearch.errors import ConfigError
from raysearch.race.entrants import entrants
from raysearch.run_folder import RunFolder
from raysearch.spec import SearchSpec

SPACE = """\
features:
  mel: {extractor: log_mel, n_mels: 40}
model: {name: emohrnet, width: 8}
"""
FORMER = SPACE + "search:\n  trials: 7\n  own_first: false\n"


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "own.yaml"
    path.write_text(FORMER)
    return path


def test_a_file_with_a_former_name_means_what_it_meant(file):
    spec = SearchSpec.load(str(file))
    assert (spec.search.trials, spec.search.defaults_first) == (7, False)
    told = f"{file}:6: 'search.own_first' is now called 'search.defaults_first'"
    assert spec.remarks == (told,)


def test_an_option_with_a_former_name_goes_over_what_the_file_says(file):
    for key in ("search.own_first", "search.defaults_first"):
        spec = SearchSpec.load(str(file), [f"{key}=true"])
        assert spec.search.defaults_first
    spec = SearchSpec.load("cnn", ["search.own_first=false"])
    assert not spec.search.defaults_first
    told = "--set search.own_first: 'search.own_first' is now called 'search.defaults_first'"
    assert spec.remarks == (told,)


def test_both_names_at_once_are_refused(file):
    file.write_text(FORMER + "  defaults_first: true\n")
    with pytest.raises(ConfigError, match=r"own.yaml:6: .*'search.defaults_first': give one of"):
        SearchSpec.load(str(file))


def test_a_mistake_is_told_at_its_place(file):
    file.write_text(FORMER.replace("false", "never"))
    with pytest.raises(ConfigError, match=r"own.yaml:6: 'search.defaults_first' is 'never'"):
        SearchSpec.load(str(file))


def test_a_run_of_an_earlier_version_is_resumed(tmp_path):
    spec = SearchSpec.load("cnn", ["search.defaults_first=false"])
    run = RunFolder(tmp_path / "run")
    run.open(spec, resume=False)
    text = run.spec_file.read_text().replace("defaults_first", "own_first")
    run.spec_file.write_text(text)
    assert run.spec().differences(spec) == []
    assert run.spec() == spec
    run.open(spec, resume=True)
    assert "own_first" not in run.spec_file.read_text()
    assert run.spec().remarks == ()


def test_a_race_says_it_once():
    found = entrants(["cnn", "logistic"], [("search.own_first", False)])
    assert not any(spec.search.defaults_first for spec in found.specs.values())
    assert sum("'search.defaults_first'" in line for line in found.notes) == 1


def test_leaves_by_their_dotted_keys():
    data = {"a": {"b": 1, "c": {"d": [2]}}, "e": {}}
    assert flat(data) == {"a.b": 1, "a.c.d": [2], "e": {}}


def test_a_hook_under_its_former_name_is_refused():
    with pytest.raises(TypeError, match=r"Own\.ready is called check_external_files"):
        type("Own", (Config,), {"ready": lambda self: None})
