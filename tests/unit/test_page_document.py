"""What the page of a run says, before anything is drawn."""

import base64
import itertools
import json
from dataclasses import replace

import numpy as np
import pytest
from paged_run import LABELS, evaluated, predictions, recorded_run, with_data

from raysearch.errors import UserError
from raysearch.evaluation.calibration import calibration_bins, calibration_error
from raysearch.evaluation.final_model import FinalModel, Net, save_final
from raysearch.files import write_json
from raysearch.page.document import to_json
from raysearch.page.followed_run import run_document
from raysearch.page.followed_search import FollowedSearch
from raysearch.page.headline import SILENT_S, page_state
from raysearch.page.importance import MIN_TRIALS, Importances, importances
from raysearch.page.search_part import search_part
from raysearch.run_lease import RunLease
from raysearch.searching.results import Run


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return evaluated(with_data(recorded_run(tmp_path_factory.mktemp("page") / "run")))


@pytest.fixture(scope="module")
def document(run):
    return run_document(Run(run.root))


def test_every_trial_is_there_with_its_course(run, document):
    trials = run.trials()
    assert [row.number for row in document.search.trials] == sorted(trials.records)
    for row in document.search.trials:
        record = trials.records[row.number]
        assert row.epochs == record.last_epoch == len(row.curve)
        assert dict(row.config) == dict(record.config)
    assert document.search.best_first[0] == trials.ranked()[0].number


def test_the_best_value_only_rises_and_ends_at_the_searchs_end(run, document):
    steps = document.search.steps
    values = [step.value for step in steps]
    assert values == sorted(values)
    assert steps[-1].core_s == document.search.core_s
    assert steps[-1].epochs == sum(event.event == "epoch" for event in run.events())
    assert steps[-1].value == pytest.approx(run.trials().ranked()[0].best_metric, abs=1e-5)


def test_a_loss_that_ranks_falls(run):
    own, events = run.spec(), run.events()
    search = own.search.model_copy(update={"objective": "val_loss"})
    followed = FollowedSearch(replace(own, search=search))
    for event in events:
        followed.take(event)
    found = search_part(own, events, followed, {}, Importances(own.space))
    assert found.objective.lower_is_better
    assert not found.objective.is_share
    values = [step.value for step in found.steps]
    assert values == sorted(values, reverse=True)


def test_slots_do_one_trial_at_a_time(document):
    spans = document.search.spans
    assert {span.sitting for span in spans} == {0, 1, 2}
    by_slot = {}
    for span in spans:
        assert span.start <= span.end
        by_slot.setdefault((span.sitting, span.slot), []).append(span)
    for own in by_slot.values():
        own.sort(key=lambda span: span.start)
        assert all(a.end <= b.start + 0.02 for a, b in itertools.pairwise(own))
    # Sittings follow each other without the time between them.
    ends = [max(s.end for s in spans if s.sitting == n) for n in range(3)]
    starts = [min(s.start for s in spans if s.sitting == n) for n in range(3)]
    assert ends[0] <= starts[1] <= ends[1] <= starts[2]


@pytest.mark.parametrize("ledger", ["cnn", "svm", "lstm", "losing_slots", "two_workers"])
def test_every_recorded_search_has_a_document(ledger, tmp_path):
    run = recorded_run(tmp_path / "run", ledger)
    document = run_document(Run(run.root))
    assert len(document.search.trials) == len(run.trials().records)
    json.loads(to_json([document]))


def test_shares_of_importance_sum_to_one(run, document):
    found = document.search.importances
    assert {one.field for one in found} <= set(run.spec().space.fields)
    assert sum(one.share for one in found) == pytest.approx(1, abs=1e-3)


def test_too_few_trials_have_no_importance(run):
    few = list(run.trials().records.values())[: MIN_TRIALS - 1]
    assert importances(run.spec().space, few) == []


def test_a_setting_that_decides_is_the_most_important(run):
    trials, space = run.trials(), run.spec().space
    for record in trials.records.values():
        record.best_value = record.config["training.learning_rate"]
    assert importances(space, trials.records.values())[0].field == "training.learning_rate"


def test_figures_lead_with_the_honest_one(document):
    labels = [(one.label, one.is_honest, one.is_final) for one in document.headline.test]
    assert labels == [
        ("the final model", True, True),
        ("own settings", True, False),
        ("the winner", False, True),
        ("own settings", False, False),
    ]
    assert document.headline.test[0].interval is not None


