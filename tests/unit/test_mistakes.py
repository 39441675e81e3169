"""A user's mistake is one line and an exit code, whatever the verb; none of these needs Ray."""

import numpy as np
import pytest
import soundfile

from raysearch.__main__ import main

EMOHRNET = ["run", "--space=emohrnet"]
SUBMIT = ["submit", "--space=emohrnet"]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    return tmp_path


@pytest.fixture
def leak(folder):
    """A manifest of the user's own whose split column shares a speaker."""
    rng = np.random.default_rng(0)
    lines = ["path,emotion,speaker,split"]
    for i in range(24):
        soundfile.write(folder / f"{i}.wav", rng.uniform(-0.1, 0.1, 4000), 16_000)
        emotion = ("happy", "sad")[i % 2]
        split = ("train", "validation", "test")[i % 3]
        lines.append(f"{i}.wav,{emotion},speaker{i % 4},{split}")
    (folder / "leak.csv").write_text("\n".join(lines) + "\n")


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["run", "--space=emohrnt"], 2, "did you mean 'emohrnet'"),
        ([*EMOHRNET, "--set", "model.widht=8"], 2, "model.widht"),
        ([*EMOHRNET, "--set", "model.width=-8"], 2, "model.width"),
        ([*EMOHRNET, "--corpus=ravdes"], 2, "did you mean 'ravdess'"),
        ([*EMOHRNET, "--corpus=emodb"], 2, "--data"),
        ([*EMOHRNET, "--corpus=emodb", "--data=nowhere"], 2, "nowhere"),
        ([*EMOHRNET, "--corpus=emodb", "--data=empty"], 3, "empty"),
        ([*EMOHRNET, "--fold=77"], 2, "fold"),
        ([*EMOHRNET, "--corpus=manifest", "--data=leak.csv"], 3, "speaker"),
        ([*EMOHRNET, "--resume", "--name=never"], 2, "nothing to resume"),
        ([*EMOHRNET, "--time-budget=soon"], 2, "30m"),
        (["evaluate", "results/never"], 2, "not a run"),
        (["corpus", "--corpus=nope"], 2, "nope"),
        (["submit", "--space=emohrnt", "--storage=/x"], 2, "did you mean 'emohrnet'"),
        ([*SUBMIT, "--storage=results"], 2, "--storage results"),
        ([*SUBMIT, "--storage=ftp://x/y"], 2, "ftp://x/y"),
        ([*SUBMIT, "--storage=/x", "--data=EMO-DB"], 2, "--data EMO-DB"),
        ([*SUBMIT, "--storage=/x", "--name=a/b"], 2, "--name a/b"),
        ([*SUBMIT, "--storage=/x", "--env=A"], 2, "NAME=VALUE"),
        (["logs", "/nowhere/never"], 2, "not a run"),
        (["list", "--address=127.0.0.1:1"], 2, "dashboard's address"),
        (["list", "--address=http://127.0.0.1:1"], 4, "no cluster answers"),
    ],
)
@pytest.mark.usefixtures("leak")
def test_a_mistake_is_one_line_and_an_exit_code(arguments, code, words, capsys):
    assert main(arguments) == code
    told = capsys.readouterr().err
    assert words in told
    assert len(told.strip().splitlines()) == 1, told
