"""What a storage can do without: only that is removed, and what is left still serves."""

import json
import os
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import soundfile
from as_nobody import NOBODY, as_nobody
from finished_run import finished_run
from kept_storage import aged, feature_sets, found, over, published
from rich.console import Console

import raysearch
from raysearch import published_folder
from raysearch.__main__ import main
from raysearch.cli.clear_storage import leftovers_table
from raysearch.cli.tables import print_table
from raysearch.evaluation.final_model import load_final
from raysearch.files import write_json
from raysearch.ledger import Ledger
from raysearch.run_lease import RunLease
from raysearch.searching.storage_upkeep import find_leftovers, remove_leftovers
from raysearch.streaming.store import feature_store


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    run, test, _ = finished_run(tmp_path_factory.mktemp("made") / "results")
    return run.root, test


@pytest.fixture
def run(made, tmp_path):
    """A run that is over, in a storage of its own."""
    shutil.copytree(made[0], tmp_path / "results" / "run")
    run = raysearch.Run(tmp_path / "results" / "run").files
    over(run)
    return run


def test_what_nothing_reads_is_named_and_removed_when_told(run, made, capsys):
    storage = run.root.parent
    spare = published(run.root / "checkpoints/0007/epoch-0002-attempt-1")
    replaced = published(run.root / "final/abc-9/seed-1/weights")
    published(run.root / "final/partner-abc/seed-1/weights")
    staged = run.root / f".best.{'a' * 32}.tmp"
    staged.mkdir()
    aged(staged)
    used, unused = feature_sets(storage, run.spec())
    before = {path for path in storage.rglob("*") if path.is_file()}
    kinds = {
        spare: "checkpoint", replaced: "replaced net", staged: "temporary", unused: "feature set",
    }  # fmt: skip
    assert found(storage) == kinds
    assert main(["gc", str(storage)]) == 0
    assert "can go; nothing was removed: add --remove" in capsys.readouterr().out
    assert before == {path for path in storage.rglob("*") if path.is_file()} - {
        *run.root.glob("lease.*")
    }

    assert main(["gc", str(storage), "--remove"]) == 0
    assert "removed" in capsys.readouterr().out.splitlines()[-1]
    gone = before - {path for path in storage.rglob("*") if path.is_file()}
    assert gone == {file for file in before if any(file.is_relative_to(one) for one in kinds)}
    assert used.is_dir()
    assert found(storage) == {}


def test_the_model_still_serves(run, made):
    for number in (3, 4):
        published(run.root / f"checkpoints/{number:04d}/epoch-0002-attempt-1")
    wave, rate = soundfile.read(made[1][0])
    before = raysearch.load(run.root).predict(wave, rate)
    assert len(remove_leftovers(run.root.parent).found) == 2
    assert raysearch.load(run.root).predict(wave, rate) == before
    for net in load_final(run).nets:
        published_folder.verify(net.folder)
        assert net.weights.is_file()
    for record in run.trials().ranked():
        published_folder.verify(run.root / record.checkpoint[0])


@pytest.mark.parametrize("outcome", ["interrupted", "failed", None])
def test_a_run_that_is_not_over_keeps_everything(run, outcome):
    published(run.root / "checkpoints/0007/epoch-0002-attempt-1")
    over(run, outcome)
    assert found(run.root.parent) == {}
    assert remove_leftovers(run.root.parent).found == []


def test_a_trial_that_can_go_on_keeps_its_checkpoint(run):
    path = "checkpoints/0007/epoch-0001-attempt-1"
    published(run.root / path)
    ledger = Ledger.open(run.ledger_file, 1)
    event = {"trial": "t7", "number": 7, "attempt": 1, "slot": 0}
    ledger.append("started", config={}, **event)
    ledger.append("epoch", epoch=1, metrics={"val_uar_mean3": 0.1}, train_s=1.0, **event)
    ledger.append("checkpoint", path=path, epoch=1, **event)
    ledger.append("paused", epoch=1, **event)
    ledger.close()
    over(run, "core budget")
    assert found(run.root.parent) == {}


def test_a_search_that_has_another_winner_since_keeps_everything(run):
    published(run.root / "checkpoints/0007/epoch-0002-attempt-1")
    final = json.loads((run.root / "final.json").read_text())
    write_json(run.root / "final.json", {**final, "winner": "another"})
    assert found(run.root.parent) == {}


def test_what_a_process_holds_stays_and_it_is_said(run, capsys):
    storage = run.root.parent
    spare = published(run.root / "checkpoints/0007/epoch-0002-attempt-1")
    feature_sets(storage, run.spec())
    with RunLease.acquire(run.root):
        assert find_leftovers(storage).found == []
        assert main(["gc", str(storage), "--remove"]) == 0
    assert "run: stays as it is: a process holds it" in capsys.readouterr().out
    assert spare.is_dir()


def test_a_race_that_goes_on_keeps_everything(run):
    storage, race = run.root.parent, run.root.parent / "race"
    race.mkdir()
    run.root.rename(race / "cnn")
    spare = published(race / "cnn/checkpoints/0007/epoch-0002-attempt-1")
    write_json(race / "race.json", {"systems": ["cnn"], "winner": "cnn"})
    assert found(storage) == {}
    write_json(race / "race.json", {"winner": "cnn", "last_turn": {"done": True}})
    assert found(storage) == {spare: "checkpoint"}
    with RunLease.acquire(race):
        assert found(storage) == {}