@pytest.mark.parametrize(
    ("change", "honest", "label"),
    [
        ({}, True, "the final model"),
        ({"protocol": "paper"}, False, "the final model"),
        ({"notes": ["settings saw these speakers: warm start from x"]}, False, "the final model"),
        ({"notes": ["the system saw these speakers: it won a race"]}, False, "the final model"),
        ({"notes": ["optimistic: test speakers occur in training"]}, False, "the final model"),
        ({"trial": "another"}, True, "an earlier winner"),
        ({"transductive": True}, True, "the final model"),
    ],
)
def test_what_a_figure_is_called_and_whether_it_is_honest(tmp_path, change, honest, label):
    run = evaluated(with_data(recorded_run(tmp_path / "run")))
    net = {"trial": 8, "folder": "x", "config": run.spec().base, "inner": 0}
    save_final(run, FinalModel("single", "t", (Net(**{**net, "folder": run.root / "x"}),)))
    path = run.root / "evaluation.json"
    stored = json.loads(path.read_text())
    path.write_text(json.dumps({**stored, **change}))
    first = run_document(Run(run.root)).headline.test[0]
    assert (first.is_honest, first.label) == (honest, label)
    assert first.is_current == (label == "the final model")
    assert ("transductive" in first.kind) == ("transductive" in change)


def test_the_worst_mistakes_are_wrong_sure_and_heard(run, document):
    (first, mode), mistakes = next(
        ((one, mode), one.mistakes) for mode, one in document.model.evaluations.items()
    )
    assert mode == "fold"
    assert mistakes
    assert all(one.emotion != one.predicted for one in mistakes)
    sure = [one.confidence for one in mistakes]
    assert sure == sorted(sure, reverse=True)
    assert all(one.audio.startswith("data:audio/ogg;base64,") for one in mistakes)
    assert all(one.audio is None for one in document.model.evaluations["paper"].mistakes)
    silent = run_document(Run(run.root), audio=False)
    assert all(one.audio is None for one in silent.model.evaluations["fold"].mistakes)
    assert first.calibration


def test_a_right_answer_stands_beside_the_mistakes_and_all_are_drawn(document):
    one = document.model.evaluations["fold"]
    assert one.right.emotion == one.right.predicted == one.mistakes[0].emotion
    answers = [*one.mistakes, one.right]
    for picture in (a.picture for a in answers):
        size = picture.num_columns * picture.num_bins
        assert len(base64.b64decode(picture.levels)) == size > 40 * 40
    assert all(a.picture.num_rows == 0 for a in answers)  # this run has no model
    assert sum(a.picture.num_bytes for a in answers) < 80_000


def test_mistakes_without_their_recordings_stay_silent(tmp_path):
    run = evaluated(with_data(recorded_run(tmp_path / "run")))
    for path in (tmp_path / "sounds").iterdir():
        path.write_bytes(b"no sound")
    document = run_document(Run(run.root))
    mistakes = document.model.evaluations["fold"].mistakes
    assert all((one.audio, one.picture) == (None, None) for one in mistakes)


def test_calibration_is_of_the_error_that_figures_have(document):
    shown = document.model.evaluations["fold"]
    gaps = [abs(one.accuracy - one.confidence) * one.share for one in shown.calibration]
    assert sum(gaps) == pytest.approx(shown.figures["ece"])
    assert sum(one.share for one in shown.calibration) == pytest.approx(1)


def test_a_model_that_is_always_right_and_half_sure():
    table = predictions(0, right=1.0)
    sure = np.full(table.num_rows, 0.55)
    for label in LABELS:
        own = np.asarray(table["emotion"].to_pylist()) == label
        table = table.set_column(
            table.column_names.index(f"p_{label}"), f"p_{label}", [np.where(own, sure, 0.15)]
        )
    (only,) = calibration_bins(table)
    assert (only.confidence, only.accuracy) == (pytest.approx(0.55), 1.0)
    assert calibration_error(table) == pytest.approx(0.45)


def test_the_data_is_counted_by_speaker_and_side(document):
    data = document.data
    assert (data.sides, data.totals) == (["train", "validation", "test"], [8, 8, 64])
    assert data.emotions == sorted(LABELS)
    assert [one.side for one in data.speakers] == ["train", "validation", *["test"] * 8]
    assert all(sum(one.counts) == 8 for one in data.speakers)
    assert sum(sum(one.counts) for one in data.durations) == 80
    assert data.dropped[0]["count"] == 3


