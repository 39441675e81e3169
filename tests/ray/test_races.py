"""A race of small systems: its course, what it says, and that a race cut off goes on as it was."""

import contextlib
import csv
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import pytest
from tiny_search import SMALL_FEATURES, losses

from raysearch.ledger import read
from raysearch.race.accounts import Ground
from raysearch.race.board import board_of, statements, write_board
from raysearch.race.driver import Race
from raysearch.race.entrants import entrants
from raysearch.race.race_record import RaceFolder, RaceState
from raysearch.run_folder import RunFolder
from raysearch.service.job_record import records
from raysearch.streaming.preparation import prepare_split
from raysearch.tuning.tuner import Watcher, prepared_bank
from raysearch.workers.open_pool import open_pool

pytestmark = pytest.mark.ray

SYSTEMS = ["cnn", "lstm", "logistic"]
SMALL = {
    "training.epochs": 2,
    "training.clip_s": 1.0,
    **SMALL_FEATURES,
    "model.width": 8,
    "model.conv_width": 8,
    "model.hidden": 16,
    "model.inputs": "functionals",
    "search.slots": 1,
    "search.inner_folds": 1,
    "search.fusion": False,
}
EPOCHS = 16
# Fewer trials than the winner has epochs for.
FEW = {"search.trials": 3}


class CutOffError(Exception):
    """Stands for the death of a driver between two turns, or within one."""


class Onlooker:
    """Notes the turns; the driver dies after the one of ``dies_after``."""

    def __init__(self, dies_after=None):
        self.turns, self.rounds, self.left = [], [], []
        self._dies_after = dies_after

    @contextlib.contextmanager
    def turn(self, round_, system, spec, run):
        self.turns.append((round_.number if round_ else None, system, spec.search.final))
        yield Watcher(lambda line: None, lambda *counts: None)

    @contextlib.contextmanager
    def leaving(self, system, spec, run, num_paused):
        self.left.append((system, num_paused))
        yield Watcher(lambda line: None, lambda *counts: None)

    def turn_over(self, system, seen):
        if len(self.turns) == self._dies_after:
            raise CutOffError

    def round_over(self, round_, seen):
        self.rounds.append(round_)


@pytest.fixture(scope="module")
def ground(cluster, storage, tmp_path_factory):
    specs = entrants(SYSTEMS, list((SMALL | FEW).items())).specs
    audited = prepare_split(specs["cnn"], storage)
    quiet = Watcher(lambda line: None, lambda *counts: None)
    banks = {name: prepared_bank(spec, audited, storage, quiet) for name, spec in specs.items()}
    scratch = RunFolder(tmp_path_factory.mktemp("race") / "slots")
    with open_pool(specs["cnn"], scratch, cluster, print) as pool:
        yield Ground(specs, audited, cluster, pool, banks)


def race(folder, ground, onlooker, state=None, epochs=EPOCHS):
    if state is None:
        state = RaceState(systems=list(ground.specs), left_out={"ssl": "?"}, asked={}, final="auto")
        for system, spec in ground.specs.items():
            folder.run(system).open(spec, resume=False)
        folder.save(state)
    found = Race(folder, state, ground, {"epochs": float(epochs)}, onlooker)
    found.run()
    return found


@pytest.fixture(scope="module")
def raced(ground, storage):
    folder, onlooker = RaceFolder(storage / "whole"), Onlooker()
    return folder, onlooker, race(folder, ground, onlooker)


def found_by(folder, ground):
    """What each system found, without its times."""
    return {system: losses(folder.run(system).trials()) for system in ground.specs}


def test_own_settings_come_first_then_who_is_left(raced, ground):
    folder, onlooker, done = raced
    first = [system for number, system, _ in onlooker.turns if number == 1]
    assert first == list(ground.specs)
    for system in ground.specs:
        trials = folder.run(system).trials()
        assert trials.records[0].is_own
        assert trials.records[0].status == "completed"
    places = done.state.rounds[0].places
    assert list(places) == sorted(places, key=lambda name: -places[name].value)
    later = {system for number, system, _ in onlooker.turns if number != 1}
    assert later == {name for name, place in places.items() if place.stays}
    assert onlooker.turns[-1] == (None, done.state.winner, "auto")
    # Nobody but those of the last round keeps time for a final model.
    assert {final for number, _, final in onlooker.turns if number == 1} == {"single"}


def test_the_budget_is_that_of_all_together(raced, ground):
    folder = raced[0]
    epochs = sum(folder.run(system).trials().num_epochs for system in ground.specs)
    assert epochs <= EPOCHS
    assert epochs >= EPOCHS - 2
    over = folder.load()
    assert over.over
    assert sum(over.spent.values()) > 0


