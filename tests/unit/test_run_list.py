"""The runs of a storage: how each ended, what it found, in a folder and in a bucket."""

import json
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from as_nobody import as_nobody
from rich.console import Console

from raysearch.__main__ import main
from raysearch.cli.list_runs import runs_table
from raysearch.cli.tables import print_table
from raysearch.files import write_json
from raysearch.ledger_events import BY_HAND
from raysearch.reporting.run_list import rows_of
from raysearch.reporting.run_state import STATES
from raysearch.reporting.summary import write_summary
from raysearch.reporting.wording import age, size
from raysearch.run_folder import RunFolder
from raysearch.run_lease import RunLease
from raysearch.storage.kept_runs import kept_runs
from raysearch.storage.replica import open_storage
from raysearch.storage.two_kinds import storage_of
from raysearch.tuning.conductor import PART

LEDGERS = Path(__file__).parents[1] / "replay" / "ledgers"
NOW = time.time()
ANOTHER = {"objective": "val_uar", "best_value": 9, "num_trials": 1}


def make_run(folder, ledger="cnn", outcome="finished", ago=3600.0):
    """A recorded search as its driver leaves it; with no outcome as a killed one does."""
    run = RunFolder(folder)
    shutil.copytree(LEDGERS / ledger, folder)
    session = {"started": NOW - ago - 60, "fence": 1}
    if outcome:
        session |= {"ended": NOW - ago, "outcome": outcome}
    write_json(run.info_file, {"space": ledger, "sessions": [session]})
    if outcome:
        write_summary(run, run.events(), run.trials())
    return run


def note_test(run, mode="fold", mean=0.61, protocol="speaker_independent"):
    figures = {"mode": mode, "protocol": protocol, "ua": {"mean": mean}}
    write_json(run.root / "evaluation.json", figures)


@pytest.fixture
def storage(tmp_path):
    return tmp_path / "results"


def states(storage):
    return {row.name: row.state for row in rows_of(kept_runs(storage))}


def test_every_end_has_its_word(storage):
    ends = ("finished", "epoch budget", "time budget", "core budget", "interrupted", "failed", None)
    for number, end in enumerate(ends):
        make_run(storage / str(number), outcome=end)
    words = ["finished", *["budget spent"] * 3, "interrupted", "failed", "lost"]
    assert list(dict(sorted(states(storage).items())).values()) == words


@pytest.mark.parametrize(("end", "word"), [(BY_HAND, "stopped"), (PART, "budget spent")])
def test_an_end_that_was_asked_for_is_no_failure(storage, end, word):
    make_run(storage / "one", outcome=end)
    assert states(storage) == {"one": word}


@pytest.mark.parametrize(("end", "word"), [(BY_HAND, "stopped"), (PART, "lost")])
def test_a_race_that_ended_between_turns_has_not_failed(storage, end, word):
    make_run(storage / "race/cnn", outcome=end)
    write_json(storage / "race/race.json", {"systems": ["cnn", "svm"]})
    assert states(storage) == {"race": word}


