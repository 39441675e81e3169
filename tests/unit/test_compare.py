"""Runs compared from their stored predictions: figures, verdicts, and what is refused."""

import json
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raysearch.__main__ import main
from raysearch.errors import UserError
from raysearch.evaluation.compare import compare, compare_all
from raysearch.evaluation.stored_evaluations import load_systems
from raysearch.spec import SearchSpec
from raysearch.training.metrics import confusion_matrix, uar

EMOTIONS = ("angry", "happy", "sad")


def predictions(accuracy, *, num_speakers=10, num_seeds=3, per_class=8, seed=0, **columns):
    """A table as ``evaluate`` writes it, of a system that knows a share ``accuracy``."""
    rng = np.random.default_rng(seed)
    rows = [
        {
            "utterance": f"{speaker:02d}-{emotion}-{take}",
            "corpus": "made",
            "speaker": f"{speaker:02d}",
            "fold": speaker % 5,
            "seed": number,
            "emotion": emotion,
            "predicted": emotion if rng.random() < accuracy else str(rng.choice(EMOTIONS)),
            **columns,
        }
        for number in range(num_seeds)
        for speaker in range(1, num_speakers + 1)
        for emotion in EMOTIONS
        for take in range(per_class)
    ]
    rng.shuffle(rows)
    return pa.Table.from_pylist(rows)


def pooled_ua(table):
    index = {name: number for number, name in enumerate(EMOTIONS)}
    true, predicted = ([index[x] for x in table[c].to_pylist()] for c in ("emotion", "predicted"))
    return float(uar(confusion_matrix(true, predicted, len(EMOTIONS))))


def changed(table, column, value, row=0):
    values = table[column].to_pylist()
    values[row] = value
    return table.set_column(table.schema.get_field_index(column), column, pa.array(values))


@settings(max_examples=20, deadline=None)
@given(st.floats(0, 1), st.floats(0, 1), st.integers(2, 9), st.integers(0, 99))
def test_difference_is_that_of_the_pooled_ua_and_flips_its_sign(one, other, num_speakers, seed):
    first = predictions(one, num_speakers=num_speakers, per_class=2, seed=seed)
    second = predictions(other, num_speakers=num_speakers, per_class=2, seed=seed + 1)
    there, back = compare(first, second), compare(second, first)
    gap = pooled_ua(first) - pooled_ua(second)
    assert there.comparison.difference == pytest.approx(gap)
    assert back.comparison.difference == pytest.approx(-gap)
    assert there.comparison.p == back.comparison.p
    assert (there.comparison.p is None) == (num_speakers < 6)
    assert np.mean(list(there.speakers.values())) == pytest.approx(gap)


def test_seeds_are_averaged_whatever_their_number():
    first = predictions(0.8, num_seeds=1)
    thrice = pa.concat_tables(
        [
            first.drop_columns(["seed"]).append_column("seed", pa.array([n] * len(first)))
            for n in "012"
        ]
    )
    found = compare(first, thrice).comparison
    assert (found.difference, found.p, found.verdict) == (0, 1, "tie")


def test_verdicts_and_their_sentences():
    systems = {
        "base": predictions(0.5),
        "strong": predictions(0.95, seed=1),
        "weak": predictions(0.1, seed=2),
        "alike": predictions(0.55, seed=4),
        "equal": predictions(0.5),
    }
    found = {one.first: one for one in compare_all(systems)}
    assert {name: one.comparison.verdict for name, one in found.items()} == {
        "strong": "better",
        "weak": "worse",
        "alike": "not distinguished",
        "equal": "tie",
    }
    sentences = {name: one.sentence() for name, one in found.items()}
    assert sentences["strong"].startswith("strong is better than base: +3")
    assert "t over 5 folds of 10 speakers, Holm p = " in sentences["strong"]
    assert sentences["weak"].startswith("weak is worse than base: -")
    assert sentences["equal"].startswith("equal and base tie: +0.0 UA points [")
    assert "within +-2" in sentences["equal"]
    assert "shows neither difference nor tie" in sentences["alike"]
    assert all("90% interval" in one for one in sentences.values())


def test_correction_is_over_all_pairs_made_together():
    tables = {"a": predictions(0.5), "b": predictions(0.9, seed=1), "c": predictions(0.9, seed=2)}
    alone = compare(tables["b"], tables["a"]).comparison
    assert alone.p == alone.p_holm
    three = [("b", "a"), ("c", "a"), ("b", "c")]
    found = compare_all(tables, three)
    assert [(one.first, one.second) for one in found] == three
    raw = sorted(one.comparison.p for one in found)
    held = sorted(one.comparison.p_holm for one in found)
    assert held == pytest.approx([3 * raw[0], max(3 * raw[0], 2 * raw[1]), raw[2]])


def test_four_speakers_cannot_be_tested():
    found = compare(
        predictions(1.0, num_speakers=4), predictions(0.2, num_speakers=4), names=("a", "b")
    )
    assert found.comparison.verdict == "cannot be tested"
    assert found.comparison.p is None
    needed = "4 speaker(s) in 4 fold(s); 6 speakers in 4 or more folds are needed"
    assert needed in found.sentence()
    low, high = min(found.speakers.values()), max(found.speakers.values())
    assert f"a speaker {100 * low:+.1f} to {100 * high:+.1f}" in found.sentence()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda t: predictions(0.5, num_speakers=9),
            r"same utterances: 24 only in first \(as made/10-angry-0\): compare",
        ),
        (lambda t: changed(t, "corpus", "other"), r"every seed scored every test utterance once"),
        (lambda t: t.slice(1), "every seed scored every test utterance once"),
        (lambda t: pa.concat_tables([t, t]), "every seed scored every test utterance once"),
        (lambda t: t.slice(0, 0), "without rows"),
        (
            lambda t: t.drop_columns(["speaker", "fold"]),
            "second: predictions without fold, speaker",
        ),
        (lambda t: predictions(0.5, fold=0), "differ in the fold of made/"),
        (lambda t: predictions(0.5, speaker="x"), "differ in the speaker of made/"),
        (lambda t: predictions(0.5, emotion="sad"), "differ in the emotion of made/"),
    ],
)
def test_what_does_not_match_is_refused(change, message):
    table = predictions(0.5)
    with pytest.raises(UserError, match=message) as caught:
        compare(table, change(table))
    assert "\n" not in str(caught.value)


