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


MANIFEST = ["corpus", "--corpus=manifest"]
LONG = "0" * 300


@pytest.fixture
def tables(folder):
    """Tables of one recording and a row that cannot be, each by its mistake."""
    (folder / "audio").mkdir()
    soundfile.write(folder / "audio" / "Good.wav", np.zeros(4000), 16_000)
    for name, target in (("a.wav", "b.wav"), ("b.wav", "a.wav")):
        (folder / "audio" / name).symlink_to(target)
    rows = {
        "long": f"{LONG}.wav",
        "loop": "audio/a.wav",
        "dot": ".",
        "capital": "Audio/good.WAV",
        "below": "audio/Good.wav/x.wav",
        "nobody": "~nobody-of-that-name/x.wav",
    }
    good = ["path,emotion,speaker", "audio/Good.wav,sad,s1"]
    for name, path in rows.items():
        (folder / f"{name}.csv").write_text("\n".join([*good, f"{path},sad,s2"]) + "\n")
    (folder / "tabs.csv").write_text("\n".join(good).replace(",", "\t"))
    (folder / "semicolons.csv").write_text("\n".join(good).replace(",", ";"))
    (folder / "loop").symlink_to("loop")


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ([*MANIFEST, "--data=long.csv"], 2, "line 3: '000"),
        (
            [*MANIFEST, "--data=loop.csv"],
            2,
            "line 3: 'audio/a.wav' is no path to use: it is a link",
        ),
        ([*MANIFEST, "--data=dot.csv"], 2, "line 3: '.' is not a file"),
        ([*MANIFEST, "--data=capital.csv"], 2, "audio/Good.wav: only its letter case differs"),
        ([*MANIFEST, "--data=below.csv"], 2, "line 3: 'audio/Good.wav/x.wav' is not a file"),
        ([*MANIFEST, "--data=nobody.csv"], 2, "line 3: '~nobody-of-that-name/x.wav'"),
        (
            [*MANIFEST, "--data=tabs.csv"],
            2,
            "line 1: its cells are separated by tabs: name it .tsv",
        ),
        ([*MANIFEST, "--data=semicolons.csv"], 2, "line 1: its cells are separated by semicolons"),
        ([*MANIFEST, f"--data={LONG}"], 2, "longer than a file's may be"),
        ([*MANIFEST, "--data=loop"], 2, "it is a link that leads to itself"),
        ([*MANIFEST, "--data=."], 2, "a manifest is one"),
        (["corpus", "--corpus=emodb", f"--data={LONG}"], 2, "longer than a file's may be"),
        (["corpus", "--corpus=emodb", "--data=~nobody-of-that-name"], 2, "~nobody-of-that-name"),
        (["corpus", "--corpus=emobox", f"--data={LONG}"], 2, "longer than a file's may be"),
        (["corpus", "--corpus=audformat", "--data=loop"], 2, "a link that leads to itself"),
        ([*MANIFEST, "--data=dot.csv", "--set=corpus.label_map=loop"], 2, "a link that leads"),
        ([*EMOHRNET, f"--name={LONG}"], 2, "longer than a file's may be"),
        ([*EMOHRNET, "--name=."], 2, "--name '.': one folder's name"),
        ([*EMOHRNET, "--name=../x"], 2, "--name '../x': one folder's name"),
        ([*EMOHRNET, "--name=.features"], 2, "--name '.features': one folder's name"),
        ([*EMOHRNET, f"--storage={LONG}", "--name=x"], 2, "longer than a file's may be"),
        ([*EMOHRNET, "--storage=loop", "--name=x"], 2, "loop"),
        (["run", f"--space={LONG}.yaml"], 2, "longer than a file's may be"),
        (["run", "--space=loop/x.yaml"], 2, "loop/x.yaml"),
        (["evaluate", LONG], 2, "longer than a file's may be"),
        (["evaluate", "."], 2, "not a run"),
        (["export", "results/never"], 2, "no such folder"),
    ],
)
@pytest.mark.usefixtures("tables")
def test_a_path_that_cannot_be_is_one_line(arguments, code, words, capsys):
    assert main(arguments) == code
    told = capsys.readouterr().err
    assert words in told
    assert len(told.strip().splitlines()) == 1, told
    assert len(told) < 700


POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:"


