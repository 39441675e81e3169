"""Figures by sex or a manifest's column, and what may be said of groups of different speakers."""

import json
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile
from scipy import stats

from raysearch.__main__ import main
from raysearch.corpora.corpus_table import CorpusConfig
from raysearch.errors import ConfigError, UserError
from raysearch.evaluation.by_column import by_column
from raysearch.evaluation.group_columns import group_columns
from raysearch.evaluation.group_statistics import compare_groups, group_spread
from raysearch.evaluation.scores import score
from raysearch.evaluation.units import Units, t_test
from raysearch.run_folder import RunFolder
from raysearch.spec import SearchSpec

sys.path.append(str(Path(__file__).parents[1] / "benchmarks"))

import group_simulation

EMOTIONS = ("happy", "sad")
NUM = 20


def matrices(right_S):
    """One class of two, whose recall is a speaker's share; None for a speaker without rows."""
    one = [[0 if r is None else r, 0 if r is None else NUM - r] for r in right_S]
    return np.array([[pair, [0, 0]] for pair in one], dtype=float)


def test_speakers_of_folds_of_their_own_are_compared_by_welch():
    first, second = [12, 15, 9, 17], [13, 19, 18, 20, 16]
    both = matrices([*first, *[None] * 5]), matrices([*[None] * 4, *second])
    for folds in (list(range(9)), None, [0] * 9):
        p = t_test(group_spread(*both, Units.of(9, folds)))
        assert p == pytest.approx(stats.ttest_ind(first, second, equal_var=False).pvalue)


def test_what_a_model_did_to_both_groups_of_its_fold_is_no_difference():
    first, second = [12, 15, 9, 17, 14], [13, 17, 9, 20, 16]
    both = matrices([*first, *[None] * 5]), matrices([*[None] * 5, *second])
    units = Units.of(10, [0, 1, 2, 3, 4] * 2)
    assert t_test(group_spread(*both, units)) == pytest.approx(
        stats.ttest_rel(first, second).pvalue
    )
    same = matrices(first), matrices(second)  # each speaker in both groups, as with two languages
    for folds in (list(range(5)), None):
        spread = group_spread(*same, Units.of(5, folds))
        assert t_test(spread) == pytest.approx(stats.ttest_rel(first, second).pvalue)


def test_where_some_folds_have_both_the_smaller_group_gives_the_degrees():
    first, second = [12, 15, 9, 17, None, None], [13, 17, 9, 20, 16, 11]
    spread = group_spread(matrices(first), matrices(second), Units.of(6, list(range(6))))
    assert spread.freedom == 3


def test_only_emotions_that_both_have_are_compared():
    first = np.array([[[9, 1], [0, 0]], [[7, 3], [0, 0]]], dtype=float)
    second = np.array([[[8, 2], [0, 4]], [[6, 4], [0, 4]]], dtype=float)
    spread = group_spread(first, second, Units.of(2, None))
    assert spread.estimate == pytest.approx(0.1)
    with pytest.raises(ValueError, match="no emotion in common"):
        group_spread(first[:, ::-1], np.zeros_like(first), Units.of(2, None))


def compared(first, second, folds):
    groups = {"a": matrices(first), "b": matrices(second)}
    return compare_groups(groups, [("a", "b")], folds=folds)[0]


def test_below_what_can_be_tested_it_says_what_is_needed():
    alone = compared([12, None], [None, 14], [0, 0])
    assert (alone.verdict, alone.p, alone.interval) == ("cannot be tested", None, None)
    assert alone.lack == "2 speaker(s) in 1 fold(s); 6 speakers in 4 or more folds are needed"
    few = compared([12, 9, *[None] * 6], [None, None, 14, 13, 18, 11, 9, 10], list(range(8)))
    assert few.verdict == "cannot be tested"
    assert few.lack == "2 folds of one group; 4 of each are needed"
    enough = compared([*[4, 5, 4, 6], *[None] * 4], [*[None] * 4, *[18, 19, 17, 18]], range(8))
    assert (enough.verdict, enough.lack) == ("worse", None)
    assert enough.method == "Welch's t over 4 and 4 folds"
    assert enough.interval.high < -0.5


def test_the_method_says_how_folds_and_groups_lie():
    both = [12, 15, 9, 17, 14, 13, 12, 11]
    assert compared(both, both, [0] * 8).method == (
        "t over 8 speakers that have both of one fold: holds for these trainings alone"
    )
    assert compared(both, both, range(8)).method == "t over 8 folds that have both"
    some = compared([*both[:4], *[None] * 4], both, range(8))
    assert some.method == "t over 8 folds, 4 of which have both"
    assert compared(both, both, None).method.endswith(
        "folds not known: too narrow if they share any"
    )


