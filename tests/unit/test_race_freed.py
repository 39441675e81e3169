"""The paused trials of a system that is out end, and their checkpoints leave the disk."""

from contextlib import contextmanager
from dataclasses import replace
from types import SimpleNamespace

import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from protocol_corpora import regular

from raysearch.cli.status import _progress
from raysearch.ledger import Ledger, read
from raysearch.protocols.audit import audit
from raysearch.protocols.protocol_section import ProtocolConfig
from raysearch.protocols.splits import inner_splits
from raysearch.race.accounts import Clock, Ground
from raysearch.race.driver import Race
from raysearch.race.race_record import Place, RaceFolder, RaceState, Round, Turn
from raysearch.spec import SearchSpec
from raysearch.streaming.preparation import AuditedSplit
from raysearch.tuning.study import Study
from raysearch.tuning.tuner import Watcher

KEPT = {"cnn": 1, "svm": 1}


class Onlooker:
    def __init__(self):
        self.left = []

    @contextmanager
    def leaving(self, system, spec, run, num_paused):
        self.left.append((system, num_paused))
        yield Watcher(print, print)

    def round_over(self, round_, seen):
        raise KilledError


def search_that_pauses(run):
    """Three trials that pause; when they end, one checkpoint stays."""
    spec = SearchSpec.load(run.root.name, [("search.keep_best", 1)])
    run.open(spec, resume=False)
    ledger = Ledger.open(run.ledger_file, 0)
    for number, value in enumerate((0.5, 0.6, 0.7)):
        trial, path = f"t{number}", f"checkpoints/{number:04d}/epoch-1-attempt-1"
        (run.root / path).mkdir(parents=True)
        told = {"trial": trial, "number": number, "attempt": 1}
        ledger.append("started", **told, config={}, seed=1)
        metrics = {spec.search.objective: value}
        ledger.append("epoch", **told, epoch=1, metrics=metrics, train_s=1.0)
        ledger.append("checkpoint", **told, path=path, epoch=1)
        ledger.append("paused", **told, epoch=1)
    ledger.close()
    shown_as_running(run, spec)
    return spec


def shown_as_running(run, spec):
    """The study that optuna-dashboard opens."""
    study = Study(run.study_file, run.root.name, spec.space, seed=1, num_startup=4)
    for number, value in enumerate((0.5, 0.6, 0.7)):
        study.enqueue(number, {})
        study.report(number, 1, value)
        study.pause(number)


def states(run):
    """What optuna-dashboard shows: each trial's state and value."""
    storage = JournalStorage(JournalFileBackend(str(run.study_file)))
    (study,) = storage.get_all_studies()
    return [(trial.state.name, trial.value) for trial in storage.get_all_trials(study._study_id)]


class KilledError(Exception):
    """The driver's death."""


def place(verdict, *, stays):
    return Place(value=0.7, behind=None, error=None, verdict=verdict, stays=stays)


@pytest.fixture
def begun(tmp_path):
    """A race of two whose first round is over, and what it runs on, without a cluster."""
    folder = RaceFolder(tmp_path / "race")
    specs = {system: search_that_pauses(folder.run(system)) for system in KEPT}
    corpus = regular(10, per_class=3)
    split, *inner = inner_splits(corpus, ProtocolConfig(), 2)
    audited = AuditedSplit(corpus, split, audit(split), tuple(inner))
    plan = SimpleNamespace(workers=1, cpus_per_worker=1)
    pool = SimpleNamespace(plan=plan, num_open=lambda: 1)
    return folder, Ground(specs, audited, None, pool, {})


def run_over(folder, ground, verdict):
    """A race that ``svm`` has won, its last turn over."""
    places = {"svm": place("best", stays=True), "cnn": place(verdict, stays=False)}
    state = RaceState(
        systems=["cnn", "svm"],
        left_out={},
        asked={},
        final="auto",
        rounds=[Round(number=1, systems=["cnn", "svm"], ends_at={}, places=places)],
        winner="svm",
        last_turn=Turn(grant={}, limits={}, done=True),
    )
    onlooker = Onlooker()
    Race(folder, state, ground, {"epochs": 9.0}, onlooker).run()
    return onlooker.left


