"""Ledgers of long searches in a store: few requests, whoever writes or dies meanwhile."""

import obstore
import pytest

from raysearch.errors import InfrastructureError
from raysearch.ledger import read
from raysearch.run_folder import RunFolder
from raysearch.spec import SearchSpec
from raysearch.storage import object_lease as lease_module
from raysearch.storage import segments as segments_module
from raysearch.storage.mirror import fetch_changed
from raysearch.storage.objects import ObjectStore
from raysearch.storage.replica import open_storage
from raysearch.storage.run_storage import existing_run
from raysearch.storage.segments import SegmentLedger, fetch_ledger
from raysearch.storage.two_kinds import storage_of

NUM_FLUSHES = 300


@pytest.fixture
def objects(tmp_path):
    return ObjectStore(f"file://{tmp_path}/objects")


@pytest.fixture
def requests(monkeypatch):
    """What is asked of the store, in order."""
    asked = []

    def counted(name):
        act = getattr(obstore, name)

        def ask(*arguments, **options):
            asked.append(name)
            return act(*arguments, **options)

        return ask

    for name in ("get", "put", "list", "head", "delete"):
        monkeypatch.setattr(obstore, name, counted(name))
    return asked


def opened(objects, path, fence=1):
    objects.write("run/lease.json", lease_module._content(fence))
    return SegmentLedger.open(path, fence, objects, "run")


def start(ledger, *numbers):
    """Each is sent at once, in a segment of its own."""
    for number in numbers:
        ledger.append("started", trial=f"{number}", number=number, attempt=1, config={})
        ledger.flush()


def numbers(objects, path):
    fetch_ledger(objects, "run", path)
    return [event.number for event in read(path)]


def test_a_long_ledger_is_read_by_few_requests(objects, tmp_path, requests):
    ledger = opened(objects, tmp_path / "one.jsonl")
    start(ledger, *range(NUM_FLUSHES))
    requests.clear()
    assert numbers(objects, tmp_path / "there" / "two.jsonl") == list(range(NUM_FLUSHES))
    assert len(requests) < 30
    requests.clear()
    start(ledger, NUM_FLUSHES)
    requests.clear()
    fetch_ledger(objects, "run", tmp_path / "there" / "two.jsonl")
    assert requests == ["list", "get"], "what is unchanged is not fetched again"


def test_what_became_of_a_long_search_is_read_by_few_requests(tmp_path, monkeypatch, requests):
    url = f"file://{tmp_path}/objects"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "driver"))
    run = RunFolder(open_storage(url) / "run")
    run.open(SearchSpec.load("emohrnet"), resume=False)
    for number in range(30):
        curves = run.root / "tensorboard" / f"{number:04d}" / "events"
        curves.parent.mkdir(parents=True)
        curves.write_bytes(b"curves")
    storage_of(run.root).sync(run.root).send()
    start(opened(ObjectStore(url), run.ledger_file), *range(NUM_FLUSHES))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "desk"))
    requests.clear()
    assert len(existing_run(f"{url}/run").trials().records) == NUM_FLUSHES
    assert len(requests) < 30


def test_a_large_segment_stays_and_the_next_is_begun(objects, tmp_path, monkeypatch):
    monkeypatch.setattr(segments_module, "LARGE_BYTES", 4_000)
    start(opened(objects, tmp_path / "one.jsonl"), *range(100))
    united = [key for key in objects.keys("run/ledger") if "-" in key]
    assert len(united) > 2
    assert numbers(objects, tmp_path / "there" / "two.jsonl") == list(range(100))


def test_the_next_driver_unites_what_it_finds(objects, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(segments_module, "MOST_SMALL", 1_000)
        start(opened(objects, tmp_path / "one.jsonl"), *range(40))
    assert len(objects.keys("run/ledger")) == 40
    start(opened(objects, tmp_path / "b" / "two.jsonl", fence=2), *range(40, 45))
    assert len(objects.keys("run/ledger")) == 1 + 5
    assert numbers(objects, tmp_path / "there" / "three.jsonl") == list(range(45))


def test_a_driver_that_dies_before_the_parts_are_gone_leaves_no_line_twice(
    objects, tmp_path, monkeypatch
):
    monkeypatch.setattr(ObjectStore, "delete", away)
    start(opened(objects, tmp_path / "one.jsonl"), *range(30))
    assert len(objects.keys("run/ledger")) > 30
    assert numbers(objects, tmp_path / "there" / "two.jsonl") == list(range(30))


def away(*_):
    raise InfrastructureError("the store is away")


def test_a_reader_begins_anew_if_segments_are_united_under_it(objects, tmp_path, monkeypatch):
    ledger = opened(objects, tmp_path / "one.jsonl")
    start(ledger, *range(11))
    listed = ObjectStore.tags

    def then_united(self, prefix):
        monkeypatch.undo()
        tags = listed(self, prefix)
        start(ledger, 11)
        return tags

    monkeypatch.setattr(ObjectStore, "tags", then_united)
    assert numbers(objects, tmp_path / "there" / "two.jsonl") == list(range(12))


def test_a_replaced_driver_unites_nothing(objects, tmp_path):
    stale = opened(objects, tmp_path / "one.jsonl")
    start(stale, *range(11))
    living = opened(objects, tmp_path / "b" / "two.jsonl", fence=2)
    start(living, 11)
    before = objects.keys("run/ledger")
    stale._unite()
    assert objects.keys("run/ledger") == before


def test_what_was_changed_here_is_fetched_again(objects, tmp_path):
    objects.write("run/a", b"theirs")
    file, record = tmp_path / "a", tmp_path / "record.json"

    def fetch():
        return fetch_changed(objects, objects.tags("run"), lambda key: file, record)

    assert fetch() == []
    file.write_bytes(b"ours, by hand")
    assert fetch() == []
    assert file.read_bytes() == b"theirs"
    assert fetch_changed(objects, {"run/b": ("1", None)}, lambda key: tmp_path / "b", record) == [
        "run/b"
    ]
