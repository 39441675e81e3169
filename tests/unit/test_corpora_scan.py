"""Copies, links, unreadable audio and shuffled labels, on small folders and manifests."""

import hashlib
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from raysearch.corpora.corpus_table import CorpusConfig, load_corpus
from raysearch.corpora.utterance import Corpus


def stem(actor: int, emotion: int, statement: int = 1, repetition: int = 1) -> str:
    return f"03-01-{emotion:02}-01-{statement:02}-{repetition:02}-{actor:02}"


def write(root: Path, name: str, seed: int, rate: int = 16_000) -> Path:
    path = root / f"{name}.wav"
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.random.default_rng(seed).uniform(-0.1, 0.1, 80), rate)
    return path


def load(root: Path, *, shuffle: bool = False) -> Corpus:
    config = CorpusConfig(name="ravdess", data=str(root), shuffle_labels=shuffle)
    return load_corpus(config, root)


def test_hash_rate_and_duration(tmp_path: Path) -> None:
    path = write(tmp_path, stem(1, 1), 0, rate=22_050)
    (row,) = load(tmp_path).utterances
    assert row.content_hash == hashlib.sha256(path.read_bytes()).hexdigest()[:32]
    assert (row.path, row.sample_rate) == (str(path), 22_050)
    assert row.duration_s == pytest.approx(80 / 22_050)


def test_same_bytes_are_dropped_within_a_speaker_only(tmp_path: Path) -> None:
    for actor in (1, 2):
        write(tmp_path, stem(actor, 3), 7)
        write(tmp_path, stem(actor, 3, repetition=2), 7)
        write(tmp_path, stem(actor, 5), 7)
    corpus = load(tmp_path)
    assert [row.id for row in corpus.utterances] == [stem(1, 3), stem(2, 3)]
    reasons = Counter(row.reason for row in corpus.dropped)
    assert reasons == {
        "the same bytes as another utterance of its speaker": 2,
        "the same bytes as another utterance of its speaker, labelled differently": 2,
    }


def test_unreadable_audio_stays_for_quarantine(tmp_path: Path) -> None:
    (tmp_path / f"{stem(1, 1)}.wav").write_bytes(b"no audio")
    write(tmp_path, stem(1, 2), 0)
    broken, whole = load(tmp_path).utterances
    assert (broken.sample_rate, broken.duration_s) == (None, None)
    assert whole.sample_rate == 16_000


def test_readable_copy_wins_over_a_damaged_one(tmp_path: Path) -> None:
    (tmp_path / f"{stem(1, 1)}.wav").write_bytes(b"no audio")
    copy = write(tmp_path / "nested", stem(1, 1), 0)
    corpus = load(tmp_path)
    assert [row.path for row in corpus.utterances] == [str(copy)]
    assert [row.reason for row in corpus.dropped] == ["second copy of an utterance: unreadable"]


def test_links_out_of_the_folder_are_dropped(tmp_path: Path) -> None:
    outside = write(tmp_path / "outside", stem(1, 1), 0)
    root = tmp_path / "root"
    inside = write(root, stem(1, 2), 1)
    (root / f"{stem(1, 1)}.wav").symlink_to(outside)
    (root / f"{stem(1, 3)}.wav").symlink_to(root / "nowhere.wav")
    (root / f"{stem(1, 4)}.wav").symlink_to(inside)
    (root / "linked").symlink_to(tmp_path / "outside")
    corpus = load(root)
    assert [row.id for row in corpus.utterances] == [stem(1, 2)]
    assert {Path(row.path).name: row.reason for row in corpus.dropped} == {
        f"{stem(1, 1)}.wav": "a link that leaves the folder",
        f"{stem(1, 3)}.wav": "a link to nothing",
        f"{stem(1, 4)}.wav": "the same bytes as another utterance of its speaker, "
        "labelled differently",
        "linked": "a linked folder, not followed",
    }


def test_a_name_that_is_not_utf8_can_be_printed(tmp_path: Path) -> None:
    write(tmp_path, stem(1, 1), 0)
    (Path(str(tmp_path)) / b"caf\xe9.wav".decode(errors="surrogateescape")).write_bytes(b"x")
    (dropped,) = load(tmp_path).dropped
    assert dropped.reason == "a name that is not UTF-8"
    assert dropped.path.encode().decode() == dropped.path


@settings(max_examples=25, deadline=None)
@given(
    victims=st.sets(st.integers(1, 8), min_size=1),
    how=st.sampled_from(["garbage", "copy of one's own", "copy of another's"]),
)
def test_a_speakers_audio_changes_no_other_speakers_rows(
    tmp_path_factory: pytest.TempPathFactory, victims: set[int], how: str
) -> None:
    root = tmp_path_factory.mktemp("speakers")
    for actor in (1, 2):
        for emotion in range(1, 9):
            write(root, stem(actor, emotion), 100 * actor + emotion)
    before = [row for row in load(root).utterances if row.speaker == "01"]
    contents = {
        "garbage": b"garbage",
        "copy of one's own": (root / f"{stem(2, 8)}.wav").read_bytes(),
        "copy of another's": (root / f"{stem(1, 1)}.wav").read_bytes(),
    }
    for emotion in victims:
        (root / f"{stem(2, emotion)}.wav").write_bytes(contents[how])
    for shuffle in (False, True):
        rows = [row for row in load(root, shuffle=shuffle).utterances if row.speaker == "01"]
        assert [replace(row, emotion="") for row in rows] == [
            replace(row, emotion="") for row in before
        ]
        assert shuffle or rows == before


def test_shuffled_labels_stay_with_their_speaker(tmp_path: Path) -> None:
    for actor in (1, 2, 3):
        for emotion in range(1, 9):
            for repetition in range(1, 1 + actor % 2 + 1):
                name = stem(actor, emotion, repetition=repetition)
                write(tmp_path, name, 1_000 * actor + 10 * emotion + repetition)
    plain, shuffled = load(tmp_path), load(tmp_path, shuffle=True)
    assert shuffled == load(tmp_path, shuffle=True)
    pairs = list(zip(plain.utterances, shuffled.utterances, strict=True))
    assert all(replace(a, emotion="") == replace(b, emotion="") for a, b in pairs)
    assert sum(a.emotion == b.emotion for a, b in pairs) < len(pairs) / 2
    for corpus in (plain, shuffled):
        counts = Counter((row.speaker, row.emotion) for row in corpus.utterances)
        assert set(counts.values()) == {1, 2}
        assert counts == Counter((row.speaker, row.emotion) for row in plain.utterances)


def test_another_speakers_labels_do_not_move_the_shuffle(tmp_path: Path) -> None:
    for actor in (1, 2):
        for emotion in range(1, 9):
            write(tmp_path, stem(actor, emotion), 100 * actor + emotion)
    before = [row for row in load(tmp_path, shuffle=True).utterances if row.speaker == "01"]
    (tmp_path / f"{stem(2, 1)}.wav").rename(tmp_path / f"{stem(2, 2, repetition=2)}.wav")
    after = [row for row in load(tmp_path, shuffle=True).utterances if row.speaker == "01"]
    assert after == before