def test_what_is_young_may_be_somebodys(run):
    storage = run.root.parent
    _, unused = feature_sets(storage, run.spec())
    (unused / "part-1.parquet").write_bytes(b"x")
    (run.root / f".best.{'a' * 32}.tmp").mkdir()
    (storage / f".probe-{'b' * 32}").touch()
    assert found(storage) == {}
    aged(unused)
    aged(storage / f".probe-{'b' * 32}")
    assert set(found(storage).values()) == {"feature set", "temporary"}


def test_a_path_that_settings_name_stays(run):
    weights = published(run.root / "checkpoints/0007/epoch-0002-attempt-1")
    spec = run.spec_file.read_text()
    assert "  weights: null\n" in spec
    named = spec.replace("  weights: null\n", f"  weights: {weights}/best.safetensors\n", 1)
    (run.root.parent / "next").mkdir()
    (run.root.parent / "next/spec.yaml").write_text(named)
    assert found(run.root.parent) == {}


def test_nothing_outside_the_storage_is_touched(run, tmp_path):
    outside = published(tmp_path / "elsewhere/epoch-0002-attempt-1")
    (run.root / "checkpoints/0008").symlink_to(outside.parent, target_is_directory=True)
    (run.root / "checkpoints/0009").mkdir()
    (run.root / "checkpoints/0009/link").symlink_to(outside, target_is_directory=True)
    feature_store(run.root.parent).symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    assert found(run.root.parent) == {}
    remove_leftovers(run.root.parent)
    published_folder.verify(outside)


def test_a_run_that_is_linked_asks_for_its_sets_and_is_left_alone(run, tmp_path):
    storage = run.root.parent
    used, unused = feature_sets(storage, run.spec())
    spare = published(run.root / "checkpoints/0007/epoch-0002-attempt-1")
    moved = tmp_path / "disk"
    run.root.rename(moved)
    run.root.symlink_to(moved, target_is_directory=True)
    assert found(storage) == {unused: "feature set"}
    with RunLease.acquire(moved):
        assert found(storage) == {}
    remove_leftovers(storage)
    assert (used.is_dir(), unused.is_dir()) == (True, False)
    published_folder.verify(moved / spare.relative_to(run.root))


def test_what_a_linked_run_names_stays(run, tmp_path):
    weights = published(run.root / "checkpoints/0007/epoch-0002-attempt-1")
    named = f"  weights: {weights}/best.safetensors\n"
    (tmp_path / "disk").mkdir()
    (tmp_path / "disk/spec.yaml").write_text(
        run.spec_file.read_text().replace("  weights: null\n", named, 1)
    )
    (run.root.parent / "next").symlink_to(tmp_path / "disk", target_is_directory=True)
    assert found(run.root.parent) == {}


def test_what_may_not_be_read_keeps_the_sets_and_hides_nothing_else(made):
    with TemporaryDirectory() as top:
        Path(top).chmod(0o755)
        storage = Path(top) / "results"
        shutil.copytree(made[0], storage / "run")
        shutil.copytree(made[0], storage / "closed")
        run = raysearch.Run(storage / "run").files
        over(run)
        spare = published(run.root / "checkpoints/0007/epoch-0002-attempt-1")
        _, unused = feature_sets(storage, run.spec())
        assert found(storage) == {spare: "checkpoint", unused: "feature set"}
        if os.geteuid() == 0:
            for path in (storage, *storage.rglob("*")):
                os.chown(path, NOBODY, NOBODY)
        (storage / "closed").chmod(0)
        with as_nobody():
            assert found(storage) == {spare: "checkpoint"}
            removed = remove_leftovers(storage)
        (storage / "closed").chmod(0o700)
        assert [one.path for one in removed.found] == [spare]
        assert (spare.is_dir(), unused.is_dir()) == (False, True)
        assert removed.notes == [
            f"{storage}/closed: left out: it may not be read: permission denied",
            "feature sets: stays as it is: closed may ask for any",
        ]


def test_mistakes_are_one_line(tmp_path, capsys):
    assert main(["gc", str(tmp_path / "none")]) == 2
    assert capsys.readouterr().err == f"raysearch: {tmp_path}/none: no such folder\n"
    (tmp_path / "spec.yaml").touch()
    assert main(["gc", str(tmp_path)]) == 2
    assert "a run, not the storage that it is in" in capsys.readouterr().err
    assert main(["gc", "s4://bucket/results"]) == 2
    assert "no storage: give a folder" in capsys.readouterr().err


def test_the_listing_as_json(run, capsys):
    spare = published(run.root / "checkpoints/0007/epoch-0002-attempt-1")
    assert main(["gc", str(run.root.parent), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    size = sum(file.stat().st_size for file in spare.iterdir())
    assert told["found"] == [{"kind": "checkpoint", "path": str(spare), "bytes": size}]
    assert (told["bytes"], told["removed"]) == (size, False)


@pytest.mark.parametrize("width", [60, 80, 160, 200])
def test_no_line_is_wider_than_the_terminal(run, width):
    for number in range(3):
        published(run.root / f"checkpoints/{number + 3:04d}/epoch-0002-attempt-1")
    console = Console(width=width, force_terminal=True, color_system=None)
    with console.capture() as shown:
        storage = run.root.parent
        print_table(console, leftovers_table(find_leftovers(storage).found, storage))
    assert max(map(len, shown.get().splitlines())) <= width
    assert "3 in all" in shown.get()
