"""The page of open questions: nothing is forgotten, each can be asked, each answer is told."""

import dataclasses
import json
import sys
from pathlib import Path

import pytest
from searched_run import predictions, searched_run

from raysearch.evaluation.ablate import applicable, store_ablations
from raysearch.evaluation.experiment import plan_experiment
from raysearch.evaluation.named_ablations import ABLATIONS
from raysearch.evaluation.run_splits import RunSplits
from raysearch.evaluation.sweep import store_sweep
from raysearch.evaluation.sweep_axes import points_of, read_axis
from raysearch.evaluation.winner_folds import winner_configs
from raysearch.spec import SearchSpec

sys.path.append(str(Path(__file__).parents[1] / "benchmarks"))

import questions as script
import questions_text
from question_answers import arguments_of, found_by
from question_table import NEEDS, Budget, load
from questions_text import PAGE, cell, page, shown_words

QUESTIONS = load()
EVERY = list(QUESTIONS.by_id.values())
CHANGES = {ablation.name: ablation.changes for ablation in ABLATIONS}
EXPERIMENTS = {
    *("ablate", "sweep", "evaluate", "compare", "cross-corpus", "leak-study", "reproduce"),
}
FILES = dict.fromkeys(NEEDS, "weights.pt")


def asked(question):
    return arguments_of(shown_words(QUESTIONS, question))


def asker(folder, **changes):
    made = script.Asker(QUESTIONS, "emodb", "EMO DB/", "nEMO/m.csv", FILES, Budget(), folder)
    return dataclasses.replace(made, **changes)


def test_every_ablation_is_a_question():
    names = [asked(one).only.split(",") for one in EVERY if one.verb == "ablate"]
    assert {name for of in names for name in of} == set(CHANGES)


def test_every_verb_that_makes_experiments_answers_a_question():
    assert {one.verb for one in EVERY} == EXPERIMENTS
    evaluated = [asked(one) for one in EVERY if one.verb == "evaluate"]
    assert any(one.noise for one in evaluated)
    assert any(one.by for one in evaluated)


@pytest.mark.parametrize("name", QUESTIONS.searches)
def test_a_search_has_settings_and_the_parts_that_are_asked_about(name):
    search = QUESTIONS.searches[name]
    settings = list(search.settings)
    if search.needs:
        settings.append(f"{NEEDS[search.needs][1]}=weights.pt")
    fields = SearchSpec.load(search.space, settings).base.fields()
    of_it = [one for one in EVERY if one.placeholders[:1] == [name]]
    for question in of_it:
        if question.verb == "ablate":
            for part in asked(question).only.split(","):
                assert not isinstance(CHANGES[part](fields), str), (part, CHANGES[part](fields))
        if question.verb == "sweep":
            points = points_of(
                [SearchSpec.load(search.space, settings).base],
                [read_axis(axis) for axis in asked(question).axes],
            )
            assert len(points) > 1
    assert of_it or name in ("svm", "lstm", "cnn")


def test_each_paper_is_made_again():
    reproduced = {asked(one).system for one in EVERY if one.verb == "reproduce"}
    assert reproduced == {one.space for one in QUESTIONS.searches.values()}


def test_the_page_is_what_the_script_writes(monkeypatch, tmp_path):
    written = PAGE.read_text()
    monkeypatch.setattr(questions_text, "PAGE", tmp_path / "questions.md")
    questions_text.write_page(QUESTIONS)
    assert (tmp_path / "questions.md").read_text() == written


@pytest.mark.parametrize("question", EVERY, ids=lambda one: one.id)
def test_what_is_asked_here_is_a_command(question, tmp_path):
    words = asker(tmp_path).words(question)
    assert not [word for word in words if "{" in word]
    read = arguments_of(words)
    if question.verb == "leak-study":
        assert read.data == "EMO DB/"
    if question.verb == "cross-corpus":
        assert read.target == ["manifest=nEMO/m.csv"]
        assert Path(read.output).parent == tmp_path