@pytest.mark.parametrize("verdict", ["behind", "not judged"])
def test_who_is_out_frees_its_disk(begun, verdict):
    folder, ground = begun
    assert run_over(folder, ground, verdict) == [("cnn", 3)]
    events = read(folder.run("cnn").ledger_file)
    ends = [(event.number, event.data["reason"]) for event in events if event.event == "pruned"]
    assert ends == [(number, "its system is out of the race") for number in range(3)]
    left = {s: len(list((folder.run(s).root / "checkpoints").glob("*/*"))) for s in KEPT}
    assert left == {"cnn": 1, "svm": 3}
    assert not folder.run("cnn").trials().with_status("paused")
    assert states(folder.run("cnn")) == [("PRUNED", 0.5), ("PRUNED", 0.6), ("PRUNED", 0.7)]
    assert states(folder.run("svm")) == [("RUNNING", None)] * 3
    assert run_over(folder, ground, verdict) == []  # once


@pytest.mark.parametrize("left", [None, b'{"op_code"\n{"op_code": 0}\n'])
def test_a_study_that_is_lost_or_damaged_keeps_nobody_in_the_race(begun, left):
    folder, ground = begun
    path = folder.run("cnn").study_file
    path.unlink()
    if left is not None:
        path.write_bytes(left)
    assert run_over(folder, ground, "behind") == [("cnn", 3)]
    assert path.exists() == (left is not None)


def test_a_race_that_was_killed_as_its_last_round_was_over_has_its_winner(begun):
    folder, ground = begun
    turns = {system: Turn(grant={}, limits={}, done=True) for system in KEPT}
    last = Round(number=2, systems=list(KEPT), ends_at={}, turns=turns)
    state = RaceState(systems=list(KEPT), left_out={}, asked={}, final="auto", rounds=[last])
    with pytest.raises(KilledError):
        Race(folder, state, ground, {"epochs": 9.0}, Onlooker()).run()
    assert folder.load().winner == "cnn"


def test_whose_own_settings_have_ended_lacks_nothing_that_a_budget_gives(begun):
    folder, ground = begun
    state = RaceState(systems=list(KEPT), left_out={}, asked={}, final="auto")
    assert set(Race(folder, state, ground, {}, Onlooker())._lacking()) == set(KEPT)
    ledger = Ledger.open(folder.run("cnn").ledger_file, 0)
    ledger.append("failed", trial="t0", number=0, attempt=1, reason="it broke")
    ledger.close()
    assert set(Race(folder, state, ground, {}, Onlooker())._lacking()) == {"svm"}


def test_status_knows_how_many_trials_a_race_has_if_they_are_its_budget(begun):
    folder, _ = begun
    run = folder.run("cnn")
    assert _progress(str(run.root)).startswith("trials: 0 of 60 ended, 3 paused; best: trial 0002")
    for kind, said in (("trials", "0 of 60 ended"), ("core_budget", "0 ended")):
        asked = {f"search.{kind}": 40}
        folder.save(RaceState(systems=list(KEPT), left_out={}, asked=asked, final="auto"))
        assert _progress(str(run.root)).startswith(f"trials: {said}, 3 paused")


def test_slots_are_paid_for_while_they_are_there(monkeypatch):
    now, num_open = [100.0], [1]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    clock = Clock(lambda: num_open[0])
    assert clock.slot_s == 0.0
    for at in (110.0, 120.0, 130.0):  # nothing is paid before the first trial
        now[0] = at
        clock.changed(None, None)
    assert (clock.began, clock.slot_s) == (110.0, 20.0)
    now[0], num_open[0] = 133.0, 4
    assert clock.slot_s == 20.0 + 4 * 3.0


@pytest.mark.parametrize(("num_open", "num_slots"), [(0, 3), (2, 2)])
def test_before_any_slot_is_open_those_that_are_planned_count(begun, num_open, num_slots):
    plan = SimpleNamespace(workers=2, cpus_per_worker=2, slots=3)
    ground = replace(begun[1], pool=SimpleNamespace(plan=plan, num_open=lambda: num_open))
    assert (ground.slot_cpus, ground.num_slots) == (4, num_slots)
