"""A Hugging Face dataset: its layouts, columns, own sets, and what is said of what is missing."""

import io
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import soundfile

from raysearch.corpora import embedded_audio
from raysearch.corpora.corpus_table import CorpusConfig, load_corpus
from raysearch.corpora.hugging_face_shards import Shard, batches, shards
from raysearch.corpora.utterance import Corpus
from raysearch.errors import ConfigError, EmptyCorpusError
from raysearch.protocols.folds import own_sides
from raysearch.protocols.protocol_section import ProtocolConfig

sys.path.append(str(Path(__file__).parents[1] / "contract"))
from hugging_face_tree import rows_table, write_arrow, write_parquet

NAMES = ["anger", "neutral"]
SHARD = "data/train-00000-of-00001.parquet"


def audio(seed: int, container: str = "WAV") -> bytes:
    file = io.BytesIO()
    noise = np.random.default_rng(seed).uniform(-0.1, 0.1, 400)
    soundfile.write(file, noise, 16_000, format=container)
    return file.getvalue()


def rows(first: int = 0, **columns: list[object]):
    """Four rows of two speakers, with other columns in place of the usual ones if given."""
    held = [(audio(first + k, kind), None) for k, kind in enumerate(("WAV", "FLAC", "AIFF", "WAV"))]
    usual: dict[str, list[object]] = {"emotion": [0, 1, 0, 1], "speaker_id": ["a", "a", "b", "b"]}
    return rows_table(held, columns or usual, {"emotion": NAMES, "label": NAMES})


def load(root: Path, **options: str) -> Corpus:
    config = CorpusConfig.model_validate({"name": "hugging_face", "data": str(root), **options})
    return load_corpus(config, root.parent / "storage")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "hub"


def test_rows_become_utterances_of_files_with_the_same_bytes(root: Path) -> None:
    write_parquet(root / SHARD, rows())
    corpus = load(root)
    found = [(row.id, row.emotion, row.speaker) for row in corpus.utterances]
    assert found == [
        ("data/train-00000-of-00001/0", "anger", "a"),
        ("data/train-00000-of-00001/1", "neutral", "a"),
        ("data/train-00000-of-00001/2", "anger", "b"),
        ("data/train-00000-of-00001/3", "neutral", "b"),
    ]
    assert [Path(row.path).read_bytes() for row in corpus.utterances] == [
        audio(0, "WAV"),
        audio(1, "FLAC"),
        audio(2, "AIFF"),
        audio(3, "WAV"),
    ]
    assert {(row.sample_rate, row.split) for row in corpus.utterances} == {(16_000, None)}


def test_the_audio_is_written_once_and_again_when_a_shard_changed(root: Path) -> None:
    write_parquet(root / SHARD, rows())
    before = {row.path for row in load(root).utterances}
    times = {path: Path(path).stat().st_mtime_ns for path in before}
    assert {row.path for row in load(root).utterances} == before
    assert {path: Path(path).stat().st_mtime_ns for path in before} == times
    write_parquet(root / SHARD, rows(first=10))
    after = load(root).utterances
    assert not {row.path for row in after} & before
    assert Path(after[0].path).read_bytes() == audio(10)


@pytest.mark.parametrize("folder", ["train", "default/train", ""])
def test_other_layouts(root: Path, folder: str) -> None:
    write_parquet(root / folder / "0000.parquet", rows())
    assert len(load(root).utterances) == 4


def test_a_folder_of_save_to_disk(root: Path) -> None:
    write_arrow(root / "train/data-00000-of-00001.arrow", rows())
    (root / "dataset_dict.json").write_text('{"splits": ["train"]}')
    assert [row.emotion for row in load(root).utterances] == ["anger", "neutral"] * 2


def test_the_columns_that_nemo_has_on_the_hub(root: Path) -> None:
    table = rows(
        file_id=["WR0_surprised_64"] * 4,
        emotion=["surprised", "anger", "fear", "neutral"],
        raw_text=["Ucho wykrywa dźwięki.", "b", "c", "d"],
        speaker_id=["WR0", "WR0", "EB0", "EB0"],
        gender=["male", "male", "female", "female"],
        age=[23, 23, 27, 27],
    )
    write_parquet(root / SHARD, table)
    first = load(root).utterances[0]
    assert (first.emotion, first.speaker, first.sex) == ("surprised", "WR0", "male")
    assert first.text == "Ucho wykrywa dźwięki."