def test_one_board_says_who_won_and_by_how_much(raced, ground):
    folder, _, done = raced
    found = board_of(done.state, done.seen, ground.specs, ground.audited)
    write_board(folder, found)
    rows = list(csv.DictReader((folder.root / "leaderboard.csv").read_text().splitlines()))
    assert rows[0]["system"] == done.state.winner
    assert {row["system"] for row in rows} == set(ground.specs)
    for row in rows[1:]:
        assert row["verdict"] in ("behind", "not distinguished")
        assert float(row["error"]) > 0
    said = statements(found)
    assert said[0].startswith(f"best system: {done.state.winner}, 3-epoch validation UA ")
    assert said[-1] == "left out: ssl: ?"
    shown = (folder.root / "leaderboard.md").read_text()
    assert all(line in shown for line in said)


def test_the_winner_s_run_stands_for_the_race(raced):
    folder, _, done = raced
    winner = folder.run(done.state.winner)
    assert RunFolder.existing(folder.root).root == winner.root
    assert RunFolder.existing(folder.root).storage == folder.root.parent
    assert (winner.root / "final.json").is_file()
    assert winner.spec().search.trials == FEW["search.trials"]  # though it had room for more
    assert not any(
        (folder.run(s).root / "final.json").exists() for s in SYSTEMS if s != winner.root.name
    )
    assert os.readlink(folder.root / "best") == f"{done.state.winner}/best"


def test_the_slots_outlive_every_turn(raced, ground):
    assert ground.pool.num_up() == 1
    assert len(ground.pool.slots) == 1


@pytest.mark.parametrize("turns", [1, 4])
def test_a_race_that_was_cut_off_finds_what_it_would_have_found(raced, ground, storage, turns):
    folder = RaceFolder(storage / f"cut-{turns}")
    with pytest.raises(CutOffError):
        race(folder, ground, Onlooker(dies_after=turns))
    rest = Onlooker()
    race(folder, ground, rest, folder.load())
    assert found_by(folder, ground) == found_by(raced[0], ground)
    before, after = raced[0].load(), folder.load()
    assert after.winner == before.winner
    assert [r.places for r in after.rounds] == [r.places for r in before.rounds]


@pytest.mark.slow
def test_who_was_too_dear_ends_its_own_settings_before_the_winner_takes_all(ground, storage):
    # Of 24 epochs the first round has 12, one of them for logistic; 10 of the other 21 are enough.
    spec = ground.specs["lstm"]
    dear = replace(spec, base=spec.base.replace({"training.epochs": 12}))
    specs = {"logistic": ground.specs["logistic"], "lstm": dear}
    folder, onlooker = RaceFolder(storage / "dear"), Onlooker()
    done = race(folder, replace(ground, specs=specs), onlooker, epochs=24)
    first, second = done.state.rounds[:2]
    assert first.places["lstm"].verdict == "not judged"
    assert (second.systems, second.second) == (["logistic", "lstm"], ["lstm"])
    assert [turn[1] for turn in onlooker.turns[:3]] == ["logistic", "lstm", "lstm"]
    own = folder.run("lstm").trials().records[0]
    assert (own.status, own.last_epoch, own.attempts) == ("completed", 12, 2)
    assert second.places["lstm"].verdict in ("best", "behind", "not distinguished")
    assert sum(folder.run(system).trials().num_epochs for system in specs) == 24


COMMAND = [
    *(sys.executable, "-m", "raysearch", "run", "--space", ",".join(SYSTEMS), "--name", "killed"),
    *("--epoch-budget", str(EPOCHS), "--final", "single"),
    *(f"--set={key}={json.dumps(value)}" for key, value in SMALL.items()),
]


@pytest.mark.slow
def test_a_killed_command_goes_on_and_prints_the_race(tmp_path):
    folder = RaceFolder(tmp_path / "results" / "killed")
    with subprocess.Popen(COMMAND, cwd=tmp_path, stdout=subprocess.DEVNULL) as command:
        until = time.monotonic() + 300
        while time.monotonic() < until:
            if folder.file.exists() and folder.load().spent:
                break
            time.sleep(0.2)
        command.send_signal(signal.SIGKILL)
    begun = {system: folder.run(system) for system in folder.load().systems}
    kept = {s: list(read(run.ledger_file)) for s, run in begun.items() if run.ledger_file.exists()}
    assert any(event.event == "completed" for events in kept.values() for event in events)
    resumed = subprocess.run(
        [*COMMAND[:4], "--resume", "--name", "killed", "--job", "killed.1"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert resumed.returncode == 0, resumed.stderr
    assert resumed.stderr == ""
    for system, events in kept.items():
        assert list(read(begun[system].ledger_file))[: len(events)] == events
    assert folder.load().over
    (record,) = records(folder.root)  # as a job of a cluster would leave it
    assert record.state == "finished"
    assert "best system: " in record.log(folder.root)
    for line in ("after round 1 of 3", "best system: ", "leaderboard: results/killed/"):
        assert line in resumed.stdout
    again = subprocess.run(COMMAND, cwd=tmp_path, capture_output=True, text=True, timeout=100)
    assert again.returncode == 2
    assert "a run of this name exists; continue it with --resume" in again.stderr
