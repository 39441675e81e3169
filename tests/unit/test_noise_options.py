"""``evaluate --noise``: which kinds are meant, and on which folds."""

import argparse

import pytest

from raysearch.cli.evaluation_options import EvaluateOptions
from raysearch.errors import UserError
from raysearch.features.disturbance_table import KINDS


@pytest.fixture
def parsed(tmp_path):
    (tmp_path / "spec.yaml").touch()
    (tmp_path / "run.json").write_text("{}")

    def parse(*arguments):
        parser = argparse.ArgumentParser(exit_on_error=False)
        EvaluateOptions.add(parser)
        return EvaluateOptions.of(parser.parse_args([str(tmp_path), *arguments]))

    return parse


def test_it_is_asked_for(parsed):
    assert parsed().noise == ()


def test_alone_it_is_every_kind(parsed):
    assert parsed("--noise").noise == parsed("--noise=all").noise == tuple(KINDS)
    assert parsed("--noise", "--nested").noise == tuple(KINDS)


def test_some_are_picked(parsed):
    for arguments in (("--noise", "white,room"), ("--noise=room,white",)):
        assert parsed(*arguments).noise == ("white", "room")


def test_a_run_behind_it_is_no_kind(parsed):
    with pytest.raises(argparse.ArgumentError, match="'results/one' is no kind of noise"):
        parsed("--noise", "results/one")


def test_folds_are_those_of_noise(parsed):
    assert parsed("--noise", "--folds=0,2").folds == "0,2"
    assert parsed("--noise").folds is None
    with pytest.raises(UserError, match="--folds all: it goes with --noise"):
        parsed("--nested", "--folds=all")