def test_columns_that_the_user_names(root: Path) -> None:
    write_parquet(root / SHARD, rows(mood=["x", "y", "x", "y"], who=[1, 1, 2, 2]))
    corpus = load(root, speaker_column="who", emotion_column="mood")
    assert (corpus.speakers, corpus.emotions) == (("1", "2"), ("x", "y"))
    with pytest.raises(ConfigError, match=r"corpus\.speaker_column: no column 'whom' \(did you"):
        load(root, speaker_column="whom", emotion_column="mood")


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"emotion": [0, 1, 0, 1]}, r"no column names the speaker among audio, emotion: say which"),
        ({"speaker": ["a"] * 4}, r"no column names the emotion among audio, speaker: say which"),
        (
            {"emotion": [0.5] * 4, "speaker": ["a"] * 4},
            r"column 'emotion' is double, and the emotion is text or a whole number: name another",
        ),
    ],
)
def test_missing_columns_are_told_with_the_option(
    root: Path, columns: dict[str, list[object]], message: str
) -> None:
    write_parquet(root / SHARD, rows(**columns))
    with pytest.raises(ConfigError, match=message) as error:
        load(root)
    assert "_column=NAME" in str(error.value)
    assert "\n" not in str(error.value)


def test_rows_without_label_speaker_or_audio_are_counted(root: Path) -> None:
    held = [(audio(0), "0.wav"), (audio(1), "1.wav"), (None, "2.wav"), None, (audio(4), None)]
    columns: dict[str, list[object]] = {
        "label": [-1, 1, 0, 1, 0],
        "speaker": ["a", None, "b", "b", "c"],
    }
    write_parquet(root / SHARD, rows_table(held, columns, {"label": NAMES}))
    corpus = load(root)
    assert [row.speaker for row in corpus.utterances] == ["c"]
    assert Counter(row.reason for row in corpus.dropped) == {
        "a row without an emotion": 1,
        "a row without a speaker": 1,
        "a row without embedded audio": 2,
    }
    assert {row.path.partition(": ")[2] for row in corpus.dropped} == {
        "row 1",
        "row 2",
        "row 3",
        "row 4",
    }


def test_its_own_sets_where_they_are_asked_for(root: Path) -> None:
    for first, name in enumerate(("train", "validation", "test")):
        write_parquet(root / f"data/{name}-00000-of-00001.parquet", rows(first=10 * first))
    assert {row.split for row in load(root).utterances} == {None}
    corpus = load(root, own_split="test")
    sides = own_sides(corpus, ProtocolConfig())
    assert sides is not None
    assert Counter(sides.values()) == {"train": 4, "validation": 4, "test": 4}
    with pytest.raises(ConfigError, match="'train' is no set to test on: the dataset has the sets"):
        load(root, own_split="train")


def test_pointers_in_place_of_shards(root: Path) -> None:
    (root / "data").mkdir(parents=True)
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n"
    (root / SHARD).write_text(pointer)
    with pytest.raises(EmptyCorpusError, match="1 x no Parquet file, but a Git LFS") as error:
        load(root)
    assert "git lfs pull" in str(error.value)


def test_paths_in_place_of_audio(root: Path) -> None:
    columns: dict[str, list[object]] = {"label": [0, 1], "speaker": ["a", "b"]}
    table = rows_table([(None, "/home/me/0.wav"), (None, "1.wav")], columns, {"label": NAMES})
    write_parquet(root / SHARD, table)
    with pytest.raises(EmptyCorpusError, match="2 x a row without embedded audio") as error:
        load(root)
    assert "to_parquet" in str(error.value)


def test_a_table_without_audio(root: Path) -> None:
    write_parquet(root / SHARD, rows().drop_columns(["audio"]))
    with pytest.raises(ConfigError, match=r"no column holds audio .* among emotion, speaker_id"):
        load(root)


def test_a_damaged_shard_leaves_no_half_folder(root: Path) -> None:
    write_parquet(root / SHARD, rows())
    data = (root / SHARD).read_bytes()
    (root / SHARD).write_bytes(data[:4] + b"\xff" * 40 + data[44:])
    with pytest.raises(ConfigError, match=r"train-00000-of-00001\.parquet: damaged"):
        load(root)
    assert not list((root.parent / "storage/.corpora").iterdir())


def test_metadata_of_somebody_else(root: Path) -> None:
    table = rows().replace_schema_metadata({"huggingface": "{"})
    write_parquet(root / SHARD, table)
    with pytest.raises(ConfigError, match="its metadata are not of datasets"):
        load(root)


def test_without_room_it_says_how_much_is_needed(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_parquet(root / SHARD, rows())
    usage = embedded_audio.shutil.disk_usage(root)._replace(free=10)
    monkeypatch.setattr(embedded_audio.shutil, "disk_usage", lambda path: usage)
    with pytest.raises(ConfigError, match=r"needs about 0\.0 GiB, and 0\.0 GiB are free"):
        load(root)


def test_one_row_group_after_the_other(root: Path) -> None:
    num_bytes, noise = 100_000, np.random.default_rng(0)
    held = [(noise.bytes(num_bytes), None) for _ in range(64)]
    write_parquet(root / SHARD, rows_table(held, {"label": [0] * 64}), row_group_size=2)
    (shard,) = shards(root)
    assert isinstance(shard, Shard)
    before = pa.total_allocated_bytes()
    most = max(pa.total_allocated_bytes() - before for _ in batches(shard, ["audio"]))
    assert 0 < most < len(held) * num_bytes / 4