def test_equal_groups_are_seldom_called_different(monkeypatch):
    monkeypatch.setattr(group_simulation, "NUM_MADE", 300)
    women_and_men, apart = group_simulation.DESIGNS[0], group_simulation.DESIGNS[9]
    assert 0.02 < group_simulation.false_alarms(women_and_men, 0.5)[0] < 0.09
    by_folds, by_speakers = group_simulation.false_alarms(apart, 0.5)
    assert by_folds < 0.09 < by_speakers + 0.02


def predictions(num_speakers=10, accuracy=(0.9, 0.6)):
    """Five folds of two speakers; those with odd numbers are recognised less."""
    rng, rows = np.random.default_rng(0), []
    for seed in range(2):
        for speaker in range(num_speakers):
            for emotion in EMOTIONS:
                for take in range(6):
                    other = EMOTIONS[1 - EMOTIONS.index(emotion)]
                    right = rng.random() < accuracy[speaker % 2]
                    rows.append(
                        {
                            "utterance": f"{speaker}-{emotion}-{take}.wav",
                            "corpus": "manifest",
                            "speaker": f"s{speaker}",
                            "sex": None,
                            "fold": speaker // 2,
                            "seed": seed,
                            "emotion": emotion,
                            "predicted": emotion if right else other,
                            "p_happy": 0.5,
                            "p_sad": 0.5,
                        }
                    )
    return pa.Table.from_pylist(rows, schema=pa.schema([*_SCHEMA]))


_SCHEMA = [
    *((name, pa.string()) for name in ("utterance", "corpus", "speaker", "sex")),
    *((name, pa.int64()) for name in ("fold", "seed")),
    *((name, pa.string()) for name in ("emotion", "predicted")),
    *((name, pa.float64()) for name in ("p_happy", "p_sad")),
]


def test_groups_have_all_figures_and_each_pair_is_compared_once():
    table = predictions()
    values = {
        name: ("odd" if int(name[0]) % 2 else "even")
        for name in table["utterance"].to_pylist()
        if not name.startswith("9-happy")
    }
    found = by_column(table, list(EMOTIONS), values)
    odd, even = found["groups"]["odd"], found["groups"]["even"]
    assert list(found["groups"]) == ["even", "odd"]
    assert (even["num_speakers"], even["num_utterances"], even["lacking"]) == (5, 60, [])
    assert len(even["ua"]["per_seed"]) == 2
    assert even["ua"]["interval"] is None  # five speakers
    assert odd["ua"]["mean"] == pytest.approx(np.mean(odd["ua"]["per_seed"]))
    assert found["num_left_out"] == 6
    (difference,) = found["differences"]
    assert difference["verdict"] == "better"
    assert difference["difference"] == pytest.approx(even["ua"]["mean"] - odd["ua"]["mean"])
    assert difference["sentence"].startswith("even is recognised better than odd: +")
    assert "t over 5 folds that have both, Holm p = " in difference["sentence"]
    json.dumps(found)


def test_groups_without_a_common_emotion_and_lone_groups_are_told():
    table = predictions()
    by_emotion = {name: name.split("-")[1] for name in table["utterance"].to_pylist()}
    found = by_column(table, list(EMOTIONS), by_emotion)
    assert found["notes"] == ["happy and sad have no emotion in common"]
    assert found["differences"] == []
    assert found["groups"]["happy"]["lacking"] == ["sad"]
    alone = by_column(table, list(EMOTIONS), dict.fromkeys(by_emotion, "x"))
    assert alone["notes"] == ["all test utterances are 'x': there is nothing to compare"]
    assert by_column(table, list(EMOTIONS), {})["notes"] == [
        "no test utterance has a value: there is nothing to compare"
    ]


@pytest.fixture
def run(tmp_path, monkeypatch):
    """An evaluated run of a manifest with columns of its own."""
    table = predictions()
    noise = np.random.default_rng(0).uniform(-0.1, 0.1, 160)
    lines = ["path,emotion,speaker,sex,accent,age,same"]
    for name in dict.fromkeys(table["utterance"].to_pylist()):
        soundfile.write(tmp_path / name, noise, 16_000)
        speaker, emotion = int(name[0]), name.split("-")[1]
        accent = ("north", "south", "")[speaker % 3]
        age = len(lines)
        lines.append(f"{name},{emotion},s{speaker},{'fm'[speaker % 2]},{accent},{age},x")
    (tmp_path / "m.csv").write_text("\n".join(lines) + "\n")
    folder = tmp_path / "results" / "one"
    folder.mkdir(parents=True)
    corpus = [("corpus.name", "manifest"), ("corpus.data", str(tmp_path / "m.csv"))]
    (folder / "spec.yaml").write_text(SearchSpec.load("cnn", corpus).to_yaml())
    figures = score(table, protocol="speaker_independent", where={"nested": 5}, notes=[])
    stored = {"mode": "nested", "trial": "t", **figures}
    (folder / "evaluation.json").write_text(json.dumps({**stored, "beside": {}}))
    pq.write_table(table.drop_columns(["sex"]), folder / "predictions-nested.parquet")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    return RunFolder(folder)


