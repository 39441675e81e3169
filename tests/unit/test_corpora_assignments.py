"""The committed outer folds name the corpora's own speakers, each once."""

import csv
from collections import Counter
from importlib.resources import files
from pathlib import Path

import pytest

from raysearch.corpora.crema_d import CremaD
from raysearch.corpora.parser import Entry

GROUPS = {
    "crema_d": [18, 18, 19, 18, 18],
    "emovo": [1] * 6,
    "iemocap": [2] * 5,
    "msp_improv": [2] * 6,
    "savee": [1] * 4,
    "tess": [1] * 2,
}


def assigned(name: str) -> dict[str, int]:
    source = files("raysearch.protocols") / "assignments" / f"{name}.csv"
    rows = list(csv.DictReader(source.read_text(encoding="utf-8").splitlines()))
    folds = {row["speaker"]: int(row["fold"]) for row in rows}
    assert len(folds) == len(rows)
    return folds


@pytest.mark.parametrize("name", GROUPS)
def test_sizes(name: str) -> None:
    counts = Counter(assigned(name).values())
    assert [counts[fold] for fold in range(len(counts))] == GROUPS[name]


def test_names() -> None:
    assert set(assigned("savee")) == {"DC", "JE", "JK", "KL"}
    assert set(assigned("tess")) == {"OAF", "YAF"}
    assert set(assigned("emovo")) == {"f1", "f2", "f3", "m1", "m2", "m3"}
    folds = assigned("iemocap")
    assert {s: folds[f"Ses0{s + 1}_F"] for s in range(5)} == {s: s for s in range(5)}
    assert all(folds[f"Ses0{s}_F"] == folds[f"Ses0{s}_M"] for s in range(1, 6))


def test_partners_of_a_session_are_tested_together() -> None:
    folds = assigned("msp_improv")
    assert set(folds) == {f"{sex}{session:02}" for sex in "FM" for session in range(1, 7)}
    assert all(folds[f"F{s:02}"] == folds[f"M{s:02}"] for s in range(1, 7))


def test_crema_d_is_balanced_by_sex() -> None:
    folds = assigned("crema_d")
    assert set(folds) == {str(actor) for actor in range(1001, 1092)}
    sexes: Counter[tuple[int, str | None]] = Counter()
    for speaker, fold in folds.items():
        entry = CremaD().entry(Path(f"{speaker}_DFA_ANG_XX.wav"))
        assert isinstance(entry, Entry)
        sexes[fold, entry.sex] += 1
    assert sum(n for (_, sex), n in sexes.items() if sex == "female") == 43
    for fold in range(5):
        assert abs(sexes[fold, "female"] - 43 / 5) < 1
        assert abs(sexes[fold, "male"] - 48 / 5) < 1