def stored(folder, table, *, mode="fold", protocol="speaker_independent", beside=None):
    """A run folder with an evaluation, as far as a comparison reads it."""
    folder.mkdir(exist_ok=True)
    (folder / "spec.yaml").write_text(SearchSpec.load("emohrnet").to_yaml())
    figures = {
        "mode": mode,
        "protocol": protocol,
        "num_speakers": len(set(table["speaker"].to_pylist())),
        "ua": {"mean": pooled_ua(table), "per_seed": [], "interval": [0.1, 0.9]},
    }
    (folder / "evaluation.json").write_text(json.dumps({**figures, "beside": beside or {}}))
    pq.write_table(table, folder / f"predictions-{mode}.parquet")
    for name in beside or {}:
        pq.write_table(table, folder / f"predictions-{name}.parquet")
    return folder


def test_the_verb_prints_a_row_and_a_sentence_a_run(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "40")  # in a pipe lines are whole
    stored(tmp_path / "a", predictions(0.5))
    stored(tmp_path / "b", predictions(0.95, seed=1))
    stored(tmp_path / "c", predictions(0.5))
    assert main(["compare", "a", "b", "c"]) == 0
    shown = capsys.readouterr().out
    assert "speaker_independent, fold, 10 speakers; differences from a" in shown
    lines = {line.split()[0]: line for line in shown.splitlines() if line.strip()}
    assert f"{100 * pooled_ua(predictions(0.5)):.1f} [10.0, 90.0]" in lines["a"]
    assert "b is better than a: +" in shown
    assert "c and a tie: +0.0 UA points" in shown
    assert main(["compare", "a", "b", "--json"]) == 0
    (pair,) = json.loads(capsys.readouterr().out)
    assert (pair["first"], pair["second"], pair["verdict"]) == ("b", "a", "better")
    assert pair["p_holm"] == pair["p"] < 0.05
    assert pair["method"] == "t over 5 folds of 10 speakers"
    assert "95% intervals of a, b, c: an earlier version's bootstrap of speakers" in shown
    assert pair["num_speakers"] == 10
    assert len(pair["per_speaker_ua_difference"]) == 10


def test_the_kind_that_all_have_is_compared(tmp_path):
    table = predictions(0.5)
    figures = {"protocol": "speaker_independent", "num_speakers": 10, "ua": {"mean": 0.5}}
    figures["ua"]["interval"] = None
    paper = {**figures, "mode": "paper", "protocol": "paper"}
    one = stored(tmp_path / "a", table, mode="nested", beside={"fold": {**figures, "mode": "fold"}})
    two = stored(tmp_path / "b", table, beside={"paper": paper})
    assert [system.mode for system in load_systems([one, two])] == ["fold", "fold"]
    with pytest.raises(
        UserError, match=r"a has nested, fold; .*b has fold, paper: raysearch evaluate"
    ):
        load_systems([one, two], paper=True)
    three = stored(tmp_path / "c", table, beside={"paper": paper})
    assert {s.protocol for s in load_systems([two, three], paper=True)} == {"paper"}


@pytest.mark.parametrize(
    ("protocols", "message"),
    [
        (("speaker_independent", "paper"), "paper protocol is optimistic"),
        (("paper", "speaker_independent"), "paper protocol is optimistic"),
        (("speaker_independent", "text_independent"), "protocols differ"),
    ],
)
def test_protocols_are_not_mixed(tmp_path, capsys, protocols, message):
    runs = [
        str(stored(tmp_path / str(number), predictions(0.5), protocol=protocol))
        for number, protocol in enumerate(protocols)
    ]
    assert main(["compare", *runs]) == 2
    said = capsys.readouterr()
    assert message in said.err
    assert len(said.err.splitlines()) == 1
    assert said.out == ""


def test_damaged_and_missing_files_are_one_line(tmp_path, capsys):
    good = stored(tmp_path / "good", predictions(0.5))
    bad = stored(tmp_path / "bad", predictions(0.5))
    (bad / "predictions-fold.parquet").write_bytes(b"PAR1 no")
    assert main(["compare", str(good), str(bad)]) == 2
    (bad / "evaluation.json").write_text('{"mode": "fold", "ua": []}')
    assert main(["compare", str(good), str(bad)]) == 2
    (bad / "evaluation.json").unlink()
    assert main(["compare", str(good), str(bad)]) == 2
    (bad / "spec.yaml").unlink()
    assert main(["compare", str(good), str(bad)]) == 2
    assert main(["compare", str(good), str(good)]) == 2
    lines = capsys.readouterr().err.splitlines()
    words = ["cannot be read", "not an evaluation", "not evaluated yet", "not a run", "named twice"]
    assert len(lines) == len(words)
    assert all(word in line for word, line in zip(words, lines, strict=True))
    assert all(one != other for one, other in pairwise(lines))