def test_a_run_that_was_evaluated_before_is_asked_by_columns(run, capsys):
    command = ["evaluate", "results/one", "--nested", "--by", "sex,accent"]
    assert main(command) == 0
    said = capsys.readouterr().out
    lines = said.splitlines()
    start = next(n for n, line in enumerate(lines) if line.startswith(" by sex"))
    assert lines[start].split()[-4:] == ["95%", "interval", "of", "UA"]
    assert lines[start + 1].split()[:3] == ["female", "5", "60"]
    assert "female is recognised better than male: +" in said
    assert "note: 36 utterances have no value and are left out" in said
    stored = json.loads((run.root / "evaluation.json").read_text())
    assert set(stored["by"]) == {"sex", "accent"}
    assert set(stored["by"]["accent"]["groups"]) == {"north", "south"}
    assert main([*command[:3], "--by=accent"]) == 0
    assert set(json.loads((run.root / "evaluation.json").read_text())["by"]) == {"sex", "accent"}


@pytest.mark.parametrize(
    ("column", "message"),
    [
        ("acent", "--by acent: no such column (did you mean 'accent'?): there are accent, age, "),
        ("dialect", "no such column: there are accent, age, same, sex"),
        ("age", "120 values (1, 10, 100, ...): at most 20 make groups"),
        ("same", "every utterance is 'x': there is nothing to compare"),
        ("language", "no such column"),
    ],
)
def test_a_column_by_which_nothing_can_be_compared_is_refused(run, capsys, column, message):
    assert main(["evaluate", "results/one", "--nested", "--by", column]) == 2
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1


def test_columns_of_joined_corpora_and_of_other_readers(run, tmp_path):
    emodb = tmp_path / "wav"
    emodb.mkdir()
    for name in ("03a01Wa.wav", "16a02Lb.wav"):
        soundfile.write(emodb / name, np.zeros(160), 16_000)
    names = {"name": "manifest,emodb", "data": f"{tmp_path / 'm.csv'},{emodb}"}
    joined = group_columns(CorpusConfig(**names), tmp_path, ["sex", "corpus", "accent"])
    assert joined["sex"]["emodb/16a02Lb"] == "female"
    assert joined["corpus"]["manifest/0-happy-0.wav"] == "manifest"
    assert "emodb/16a02Lb" not in joined["accent"]
    alone = CorpusConfig(name="emodb", data=str(emodb))
    assert group_columns(alone, tmp_path, ["sex"])["sex"] == {
        "03a01Wa": "male",
        "16a02Lb": "female",
    }
    with pytest.raises(UserError, match=r"there are language, sex, text$"):
        group_columns(alone, tmp_path, ["accent"])


def test_a_column_of_annotators_tells_no_recordings_apart(tmp_path):
    lines = ["path,emotion,speaker,annotator,age,place"]
    for name in ("a.wav", "b.wav"):
        soundfile.write(tmp_path / name, np.zeros(160), 16_000)
        for judge, age in (("r1", "old"), ("r2", "young")):
            lines.append(f"{name},sad,s-{name},{judge},{age},{name[0]}")
    (tmp_path / "m.csv").write_text("\n".join(lines))
    config = CorpusConfig(name="manifest", data=str(tmp_path / "m.csv"))
    found = group_columns(config, tmp_path, ["place"])
    assert found == {"place": {"a.wav": "a", "b.wav": "b"}}
    with pytest.raises(UserError, match=r"a\.wav has 'old' in one row and 'young' in another"):
        group_columns(config, tmp_path, ["age"])


def test_a_column_of_numbers_with_fractions_is_no_group(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.zeros(160), 16_000)
    row = {"path": ["a.wav"], "emotion": ["sad"], "speaker": ["s"], "score": [0.5]}
    pq.write_table(pa.table(row), tmp_path / "m.parquet")
    config = CorpusConfig(name="manifest", data=str(tmp_path / "m.parquet"))
    with pytest.raises(ConfigError, match="'score' is double, expected text or whole numbers"):
        group_columns(config, tmp_path, ["score"])
