"""``raysearch predict``: recordings to rows, in each format; what cannot be used is told."""

import csv
import io
import json
import shutil

import numpy as np
import pyarrow.parquet as pq
import pytest
import soundfile
from finished_run import LABELS, finished_run, speakers

import raysearch
from raysearch.__main__ import main
from raysearch.features.audio import Waveform
from raysearch.inference.recognition import windows


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    return finished_run(tmp_path_factory.mktemp("finished"))


@pytest.fixture(scope="module")
def of_speakers(tmp_path_factory):
    return finished_run(tmp_path_factory.mktemp("speakers"), normalise="speaker")


def run(capsys, *arguments):
    code = main(["predict", *map(str, arguments)])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def rows_of(text):
    return list(csv.DictReader(io.StringIO(text)))


def test_a_folder_in_csv_is_an_evaluations_to_the_last_digit(finished, capsys):
    done, test, expected_NK = finished
    code, out, err = run(capsys, done.root, test[0].parent)
    rows = rows_of(out)
    assert (code, err) == (0, "")
    assert [row["file"] for row in rows] == [str(path) for path in test]
    found_NK = np.array([[float(row[f"p_{name}"]) for name in LABELS] for row in rows])
    assert np.array_equal(found_NK, expected_NK)
    assert [row["label"] for row in rows] == [LABELS[k] for k in expected_NK.argmax(axis=1)]


@pytest.mark.parametrize("kind", ["json", "jsonl", "parquet", "csv"])
def test_every_format_holds_the_same(finished, capsys, tmp_path, kind):
    done, test, _ = finished
    output = tmp_path / f"all.{kind}"
    assert run(capsys, done.best, test[0], "--output", output) == (0, "", "")
    if kind == "parquet":
        rows = pq.read_table(output).to_pylist()
    elif kind == "csv":
        rows = rows_of(output.read_text())
    else:
        text = output.read_text()
        rows = json.loads(text if kind == "json" else f"[{text}]")
    prediction = raysearch.load(done.root).predict(*soundfile.read(test[0], dtype="float32"))
    assert rows[0]["label"] == prediction.label
    found = {name: float(rows[0][f"p_{name}"]) for name in LABELS}
    assert found == dict(prediction.probabilities)


def test_bad_files_are_told_and_skipped(finished, capsys, tmp_path):
    done, test, _ = finished
    bad, empty = tmp_path / "bad.wav", tmp_path / "empty.flac"
    bad.write_text("no audio")
    empty.touch()
    code, out, err = run(capsys, done.root, bad, test[0], empty)
    assert code == 0
    assert [row["file"] for row in rows_of(out)] == [str(test[0])]
    assert f"skipped {bad}: neither WAV nor FLAC" in err
    assert f"skipped {empty}: empty file" in err
    code, out, err = run(capsys, done.root, bad, empty)
    assert (code, out) == (3, "")
    assert "none of 2 recordings could be used" in err


def test_names_come_from_standard_input(finished, capsys, monkeypatch):
    done, test, _ = finished
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{test[1]}\nnowhere.wav\n\n{test[0]}\n"))
    code, out, err = run(capsys, done.root, "-")
    assert (code, [row["file"] for row in rows_of(out)]) == (0, [str(test[1]), str(test[0])])
    assert "skipped nowhere.wav: no such file" in err


def test_a_manifest_names_files_and_speakers(of_speakers, capsys, tmp_path):
    done, test, expected_NK = of_speakers
    for path in test:
        shutil.copyfile(path, tmp_path / path.name)
    manifest = tmp_path / "all.csv"
    lines = [f"{path.name},{who}" for path, who in zip(test, speakers(len(test)), strict=True)]
    manifest.write_text("\n".join(["path,speaker", *lines]))
    code, out, _ = run(capsys, done.root, manifest)
    rows = rows_of(out)
    assert (code, [row["speaker"] for row in rows]) == (0, list(speakers(len(test))))
    found_NK = np.array([[float(row[f"p_{name}"]) for name in LABELS] for row in rows])
    assert np.array_equal(found_NK, expected_NK)


@pytest.mark.parametrize("options", [[], ["--timeline"]])
def test_a_single_file_is_refused_where_speakers_normalise(of_speakers, capsys, options):
    done, test, _ = of_speakers
    code, out, err = run(capsys, done.root, test[0], *options)
    assert (code, out) == (2, "")
    assert "needs several recordings of each speaker" in err


def test_a_timeline_has_a_row_a_window_and_a_plot(finished, capsys, tmp_path):
    done, _, _ = finished
    long, plot = tmp_path / "long.wav", tmp_path / "long.svg"
    soundfile.write(long, np.random.default_rng(0).normal(0, 0.1, 16000), 8000)
    options = ["--timeline", "--window", "0.8", "--plot", plot]
    code, out, _ = run(capsys, done.root, long, *options)
    rows = rows_of(out)
    assert code == 0
    spans = [(float(row["start_s"]), float(row["end_s"])) for row in rows]
    assert spans == [(0.0, 0.8), (0.4, 1.2), (0.8, 1.6), (1.2, 2.0)]
    assert all(name in plot.read_text() for name in (*LABELS, "long.wav"))
    wave, rate = soundfile.read(long, dtype="float32")
    alone = raysearch.load(done.root).predict(wave[: round(0.8 * rate)], rate)
    assert float(rows[0]["p_calm"]) == pytest.approx(alone.probabilities["calm"], abs=1e-6)


@pytest.mark.parametrize(("seconds", "number"), [(0.5, 1), (1.0, 1), (1.01, 2), (2.0, 3)])
def test_windows_end_with_the_recording(seconds, number):
    waveform = Waveform.of(np.zeros(round(100 * seconds), np.float32), 100)
    spans = windows(waveform, 1.0, 0.5)
    assert len(spans) == number
    assert spans[-1][0].end_s == pytest.approx(seconds)
    assert all(len(piece.samples) == min(100, round(100 * seconds)) for _, piece in spans)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--format", "parquet"], "give --output"),
        (["--window", "2"], "--window belongs to --timeline"),
        (["--output", "all.doc"], "give --format"),
        (["--timeline", "--hop", "9"], "to a whole window"),
        (["--timeline", "--plot", "x.pdf"], "a .png or .svg file"),
        (["nowhere.wav"], "nowhere.wav: no such file or folder"),
    ],
)
def test_what_cannot_be_meant_is_told(finished, capsys, arguments, said):
    done, test, _ = finished
    code, out, err = run(capsys, done.root, test[0], *arguments)
    assert (code, out) == (2, "")
    assert said in err


def test_a_table_is_for_reading(finished, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    done, test, expected_NK = finished
    code, out, _ = run(capsys, done.root, test[0].parent, "--format", "table")
    lines = out.splitlines()
    assert (code, len(lines)) == (0, 1 + len(test))
    for path, probs_K, line in zip(test, expected_NK, lines[1:], strict=True):
        name, label, percent = line.split()[:3]
        assert (name, label) == (path.name, LABELS[probs_K.argmax()])
        assert percent == f"{100 * probs_K.max():.0f}%"
