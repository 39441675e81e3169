"""EmoBox's lists: folds, splits, speakers, labels, and one clear line for each mistake."""

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from raysearch.corpora.corpus_table import CorpusConfig, load_corpus
from raysearch.corpora.utterance import Corpus
from raysearch.errors import ConfigError, MissingPathError


def audio(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(sum(map(ord, str(path)))).uniform(-0.1, 0.1, 100)
    soundfile.write(path, noise, 16_000)


def row(root: Path, dataset: str, name: str, emotion: str, **more: object) -> dict[str, object]:
    """A row as EmoBox writes it; its audio is made."""
    wav = f"downloads/{dataset}/{name}.wav"
    audio(root / wav)
    key = f"{dataset}-{Path(name).name}"
    return {
        "key": key,
        "dataset": dataset,
        "wav": wav,
        "type": "raw",
        "sample_rate": 16000,
        "num_frame": 100.0,
        "task": "category",
        "length": 0.00625,
        "emo": emotion,
        "channel": 1,
        **more,
    }


def write(path: Path, *rows: dict[str, object]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(one) + "\n" for one in rows))
    return path


def load(path: Path) -> Corpus:
    return load_corpus(CorpusConfig(name="emobox", data=str(path)), path)


@pytest.fixture
def savee(tmp_path: Path) -> Path:
    """Two folds of one speaker each, and an older list that EmoBox left beside the first."""
    dc = [row(tmp_path, "savee", f"DC_{code}01", code) for code in ("a", "sa")]
    je = [row(tmp_path, "savee", f"JE_{code}01", code) for code in ("a", "sa")]
    folder = tmp_path / "data/savee"
    for number, (test, train) in enumerate([(dc, je), (je, dc)], start=1):
        fold = folder / f"fold_{number}"
        write(fold / f"savee_test_fold_{number}.jsonl", *test)
        write(fold / f"savee_train_fold_{number}.jsonl", *train)
    write(folder / "fold_1/savee_test_fold1.jsonl", *dc, *je)
    write(folder / "savee.jsonl", *dc, *je)
    (folder / "label_map.json").write_text('{"a": "Angry", "sa": "Sad"}')
    return folder


def test_a_datasets_folds(savee: Path) -> None:
    corpus = load(savee)
    facts = [(one.id, one.speaker, one.emotion, one.fold, one.split) for one in corpus.utterances]
    assert facts == [
        ("savee-DC_a01", "DC", "Angry", "1", None),
        ("savee-DC_sa01", "DC", "Sad", "1", None),
        ("savee-JE_a01", "JE", "Angry", "2", None),
        ("savee-JE_sa01", "JE", "Sad", "2", None),
    ]
    assert {(one.sex, one.language) for one in corpus.utterances} == {("male", "english")}


def test_one_folds_lists_are_splits(savee: Path) -> None:
    corpus = load(savee / "fold_2")
    assert {(one.speaker, one.fold, one.split) for one in corpus.utterances} == {
        ("DC", None, "train"),
        ("JE", None, "test"),
    }


def test_one_list_is_rows_only(savee: Path) -> None:
    corpus = load(savee / "savee.jsonl")
    assert {(one.fold, one.split) for one in corpus.utterances} == {(None, None)}
    assert len(corpus.utterances) == 4


def test_the_only_fold_is_a_split(tmp_path: Path) -> None:
    fold = tmp_path / "data/tess/fold_1"
    train = [row(tmp_path, "tess", f"OAF/OAF_{word}_ps", "ps") for word in ("back", "bar")]
    write(fold / "tess_train_fold_1.jsonl", train[0])
    write(fold / "tess_valid_fold_1.jsonl", train[1])
    write(fold / "tess_test_fold_1.jsonl", row(tmp_path, "tess", "YAF/YAF_back_sad", "sad"))
    corpus = load(fold.parent)
    assert {(one.id, one.speaker, one.emotion, one.split) for one in corpus.utterances} == {
        ("tess-OAF_back_ps", "OAF", "ps", "train"),
        ("tess-OAF_bar_ps", "OAF", "ps", "validation"),
        ("tess-YAF_back_sad", "YAF", "sad", "test"),
    }


def test_iemocaps_speaker_is_the_turns(tmp_path: Path) -> None:
    name = "Session2/sentences/wav/Ses02F_impro07/Ses02F_impro07_M000"
    path = write(tmp_path / "x.jsonl", row(tmp_path, "iemocap", name, "neu"))
    stm = "iemocap-Ses02F_impro07_M000 1 Ses02F 0 1.9 <id=x,lang=en,spk=Ses02F,emotion=neu> neu\n"
    (tmp_path / "data.seg.wrd.stm").write_text(stm)
    (one,) = load(path).utterances
    assert (one.speaker, one.session, one.text, one.sex) == ("Ses02_M", "Ses02", "impro07", "male")