@pytest.mark.parametrize("command", [["corpus"], [*EMOHRNET, "--dry-run"]])
@pytest.mark.parametrize(
    ("content", "words"),
    [
        (POINTER, " x neither WAV nor FLAC nor other audio, but a Git LFS pointer"),
        (b"<html>", "but a web page or an error message of a server"),
        (b"RIFF\0\0\0\0WAVE", "WAV without a data chunk"),
    ],
)
def test_a_corpus_of_no_audio_says_why(folder, capsys, command, content, words):
    speakers = ("03", "08", "09", "10")
    names = [f"{s}a0{t}{c}a.wav" for s in speakers for t in (1, 2) for c in "WLE"]
    for number, name in enumerate(names):
        (folder / name).write_bytes(content + b"%d" % number)
    assert main([*command, "--corpus=emodb", "--data=."]) == 3
    told = capsys.readouterr().err
    assert words in told
    assert len(told.strip().splitlines()) == 1, told
    assert any(remedy in told for remedy in ("git lfs pull", "download")), told


def test_links_that_leave_the_folder_are_told_with_a_remedy(folder, capsys):
    (folder / "corpus").mkdir()
    for name in ("03a01Wa.wav", "03a01Na.wav"):
        (folder / name).write_bytes(b"x")
        (folder / "corpus" / name).symlink_to(folder / name)
    assert main(["corpus", "--corpus=emodb", "--data=corpus"]) == 3
    told = capsys.readouterr().err
    assert "2 x a link that leaves the folder, as " in told
    assert "give --data the folder that the links lead to" in told


def test_reasons_and_spelling_are_told_in_the_terminal(folder, capsys):
    rng = np.random.default_rng(0)
    rows = ["path\temotion\tspeaker"]
    for i in range(24):
        soundfile.write(folder / f"{i}.wav", rng.uniform(-0.1, 0.1, 4000), 16_000)
        rows.append(f"{i}.wav\t{('Angry', 'angry', 'sad [!]')[i % 3]}\t{('s1', 'S1', 'x')[i // 8]}")
    (folder / "3.wav").write_bytes(POINTER)
    (folder / "table.tsv").write_text("\n".join(rows) + "\n")
    assert main(["corpus", "--corpus=manifest", "--data=table.tsv"]) in (0, 3)
    told = capsys.readouterr().out
    assert "  1 x neither WAV nor FLAC nor other audio, but a Git LFS pointer, as " in told
    assert "emotions that differ in letter case, spaces or Unicode form only: 'Angry' (7)" in told
    assert "speakers that differ in letter case, spaces or Unicode form only: 'S1' (8)" in told
    assert "sad [!] 8" in told


@pytest.mark.parametrize("verb", [[*EMOHRNET, "--name=x"], ["doctor"]])
def test_the_dashboards_address_is_not_a_clusters(folder, capsys, monkeypatch, verb):
    monkeypatch.setenv("RAY_ADDRESS", "http://127.0.0.1:8265")
    rng = np.random.default_rng(0)
    rows = ["path,emotion,speaker"]
    for i in range(24):
        soundfile.write(folder / f"{i}.wav", rng.uniform(-0.1, 0.1, 4000), 16_000)
        rows.append(f"{i}.wav,{('happy', 'sad')[i % 2]},s{i % 4}")
    (folder / "t.csv").write_text("\n".join(rows) + "\n")
    data = ["--corpus=manifest", "--data=t.csv"] if verb[0] == "run" else []
    assert main([*verb, *data]) == 2
    told = capsys.readouterr().err
    assert "this is the address of a dashboard" in told
    assert "unset RAY_ADDRESS" in told


@pytest.mark.parametrize(
    ("token", "words"),
    [
        ("abc\u2026".encode(), "letters that no token has"),
        (b"\xff\xfe\0x", "letters that no token has"),
        (b"abc\ndef", "more than one line"),
        (b"abc def", "letters that no token has"),
        (b"a" * 5000, "longer than a token may be"),
    ],
)
@pytest.mark.parametrize("way", ["RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH", "HOME"])
def test_a_token_is_checked_when_it_is_read(folder, capsys, monkeypatch, way, token, words):
    monkeypatch.delenv("RAY_AUTH_TOKEN", raising=False)
    monkeypatch.delenv("RAY_AUTH_TOKEN_PATH", raising=False)
    if way == "RAY_AUTH_TOKEN" and b"\0" in token:
        pytest.skip("no variable holds a zero byte")
    (folder / ".ray").mkdir()
    (folder / ".ray" / "auth_token").write_bytes(token)
    places = {"RAY_AUTH_TOKEN_PATH": str(folder / ".ray" / "auth_token"), "HOME": str(folder)}
    monkeypatch.setenv(way, places.get(way) or token.decode(errors="surrogateescape"))
    assert main(["list", "--address=http://127.0.0.1:1"]) == 2
    told = capsys.readouterr().err
    assert words in told
    assert len(told.strip().splitlines()) == 1, told


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