@pytest.mark.parametrize(
    ("protocol", "told"), [("speaker_independent", "fold"), ("paper", "fold, paper")]
)
def test_a_search_under_the_papers_split_is_marked(storage, capsys, protocol, told):
    note_test(make_run(storage / "one"), protocol=protocol)
    rows = rows_of(kept_runs(storage))
    shown = [list(column.cells) for column in runs_table(rows, wide=True).columns]
    assert [str(cell) for (cell,) in shown][6] == told
    figures = [list(column.cells) for column in runs_table(rows, wide=False).columns]
    assert [str(cell) for (cell,) in figures][4] == "61.0%" + ("*" if protocol == "paper" else "")
    assert main(["runs", str(storage), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["protocol"] == protocol


def test_a_run_that_a_process_holds_is_running_and_its_ledger_is_read(storage):
    run = make_run(storage / "one")
    write_json(
        run.root / "summary.json", {"objective": "val_uar", "best_value": 9, "num_trials": 1}
    )
    with RunLease.acquire(run.root):
        (row,) = rows_of(kept_runs(storage))
    assert (row.state, row.trials) == ("running", 10)
    assert row.best != 9
    (row,) = rows_of(kept_runs(storage))
    assert (row.state, row.trials, row.best) == ("finished", 1, 9)


def test_a_summary_of_an_earlier_sitting_is_not_believed(storage):
    run = make_run(storage / "one")
    write_json(
        run.root / "summary.json", {"objective": "val_uar", "best_value": 9, "num_trials": 1}
    )
    sessions = [{"started": time.time() + 60, "fence": 2, "ended": time.time() + 90}]
    write_json(run.info_file, {"sessions": sessions})
    (row,) = rows_of(kept_runs(storage))
    assert row.trials == 10


def test_a_search_whose_every_trial_failed_has_failed(storage):
    run = make_run(storage / "one")
    summary = json.loads((run.root / "summary.json").read_text())
    write_json(run.root / "summary.json", {**summary, "num_failed": summary["num_trials"]})
    assert states(storage) == {"one": "failed"}


def test_the_newest_comes_first_with_what_it_found(storage):
    make_run(storage / "old", ago=7200)
    note_test(make_run(storage / "new", "svm", ago=60))
    first, second = rows_of(kept_runs(storage))
    assert (first.name, second.name) == ("new", "old")
    assert (first.system, first.trials, first.mode) == ("svm", 16, "fold")
    assert first.best == pytest.approx(RunFolder(storage / "new").trials().ranked()[0].best_metric)
    assert first.test_ua == 0.61
    files = [file for file in (storage / "new").rglob("*") if file.is_file()]
    assert first.num_bytes == sum(file.stat().st_size for file in files)


def test_a_race_is_one_row_with_its_winner(storage):
    race = storage / "race"
    make_run(race / "cnn")
    note_test(make_run(race / "svm", "svm"))
    record = {"systems": ["cnn", "svm", "lstm"], "winner": "svm", "last_turn": {"done": True}}
    write_json(race / "race.json", record)
    (row,) = rows_of(kept_runs(storage))
    assert (row.name, row.state, row.system, row.num_systems) == ("race", "finished", "svm", 3)
    assert (row.trials, row.test_ua) == (26, 0.61)
    write_json(race / "race.json", {"systems": ["cnn", "svm"]})
    (row,) = rows_of(kept_runs(storage))
    assert (row.state, row.system) == ("lost", "svm")
    with RunLease.acquire(race):
        assert states(storage) == {"race": "running"}


def test_what_is_damaged_is_named_and_hides_no_other(storage, capsys):
    make_run(storage / "good")
    (make_run(storage / "bad").root / "summary.json").write_text("{")
    (make_run(storage / "torn", outcome=None).root / "trials.jsonl").write_text("x\n{}\n")
    assert main(["runs", str(storage)]) == 0
    told = capsys.readouterr().out
    assert "bad/summary.json: content: Invalid JSON" in told
    assert "torn/trials.jsonl:1: not a line of JSON" in told
    assert "finished" in told


def test_what_may_not_be_read_is_left_out_or_named(capsys):
    with TemporaryDirectory() as top:
        Path(top).chmod(0o755)
        storage = Path(top) / "results"
        names = ("good", "closed", "race/cnn", "race/svm", "damaged")
        made = {name: make_run(storage / name).root for name in names}
        write_json(storage / "race/race.json", {"systems": ["cnn", "svm"]})
        (storage / "lost+found").mkdir(mode=0o700)
        closed = (made["closed"], storage / "lost+found", made["race/svm"])
        for path in (*closed, made["damaged"] / "summary.json"):
            path.chmod(0)
        with as_nobody():
            assert main(["runs", str(storage), "--json"]) == 0
        told = capsys.readouterr()
        for path in closed:
            path.chmod(0o700)
        rows = {row["name"]: row for row in json.loads(told.out)}
        states = {"good": "finished", "race": "lost", "damaged": "unreadable"}
        assert {name: row["state"] for name, row in rows.items()} == states
        why = "it may not be read: permission denied"
        assert rows["damaged"]["note"] == f"{made['damaged']}/summary.json: {why}"
        lines = [f"raysearch: {path}: left out: {why}" for path in sorted(closed)]
        assert sorted(told.err.splitlines()) == lines


def test_a_bucket_tells_the_same_as_a_folder(bucket, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    here = open_storage(f"{bucket}/{tmp_path.name}")
    kept = storage_of(here)
    for name, outcome in (("one", "finished"), ("two", None)):
        folder = here / name
        with kept.lease(folder):
            made = make_run(tmp_path / name, outcome=outcome)
            shutil.copytree(made.root, folder, dirs_exist_ok=True)
            (folder / "trials.jsonl").unlink()
            ledger = kept.ledger(folder, 1)
            for event in made.events():
                line = {"trial": event.trial, "number": event.number, "attempt": event.attempt}
                ledger.append(event.event, slot=event.slot, **line, **event.data)
            ledger.close()
            kept.sync(folder).send()
            assert states(here)[name] == "running"
    shutil.rmtree(here / "one")
    rows = {row.name: row for row in rows_of(kept_runs(here))}
    assert {name: row.state for name, row in rows.items()} == {"one": "finished", "two": "lost"}
    assert rows["one"].best == rows["two"].best is not None
    assert rows["two"].trials == 10


def test_the_listing_as_json(storage, capsys):
    note_test(make_run(storage / "one"), mode="paper")
    assert main(["runs", str(storage), "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert row["state"] == "finished"
    assert (row["mode"], row["test_ua"], row["objective"]) == ("paper", 0.61, "val_uar_mean3")


@pytest.mark.parametrize("width", [60, 80, 160, 200])
def test_no_line_is_wider_than_the_terminal_and_names_are_whole(storage, width):
    names = ["cnn-demo-20261127-003412", "emohrnet-crema_d-20261127-003412"]
    for name in names:
        note_test(make_run(storage / name, outcome="core budget"), mode="paper")
    console = Console(width=width, force_terminal=True, color_system=None)
    with console.capture() as shown:
        print_table(console, runs_table(rows_of(kept_runs(storage)), wide=width >= 100))
    lines = shown.get().splitlines()
    assert max(map(len, lines)) <= width
    assert "budget spent" in "".join(lines)
    if width >= 80:
        assert [line.split()[0] for line in lines[-2:]] == names
    assert "24.2%" in "".join(lines)


def test_a_name_in_brackets_is_shown_as_it_is(storage, capsys):
    make_run(storage / "[bold]a[v1]")
    assert main(["runs", str(storage)]) == 0
    assert "[bold]a[v1]  finished" in capsys.readouterr().out


def test_without_a_terminal_rows_are_whole_and_without_colour(storage, capsys):
    name = "a-name-that-is-longer-than-any-terminal-" * 4
    make_run(storage / name, outcome=None)
    assert main(["runs", str(storage)]) == 0
    told = capsys.readouterr().out
    assert name in told
    assert "\x1b" not in told


def test_no_storage_and_an_empty_one(storage, capsys):
    assert main(["runs", str(storage)]) == 2
    assert "no storage: no such file or directory" in capsys.readouterr().err
    storage.mkdir()
    assert main(["runs", str(storage)]) == 0
    assert capsys.readouterr().out == f"{storage}: no runs\n"


def test_a_hundred_runs_are_listed_without_torch_or_ray(storage):
    first = make_run(storage / "0")
    for number in range(1, 100):
        shutil.copytree(first.root, storage / str(number))
    code = (
        "import sys, raysearch.__main__ as m; m.main(['runs', sys.argv[1]]);"
        "sys.exit(', '.join({'torch', 'ray'} & sys.modules.keys()) or 0)"
    )
    begun = time.monotonic()
    command = [sys.executable, "-c", code, str(storage)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    took = time.monotonic() - begun
    assert (ended.returncode, ended.stderr) == (0, "")
    assert len(ended.stdout.splitlines()) == 101
    assert took < 10, "2 s on an idle machine"


def test_the_page_explains_every_state():
    page = Path(__file__).parents[2] / "docs" / "at-the-terminal.md"
    told = re.findall(r"(?m)^\| `([a-z ]+)` \| [^|]+ \|$", page.read_text(encoding="utf-8"))
    assert tuple(told) == STATES


def test_ages_and_sizes_read_well():
    assert [age(s) for s in (-1, 59, 90, 3600, 47 * 3600, 48 * 3600)] == [
        "0 s", "59 s", "2 min", "1 h", "47 h", "2 d",
    ]  # fmt: skip
    assert [size(n) for n in (0, 1023, 1024, 10 << 20, 999 << 20, 1000 << 20, 5 << 40)] == [
        "0 B", "1023 B", "1.0 KiB", "10 MiB", "999 MiB", "1.0 GiB", "5.0 TiB",
    ]  # fmt: skip
