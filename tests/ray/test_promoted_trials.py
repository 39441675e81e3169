"""Trials that pause on DDP groups of two: weights published, the slot passed on, nothing lost."""

import optuna
import pytest
from tiny_search import check_promoted, ends, search, small_spec

from raysearch.ledger import read
from raysearch.reporting.summary import summarize

pytestmark = [pytest.mark.ray, pytest.mark.slow]


def test_trials_of_two_workers_pause_and_go_on_where_they_were(cluster, storage):
    spec = small_spec(
        search__workers=2,
        search__scheduler="promote",
        search__trials=7,
        search__grace_epochs=1,
        search__noise=0,
        search__keep_best=1,
        training__epochs=4,
        training__warmup_epochs=0,
    )
    run, trials = search(spec, storage, "pausing", cluster)
    events = read(run.ledger_file)
    assert ends(run) == {n: [r.status] for n, r in trials.records.items()}
    assert len(trials.records) == 7

    assert check_promoted(run), "the space or seed promotes nobody: choose another"
    sizes = [e.data["bytes"] for e in events if e.event == "checkpoint"]
    assert min(sizes) > 10_000

    assert trials.records[0].pauses == 0, "the published settings"
    assert {r.status for r in trials.records.values()} == {"completed", "pruned"}
    backend = optuna.storages.journal.JournalFileBackend(str(run.study_file))
    study = optuna.load_study(
        study_name=run.root.name, storage=optuna.storages.JournalStorage(backend)
    )
    states = {"completed": "COMPLETE", "pruned": "PRUNED"}
    assert [t.state.name for t in study.trials] == [
        states[trials.records[t.number].status] for t in study.trials
    ]
    best, published = trials.ranked()[0], trials.records[0]
    kept = {path.parent.name for path in run.root.glob("checkpoints/*/*")}
    assert kept == {f"{best.number:04d}", f"{published.number:04d}"}
    assert summarize(run, events, trials)["num_paused"] == 0
