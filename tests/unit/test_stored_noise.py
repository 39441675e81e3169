"""Sweeps over noise as runs have stored them: what earlier versions wrote, and what is missing."""

import json

import pytest

from raysearch.errors import UserError
from raysearch.evaluation.stored_noise import (
    kinds_of,
    missing_levels,
    noise_rows,
    store_noise,
    stored_noise,
)
from raysearch.features import disturbance_table
from raysearch.features.disturbance_table import KINDS, levels_of
from raysearch.run_folder import RunFolder

COMPARED = {"difference": -0.25, "verdict": "worse"}


def figures(share, **more):
    metric = {"mean": share, "per_seed": [share], "interval": None}
    return {"ua": metric, "wa": metric, "macro_f1": metric, "num_unusable": 0, **more}


@pytest.fixture
def run(tmp_path):
    return RunFolder(tmp_path)


def test_there_may_be_none(run):
    assert stored_noise(run) is None
    assert missing_levels(None, ["white", "room"]) == list(levels_of(["white", "room"]))
    assert missing_levels(None, ()) == []
    assert kinds_of(None) == []


def test_what_earlier_versions_wrote_is_white_noise(run):
    levels = [figures(0.5, snr_db=snr) for snr in (None, 20, 10, 5, 0)]
    (run.root / "noise.json").write_text(json.dumps({"trial": "abc", "levels": levels}))
    found = stored_noise(run)
    named = [(level["kind"], level["level"]) for level in found["levels"]]
    assert named == [("clean", ""), *(("white", f"{snr} dB") for snr in (20, 10, 5, 0))]
    assert missing_levels(found, ["white"]) == []
    assert missing_levels(found, ["white", "telephone"]) == list(levels_of(["telephone"]))


@pytest.mark.parametrize("text", ["{", "[]", '{"trial": "a"}', '{"levels": [{"ua": 1}]}'])
def test_a_damaged_file_is_told(run, text):
    (run.root / "noise.json").write_text(text)
    with pytest.raises(UserError, match=r"noise\.json: not a sweep .* remove it"):
        stored_noise(run)


def test_a_table_names_a_kind_once(run):
    levels = [
        figures(0.75, kind="clean", level=""),
        figures(0.5, kind="babble", level="20 dB", comparison=COMPARED),
        figures(0.25, kind="babble", level="10 dB"),
    ]
    winners = {"0": "a", "1": "b"}
    found = {
        "trial": "a",
        "winners": winners,
        "levels": levels,
        "left_out": {"codec, GSM 06.10": "it has no codec"},
    }
    store_noise(run, found)
    assert stored_noise(run) == found
    assert noise_rows(levels) == [
        ["noise", "level", "UA", "WA", "macro-F1", "UA lost", "verdict"],
        ["clean", "", "75.0%", "75.0%", "75.0%", "", ""],
        ["babble", "20 dB", "50.0%", "50.0%", "50.0%", "25.0", "worse"],
        ["", "10 dB", "25.0%", "25.0%", "25.0%", "", ""],
    ]
    text = (run.root / "noise.md").read_text()
    assert "Test rows of folds 0 to 1." in text
    assert "| babble | 20 dB | 50.0% |" in text
    assert kinds_of(found) == ["babble", "codec"]
    assert "- left out: codec, GSM 06.10: it has no codec\n" in text


def test_what_was_left_out_is_tried_again_once_the_machine_can(monkeypatch):
    left_out = {level.in_words: "why" for level in levels_of(tuple(KINDS))}
    found = {"trial": "a", "levels": [], "left_out": left_out}
    again = missing_levels(found, tuple(KINDS))
    assert {level.kind for level in again} == {"codec", "telephone"}
    monkeypatch.setattr(disturbance_table.Level, "lacking", "still not there")
    assert missing_levels(found, tuple(KINDS)) == []