def test_what_cannot_be_asked_says_what_it_lacks(tmp_path):
    bare = asker(tmp_path, files={}, other=None)
    why = {name: bare.lacking(one) for name, one in QUESTIONS.by_id.items()}
    assert why["mfhca-parts"] == "needs a speech encoder's weights: --encoder FILE"
    assert why["resnet34-noise"] is None
    assert why["emohrnet-cross-corpus"] == "needs another corpus: --other PATH"
    assert "one label" in why["cnn1d-votes"]
    assert [one for one in EVERY if asker(tmp_path).lacking(one)] == [
        QUESTIONS.by_id["cnn1d-votes"]
    ]


def test_a_plan_names_each_search_once_and_what_it_takes(tmp_path):
    plan = asker(tmp_path).plan(EVERY)
    for search in QUESTIONS.searches:
        assert plan.count(f"--name emodb-8x20-questions-{search} ") == 1
    assert "h of two cores" in plan.splitlines()[-1]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run of four speakers with an ablation and a sweep of its winner, stored as verbs do."""
    run = searched_run(tmp_path_factory.mktemp("searched"))
    splits = RunSplits(run, run.root)
    changes, skipped = applicable(run, ["masks", "prosody"], None)
    ablation = plan_experiment(run, changes, folds=None, splits=splits)
    store_ablations(ablation, outcome(ablation), skipped, None)
    points = points_of(winner_configs(run, None), [read_axis("model.width=16,48")])
    sweep = plan_experiment(run, {one.name: one.of for one in points}, folds=None, splits=splits)
    store_sweep(sweep, outcome(sweep), points, None)
    return run


def outcome(experiment):
    systems = {"winner": experiment.winner, **experiment.changed}
    return experiment.judge(
        {name: [(predictions(arm, 0.8), {}) for arm in arms] for name, arms in systems.items()}
    )


def test_figures_are_read_from_what_the_verbs_store(run):
    winner, masks, prosody = found_by(["ablate", str(run.root), "--only=masks,prosody"], "").rows
    stored = json.loads((run.root / "ablations.json").read_text())
    assert winner.value == stored["winner"]["ua"]["mean"]
    comparison = stored["ablations"]["masks"]["comparison"]
    assert (masks.difference, masks.verdict) == (comparison["difference"], "cannot be tested")
    assert masks.why == comparison["lack"]
    assert prosody.value is None
    assert "has no prosody" in cell(dataclasses.asdict(prosody))
    own, other = found_by(["sweep", str(run.root), "model.width=16,48"], "").rows
    assert (own.name, other.name) == ("the winner (16)", "model.width=48")


@pytest.fixture(scope="module")
def parts(run):
    """Figures and a comparison as they are stored."""
    stored = json.loads((run.root / "ablations.json").read_text())
    return stored["winner"], stored["ablations"]["masks"]["comparison"]


def test_noise_is_a_row_a_level_and_what_was_left_out_says_why(parts, tmp_path):
    figures, compared = parts
    clean = {**figures, "kind": "clean", "level": "", "comparison": None}
    white = {**figures, "kind": "white", "level": "5 dB", "comparison": compared}
    noise = {"levels": [clean, white], "left_out": {"codec, MP3": "no encoder"}}
    (tmp_path / "noise.json").write_text(json.dumps(noise))
    rows = found_by(["evaluate", str(tmp_path), "--nested", "--noise"], "").rows
    assert [row.name for row in rows] == ["clean", "white 5 dB", "codec, MP3"]
    assert rows[1].difference == compared["difference"]
    assert rows[2].why == "no encoder"


def test_groups_have_figures_and_differences(parts, tmp_path):
    figures, compared = parts
    difference = {**compared, "first": "female", "second": "male"}
    sex = {"groups": {"female": figures, "male": figures}, "differences": [difference]}
    evaluated = {**figures, "mode": "nested", "by": {"sex": sex}}
    (tmp_path / "evaluation.json").write_text(json.dumps(evaluated))
    rows = found_by(["evaluate", str(tmp_path), "--nested", "--by=sex"], "").rows
    assert [row.name for row in rows] == ["sex: female", "sex: male", "female - male"]


def test_compared_runs_are_named_by_their_searches(parts, tmp_path):
    pair = {**parts[1]}
    for key, search in (("first", "lstm"), ("second", "emohrnet-prosody")):
        pair[key] = str(asker(tmp_path).run(QUESTIONS.searches[search]).root)
    (row,) = found_by(["compare", "a", "b", "--json"], json.dumps([pair])).rows
    assert row.name == "lstm - emohrnet-prosody"


def test_a_matrix_has_its_own_test_speakers_and_the_others(parts, tmp_path):
    matrix = {"emodb": dict.fromkeys(("emodb", "manifest"), parts[0])}
    (tmp_path / "m.json").write_text(json.dumps(matrix))
    words = ["cross-corpus", "run", "--target=demo", "--output", str(tmp_path / "m.json")]
    assert [row.name for row in found_by(words, "").rows] == [
        "own test speakers, 2 emotions",
        "on nEMO, 2 emotions",
    ]


def test_a_leak_study_has_its_arms_and_both_leaks(parts, tmp_path):
    figures, compared = parts
    study = {"arms": dict.fromkeys("ABCD", figures)}
    study["compared"] = dict.fromkeys(("siblings", "speakers"), compared)
    (tmp_path / "leak_study.json").write_text(json.dumps(study))
    (tmp_path / "leak_study.md").write_text("| arm |")
    words = ["leak-study", "--name", tmp_path.name, "--storage", str(tmp_path.parent)]
    answer = found_by(words, "")
    assert len(answer.rows) == 6
    assert answer.table == "| arm |"


def test_an_answer_is_stored_once_for_a_budget_and_told_on_the_page(monkeypatch, tmp_path, run):
    monkeypatch.setattr(script, "ANSWERS", tmp_path)
    question = QUESTIONS.by_id["emohrnet-augmentation"]
    one, words = asker(tmp_path), ["ablate", str(run.root), "--only=masks"]
    assert not one.is_answered(question)
    one.store(question, words, "", wall_s=60)
    assert one.is_answered(question)
    assert not asker(tmp_path, budget=Budget(3, 3)).is_answered(question)
    answer = json.loads(one.path(question).read_text())
    told = page(QUESTIONS, {"emodb": {question.id: answer}, "nemo": {}})
    assert "| masks: spec_augment.freq_mask_count=0, spec_augment.time_mask_count=0 | " in told
    assert "**cannot be tested**" in told
    assert "- nEMO: not measured here yet." in told
    assert f"commit {answer['commit']}, 1 min" in told


def test_parts_of_one_winner_are_corrected_together(monkeypatch, tmp_path, run):
    monkeypatch.setattr(script, "ANSWERS", tmp_path)
    one, question = asker(tmp_path), QUESTIONS.by_id["emohrnet-exchange"]
    other = dataclasses.replace(question, id="again", command=f"ablate {run.root} --only masks")
    one = dataclasses.replace(one, questions=dataclasses.replace(QUESTIONS, by_id={"again": other}))
    words = one.words(other)
    one.store(other, words, "", wall_s=1)
    stale = json.loads(one.path(other).read_text()) | {"rows": []}
    one.path(other).write_text(json.dumps(stale))
    one.store(question, words, "", wall_s=2)  # a further part of the same winner
    assert len(json.loads(one.path(other).read_text())["rows"]) == 2


def test_a_cell_says_value_difference_and_verdict():
    row = {"value": 0.651, "interval": [0.6, 0.7], "difference": -0.012, "gap": [-0.03, 0.01, 0.9]}
    row |= {"verdict": "not distinguished", "why": ""}
    assert cell(row) == "65.1% [60.0, 70.0]; -1.2 [-3.0, +1.0]; **not distinguished**"
