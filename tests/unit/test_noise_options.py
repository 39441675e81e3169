"""``evaluate --noise``: which kinds are meant."""

import argparse

import pytest

from raysearch.cli.evaluation_options import EvaluateOptions
from raysearch.features.disturbance_table import KINDS


@pytest.fixture
def parsed(tmp_path):
    (tmp_path / "spec.yaml").touch()
    (tmp_path / "run.json").write_text("{}")

    def parse(*arguments):
        parser = argparse.ArgumentParser(exit_on_error=False)
        EvaluateOptions.add(parser)
        return EvaluateOptions.of(parser.parse_args([str(tmp_path), *arguments])).noise

    return parse


def test_it_is_asked_for(parsed):
    assert parsed() == ()


def test_alone_it_is_every_kind(parsed):
    assert parsed("--noise") == parsed("--noise=all") == tuple(KINDS)
    assert parsed("--noise", "--nested") == tuple(KINDS)


def test_some_are_picked(parsed):
    assert parsed("--noise", "white,room") == parsed("--noise=room,white") == ("white", "room")


def test_a_run_behind_it_is_no_kind(parsed):
    with pytest.raises(argparse.ArgumentError, match="'results/one' is no kind of noise"):
        parsed("--noise", "results/one")
