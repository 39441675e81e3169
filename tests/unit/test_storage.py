"""Objects, ledgers, folders and corpora in a store by URL."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from raysearch.corpora.corpus_table import CorpusConfig
from raysearch.errors import (
    ConfigError,
    DataError,
    InfrastructureError,
    MissingPathError,
    UserError,
)
from raysearch.ledger import read
from raysearch.published_folder import publish
from raysearch.storage import folders
from raysearch.storage.corpora import fetch_file, read_corpus, send_files
from raysearch.storage.folders import fetch_folder, forget_folders, send_folder, sweep_folders
from raysearch.storage.objects import ObjectStore
from raysearch.storage.replica import display_path, open_storage, replica_of
from raysearch.storage.segments import SegmentLedger, fetch_ledger


@pytest.fixture(params=["s3", "file"])
def objects(request, tmp_path):
    if request.param == "file":
        return ObjectStore(f"file://{tmp_path}/objects")
    return ObjectStore(f"{request.getfixturevalue('bucket')}/{tmp_path.name}")


def test_objects_are_written_read_listed_and_removed(objects):
    assert objects.read("a/b") is None
    objects.write("a/b", b"one")
    objects.write("a/b", b"two")
    objects.write("a/c/d", b"three")
    assert objects.read("a/b").data == b"two"
    assert objects.keys("a") == ["a/b", "a/c/d"]
    assert objects.keys("nothing") == []
    objects.delete(["a/b"])
    assert objects.keys("a") == ["a/c/d"]


def test_an_object_is_created_once(objects):
    assert objects.create("one", b"first")
    assert objects.create("one", b"second") is None
    assert objects.read("one").data == b"first"


def test_only_one_of_many_creates_an_object(tmp_path):
    objects, made, ready = ObjectStore(f"file://{tmp_path}/objects"), [], threading.Barrier(8)

    def create(number):
        ready.wait()
        if objects.create("one", str(number).encode()):
            made.append(number)

    threads = [threading.Thread(target=create, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1
    assert objects.read("one").data == str(made[0]).encode()


def append(ledger, event, number=0, **data):
    return ledger.append(event, trial="ab", number=number, attempt=1, **data)


def test_segments_give_the_ledger_back_on_another_machine(objects, tmp_path):
    ledger = SegmentLedger.open(tmp_path / "one.jsonl", 1, objects, "run")
    append(ledger, "started", config={})
    for epoch in range(1, 4):
        append(ledger, "epoch", epoch=epoch, metrics={"val_uar": epoch / 10})
    append(ledger, "completed", sync=True)
    ledger.close()
    fetch_ledger(objects, "run", tmp_path / "two.jsonl")
    assert (tmp_path / "two.jsonl").read_bytes() == (tmp_path / "one.jsonl").read_bytes()
    again = SegmentLedger.open(tmp_path / "three.jsonl", 2, objects, "run")
    assert append(again, "started", number=1, config={}).seq == 6
    again.close()
    fetch_ledger(objects, "run", tmp_path / "two.jsonl")
    assert [event.fence for event in read(tmp_path / "two.jsonl")] == [1] * 5 + [2]


def test_two_drivers_cannot_both_write_what_comes_next(objects, tmp_path):
    one = SegmentLedger.open(tmp_path / "one.jsonl", 1, objects, "run")
    two = SegmentLedger.open(tmp_path / "two.jsonl", 1, objects, "run")
    append(one, "started", config={})
    one.flush()
    append(two, "started", config={})
    with pytest.raises(InfrastructureError, match="another driver has written"):
        two.flush()


def test_a_missing_segment_is_named(objects, tmp_path):
    ledger = SegmentLedger.open(tmp_path / "one.jsonl", 1, objects, "run")
    for number in range(3):
        append(ledger, "started", number=number, config={})
        ledger.flush()
    ledger.close()
    objects.delete(["run/ledger/000000002.jsonl"])
    with pytest.raises(DataError, match=r"000000003.jsonl: event 3, expected 2"):
        fetch_ledger(objects, "run", tmp_path / "two.jsonl")


def published(folder, **files):
    def write(stage):
        for name, text in files.items():
            (stage / name).write_text(text)

    publish(folder, write)
    return folder


def test_folders_come_back_whole_and_share_content(objects, tmp_path):
    first = published(tmp_path / "e1", best="same", last="one")
    second = published(tmp_path / "e2", best="same", last="two")
    for folder in (first, second):
        send_folder(objects, folder, f"run/checkpoints/0000/{folder.name}")
    assert len(objects.keys("run/checkpoints/0000/objects")) == 3
    assert fetch_folder(objects, "run/checkpoints/0000/e2", tmp_path / "back" / "e2")
    assert (tmp_path / "back" / "e2" / "last").read_text() == "two"
    forget_folders(objects, "run/checkpoints/0000", ["e1"])
    assert len(objects.keys("run/checkpoints/0000/objects")) == 2
    assert not fetch_folder(objects, "run/checkpoints/0000/e1", tmp_path / "back" / "e1")
    assert not (tmp_path / "back" / "e1").exists()
    forget_folders(objects, "run/checkpoints/0000", ["e2"])
    assert objects.keys("run/checkpoints/0000") == []


def test_what_is_half_sent_outlives_a_removal_and_is_swept(objects, tmp_path):
    family = "run/checkpoints/0000"
    for name in ("e1", "e2", "e3"):
        send_folder(objects, published(tmp_path / name, best="same", last=name), f"{family}/{name}")
    objects.delete([f"{family}/e3.json"])  # its content is there, its manifest on the way
    manifest = (tmp_path / "e3" / "manifest.json").read_bytes()
    forget_folders(objects, family, ["e1"])
    objects.write(f"{family}/e3.json", manifest)
    assert fetch_folder(objects, f"{family}/e3", tmp_path / "back" / "e3")
    objects.delete([f"{family}/e3.json"])
    sweep_folders(objects, "run/checkpoints", {f"{family}/e2"})
    assert len(objects.keys(f"{family}/objects")) == 2
    assert fetch_folder(objects, f"{family}/e2", tmp_path / "back" / "e2")
    sweep_folders(objects, "run/checkpoints", set())
    assert objects.keys("run") == []


def test_a_checkpoint_whose_content_is_missing_is_damaged(objects, tmp_path):
    send_folder(objects, published(tmp_path / "e1", best="one"), "c/e1")
    objects.delete(objects.keys("c/objects"))
    with pytest.raises(DataError, match="content of 'best' is missing"):
        fetch_folder(objects, "c/e1", tmp_path / "back" / "e1")
    assert not (tmp_path / "back" / "e1").exists()
    forget_folders(objects, "c", ["e1"])
    assert objects.keys("c") == []


def test_ranks_of_one_node_fetch_the_same_folder_at_once(tmp_path, monkeypatch):
    objects = ObjectStore(f"file://{tmp_path}/objects")
    send_folder(objects, published(tmp_path / "e1", best="right"), "c/e1")
    ready, check = threading.Barrier(2), folders.verify

    def both_checked(folder):
        check(folder)
        ready.wait(timeout=10)

    monkeypatch.setattr(folders, "verify", both_checked)
    with ThreadPoolExecutor(2) as ranks:
        fetched = ranks.map(lambda _: fetch_folder(objects, "c/e1", tmp_path / "b" / "e1"), "01")
        assert list(fetched) == [True, True]
    assert [path.name for path in (tmp_path / "b").iterdir()] == ["e1"]
    assert (tmp_path / "b" / "e1" / "best").read_text() == "right"


def test_damaged_content_is_refused_and_nothing_is_left(objects, tmp_path):
    send_folder(objects, published(tmp_path / "e1", best="right"), "c/e1")
    (key,) = objects.keys("c/objects")
    objects.write(key, b"wrong")
    with pytest.raises(DataError, match="damaged"):
        fetch_folder(objects, "c/e1", tmp_path / "back" / "e1")
    assert list((tmp_path / "back").iterdir()) == []


@pytest.mark.parametrize("url", ["ftp://x/y", "s3://", "file://"])
def test_what_is_no_storage_is_refused(url):
    with pytest.raises(ConfigError, match="no storage: give a folder"):
        ObjectStore(url)


def test_an_absent_bucket_is_one_line(bucket):
    with pytest.raises((InfrastructureError, UserError)) as caught:
        ObjectStore(f"{bucket}-absent/x").check_writable()
    assert len(str(caught.value).splitlines()) == 1


def write_corpus(objects):
    import io

    import numpy as np
    import soundfile

    rng = np.random.default_rng(0)
    for speaker in ("03", "08", "09"):
        for emotion in "WF":
            file = io.BytesIO()
            soundfile.write(file, rng.uniform(-0.1, 0.1, 1600), 16_000, format="WAV")
            objects.write(f"EMO-DB/wav/{speaker}a01{emotion}a.wav", file.getvalue())


def test_a_corpus_by_url_is_read_and_fetched_once(objects, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    write_corpus(objects)
    config = CorpusConfig(name="emodb", data=f"{objects.url}/EMO-DB")
    corpus = read_corpus(config, tmp_path)
    assert len(corpus.utterances) == 6
    assert {u.speaker for u in corpus.utterances} == {"03", "08", "09"}
    files = [Path(u.path) for u in corpus.utterances]
    times = [file.stat().st_mtime_ns for file in files]
    assert read_corpus(config, tmp_path).utterances == corpus.utterances
    assert [file.stat().st_mtime_ns for file in files] == times
    # A node that lacks a file fetches that one.
    files[0].unlink()
    fetch_file(str(files[0]), f"{objects.url}/EMO-DB")
    assert files[0].stat().st_size == files[1].stat().st_size


def test_a_table_in_a_store_names_no_file_of_this_machine(objects, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    secret = tmp_path / "secret.wav"
    secret.write_bytes(b"not theirs")
    columns = "emotion: {scheme_id: emotion}, speaker: {scheme_id: speaker}"
    header = f"tables: {{all: {{type: filewise, columns: {{{columns}}}}}}}\n"
    objects.write("db/db.yaml", header.encode())
    objects.write("db/db.all.csv", f"file,emotion,speaker\n{secret},sad,s1\n".encode())
    config = CorpusConfig(name="audformat", data=f"{objects.url}/db")
    with pytest.raises(ConfigError, match="a file of this machine"):
        read_corpus(config, tmp_path)


def test_audio_inside_the_rows_of_a_dataset_in_a_store(objects, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    audio = pa.array([{"bytes": b"not yet decoded", "path": "/etc/hostname"}], kind)
    table = pa.table({"audio": audio, "emotion": ["sad"], "speaker": ["s1"]})
    pq.write_table(table, tmp_path / "shard.parquet")
    objects.write("hub/train-0.parquet", (tmp_path / "shard.parquet").read_bytes())
    config = CorpusConfig(name="hugging_face", data=f"{objects.url}/hub")
    (row,) = read_corpus(config, tmp_path / "storage").utterances
    assert Path(row.path).is_relative_to(tmp_path / "storage/.corpora")
    assert Path(row.path).read_bytes() == b"not yet decoded"


def test_a_mark_that_came_with_a_folder_sends_nothing(objects, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    theirs = tmp_path / "downloaded"
    theirs.mkdir()
    (theirs / "storage.json").write_text(json.dumps({"url": objects.url}))
    assert replica_of(theirs / "run") is None
    assert display_path(theirs) == str(theirs)
    root = open_storage(objects.url)
    objects.write("run/storage.json", b'{"url": "file:///somewhere/else"}')
    objects.write("run/spec.yaml", b"{}")
    replica = replica_of(root / "run")
    replica.fetch(["run/storage.json", "run/spec.yaml"])
    assert [path.name for path in (root / "run").iterdir()] == ["spec.yaml"]


def test_an_empty_corpus_folder_by_url_is_one_line(objects, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    config = CorpusConfig(name="emodb", data=f"{objects.url}/nothing")
    with pytest.raises(MissingPathError, match="there is nothing"):
        read_corpus(config, tmp_path)


def test_files_that_the_driver_made_are_sent_for_the_nodes(objects, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "driver"))
    root = open_storage(objects.url)
    made = [root / ".corpora" / "demo" / f"{i}.wav" for i in range(3)]
    for file in made:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(file.name.encode())
    assert send_files(map(str, made)) == objects.url
    assert objects.keys(".corpora") == [f".corpora/demo/{i}.wav" for i in range(3)]
    assert send_files([str(tmp_path / "plain.wav")]) == ""