def test_speakers_of_other_datasets(tmp_path: Path) -> None:
    named = row(tmp_path, "cafe", "one", "p", spk=7)
    listed = row(tmp_path, "cafe", "two", "p")
    stm = "cafe-two 1 12 0 5.18 <id=cafe-two,lang=en,spk=12,emotion=p> p\n"
    path = write(tmp_path / "data/cafe/cafe.jsonl", named, listed)
    (path.parent / "data.seg.wrd.stm").write_text(stm)
    assert {(one.id, one.speaker) for one in load(path).utterances} == {
        ("cafe-one", "7"),
        ("cafe-two", "12"),
    }
    (path.parent / "data.seg.wrd.stm").unlink()
    with pytest.raises(ConfigError, match=r"cafe.jsonl: line 2: no speaker of 'cafe-two'"):
        load(path)


def test_rows_of_no_test_list_are_counted(savee: Path, tmp_path: Path) -> None:
    extra = row(tmp_path, "savee", "KL_a01", "a")
    list_file = savee / "fold_1/savee_train_fold_1.jsonl"
    with open(list_file, "a") as file:
        file.write(json.dumps(extra) + "\n")
    corpus = load(savee)
    assert len(corpus.utterances) == 4
    assert [one.reason for one in corpus.dropped] == ["in no fold's test list"]


def test_downloads_may_be_a_link_but_may_not_be_left(savee: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    (tmp_path / "downloads").rename(elsewhere)
    (tmp_path / "downloads").symlink_to(elsewhere)
    assert len(load(savee).utterances) == 4
    secret = tmp_path / "secret.wav"
    audio(secret)
    (elsewhere / "savee/DC_a01.wav").unlink()
    (elsewhere / "savee/DC_a01.wav").symlink_to(secret)
    with pytest.raises(ConfigError, match="is a link that leaves"):
        load(savee)


BAD = {
    "not JSON": ("{", "line 1: not JSON"),
    "not an object": ("[1]", "line 1: expected an object"),
    "no emotion": ({"emo": ""}, "line 1: key 'emo' is missing, empty or not text"),
    "no key": ({"key": None}, "line 1: key 'key' is missing"),
    "features": ({"type": "feature"}, "line 1: type 'feature' is not audio"),
    "later part": ({"start_time": 3.0}, "line 1: a part of a file"),
    "earlier part": ({"length": 9.0, "end_time": 3.0}, "line 1: a part of a file"),
    "times": ({"start_time": "x"}, "line 1: start_time, end_time and length are seconds"),
    "out": ({"wav": "../a.wav"}, "line 1: '../a.wav' is not a path to audio"),
    "null byte": ({"wav": "a\0.wav"}, "is not a path to audio"),
    "unknown code": ({"emo": "zz"}, "line 1: the label 'zz' is not in the label map"),
}


@pytest.mark.parametrize(("change", "message"), BAD.values(), ids=BAD)
def test_mistakes_name_the_line(savee: Path, change: str | dict[str, object], message: str) -> None:
    good = json.loads((savee / "savee.jsonl").read_text().splitlines()[0])
    text = change if isinstance(change, str) else json.dumps({**good, **change})
    (savee / "bad.jsonl").write_text(text + "\n")
    with pytest.raises(ConfigError) as error:
        load(savee / "bad.jsonl")
    assert message in str(error.value)
    assert "bad.jsonl" in str(error.value)
    assert "\n" not in str(error.value)


def test_other_mistakes(savee: Path, tmp_path: Path) -> None:
    (tmp_path / "downloads/savee/DC_a01.wav").unlink()
    with pytest.raises(MissingPathError, match=r"fold_1.jsonl: line 1: .*DC_a01.wav' is in none"):
        load(savee)
    (savee / "fold_2/savee_test_fold_2.jsonl").unlink()
    with pytest.raises(ConfigError, match="no list such as <dataset>_test_fold_2"):
        load(savee)
    twice = (savee / "savee.jsonl").read_text().splitlines()[2]
    (savee / "twice.jsonl").write_text(f"{twice}\n\n{twice}\n")
    with pytest.raises(ConfigError, match=r"line 3: 'savee-JE_a01' is already in .*line 1"):
        load(savee / "twice.jsonl")
    (savee / "label_map.json").write_text("[]")
    with pytest.raises(ConfigError, match=r"label_map.json: expected a map of codes to labels"):
        load(savee / "savee.jsonl")
    with pytest.raises(ConfigError, match=r"neither a folder of EmoBox's nor a \.jsonl list"):
        load(savee / "label_map.json")