def test_splits_of_an_earlier_version_have_no_emotions(tmp_path):
    run = recorded_run(tmp_path / "run")
    run.splits_file.write_text("utterance,speaker,fold,split\na,s,0,train\nb,t,0,test\n")
    data = run_document(Run(run.root)).data
    assert (data.emotions, data.durations, data.totals) == ([], [], [1, 1])


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("splits.csv", "a,b\n1,2\n", "splits.csv: not the splits of a run"),
        ("data.json", "{", "data.json: not JSON"),
        ("evaluation.json", "[]", "evaluation.json: not an evaluation"),
        ("noise.json", "{", "noise.json: not a sweep"),
        ("predictions-fold.parquet", "none", "predictions-fold.parquet: cannot be read"),
    ],
)
def test_a_damaged_file_is_named(tmp_path, name, text, told):
    run = evaluated(with_data(recorded_run(tmp_path / "run")))
    (run.root / name).write_text(text)
    with pytest.raises(UserError, match=told):
        run_document(Run(run.root))


def test_noise_is_drawn_by_kind_and_level_whoever_wrote_it(tmp_path):
    run = evaluated(with_data(recorded_run(tmp_path / "run")))
    metric = {"mean": 0.5, "per_seed": [0.5], "interval": [0.4, 0.6]}
    told = [{"snr_db": None}, {"snr_db": 10}, {"kind": "room", "level": "RT60 0.6 s"}]
    levels = [{"ua": metric, **one} for one in told]
    (run.root / "noise.json").write_text(json.dumps({"trial": "a", "levels": levels}))
    noise = run_document(Run(run.root)).model.noise
    assert [(one.kind, one.level) for one in noise] == [
        ("clean", ""),
        ("white", "10 dB"),
        ("room", "RT60 0.6 s"),
    ]
    assert {(one.ua, *one.interval) for one in noise} == {(0.5, 0.4, 0.6)}


def test_a_run_before_its_first_trial_has_a_document(tmp_path):
    run = recorded_run(tmp_path / "run")
    run.ledger_file.unlink()
    document = run_document(Run(run.root))
    assert (document.search.trials, document.search.steps, document.data) == ([], [], None)


def test_a_script_cannot_be_ended_from_within(document):
    text = to_json([document])
    assert "</script" not in text
    assert "x</script>.wav" in json.loads(text)["runs"][0]["data"]["dropped"][0]["example"]


def test_a_run_that_nobody_goes_on_with_is_lost(run, monkeypatch):
    events = run.events()
    monkeypatch.setattr("time.time", lambda: events[-1].time + SILENT_S / 2)
    assert page_state(Run(run.root), events, all_failed=False) == "running"
    monkeypatch.setattr("time.time", lambda: events[-1].time + 2 * SILENT_S)
    head = run_document(Run(run.root)).headline
    assert (head.state, head.state_note[:21]) == ("lost", "not heard of for 30 m")


def test_a_process_of_this_machine_is_missed_at_once(tmp_path, monkeypatch):
    run = recorded_run(tmp_path / "run")
    monkeypatch.setattr("time.time", lambda: run.events()[-1].time + 1)
    with RunLease.acquire(run.root):
        assert run_document(Run(run.root)).headline.state == "running"
    assert run_document(Run(run.root)).headline.state == "lost"


def test_an_end_has_the_word_that_lists_have_and_says_which_budget(tmp_path):
    run = recorded_run(tmp_path / "run")
    for outcome, word, note in [
        ("core budget", "budget spent", "core budget"),
        ("finished", "finished", ""),
        ("stopped by hand", "stopped", "stopped by hand"),
    ]:
        sessions = [{"started": 0.0, "ended": 1.0, "fence": 1, "outcome": outcome}]
        write_json(run.info_file, {"sessions": sessions})
        head = run_document(Run(run.root)).headline
        assert (head.state, head.state_note) == (word, note)


def test_a_notebook_sees_the_trials_as_a_frame(run, tmp_path):
    found = Run(run.root)
    frame = found.frame
    assert list(frame.index[:3]) == [record.number for record in run.trials().ranked()[:3]]
    assert set(run.spec().space.fields) <= set(frame.columns)
    shown = found._repr_html_()
    assert "and 2 more" in shown
    assert shown.count("<tr") == 11 + 1  # the index has a head of its own
    empty = recorded_run(tmp_path / "<b>")
    empty.ledger_file.unlink()
    assert len(Run(empty.root).frame) == 0
    assert "&lt;b&gt;" in Run(empty.root)._repr_html_()
