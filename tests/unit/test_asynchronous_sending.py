"""The driver decides and goes on: what its storage takes to answer holds no trial up."""

import hashlib
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import obstore
import pytest
from fake_slots import FakeSearch, small_spec

from raysearch.errors import InfrastructureError
from raysearch.ledger import read
from raysearch.published_folder import MANIFEST
from raysearch.storage import object_lease as lease_module
from raysearch.storage import outbox as outbox_module
from raysearch.storage.objects import ObjectStore
from raysearch.storage.outbox import Outbox
from raysearch.storage.replica import open_storage, replica_of
from raysearch.storage.run_storage import send_published
from raysearch.storage.segments import fetch_ledger

# Of a prune: the fence and the segment; what the trial left, listed and removed; a few united.
MOST_FOR_A_PRUNE = 10


def send(folder):
    """As a worker does, in a process of its own."""
    digest = hashlib.sha256((folder / "state.json").read_bytes()).hexdigest()
    (folder / MANIFEST).write_text(json.dumps({"state.json": digest}))
    with ThreadPoolExecutor(1, "worker") as worker:
        worker.submit(send_published, folder).result()


@pytest.fixture
def search(tmp_path, monkeypatch):
    """A search that prunes, kept in a store."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = open_storage(f"file://{tmp_path}/store") / "run"
    replica_of(folder).objects.write("run/lease.json", lease_module._content(1))
    spec = small_spec(search__trials=8, search__reduction_factor=2, search__keep_best=1)
    return FakeSearch(folder, spec, num_slots=2, checkpoint_every=2, send=send)


@pytest.fixture
def requests(monkeypatch):
    """The thread and the kind of each request."""
    asked = []

    def counted(name, act):
        def ask(*arguments, **options):
            asked.append((threading.current_thread().name, name))
            return act(*arguments, **options)

        return ask

    for name in ("get", "put", "list", "head", "delete"):
        monkeypatch.setattr(obstore, name, counted(name, getattr(obstore, name)))
    return asked


def test_the_driver_itself_asks_nothing_of_the_store(search, requests, tmp_path):
    search.train()
    assert threading.current_thread().name not in {thread for thread, _ in requests}
    search.ledger.close()
    assert search.trials.with_status("pruned")
    fetch_ledger(replica_of(search.folder).objects, "run", tmp_path / "there.jsonl")
    assert read(tmp_path / "there.jsonl") == search.events()


def test_a_prune_costs_few_requests(search, requests):
    costs = []
    search.fill()
    while search.slots.workers:
        for slot in sorted(search.slots.workers):
            search.ledger.flush()
            requests.clear()
            before = len(search.trials.with_status("pruned"))
            search.step(slot)
            search.ledger.flush()
            if len(search.trials.with_status("pruned")) > before:
                costs.append(sum(thread == "outbox" for thread, _ in requests))
        search.fill()
    assert costs
    assert max(costs) <= MOST_FOR_A_PRUNE


def test_a_store_that_hangs_holds_no_trial_up(search, monkeypatch):
    answers = threading.Event()
    create = ObjectStore.create

    def hang(self, *arguments):
        assert answers.wait(60)
        return create(self, *arguments)

    monkeypatch.setattr(ObjectStore, "create", hang)
    search.train()
    assert len(search.ends()) == 8
    objects = replica_of(search.folder).objects
    assert objects.keys("run/ledger") == []
    sent = [key for key in objects.keys("run/checkpoints") if key.count("/") == 3]
    assert len(sent) > len(search.checkpoints()), "nothing goes before its successor is named"
    answers.set()
    search.ledger.close()
    left = [key for key in objects.keys("run/checkpoints") if key.count("/") == 3]
    assert [key.removesuffix(".json") for key in left] == [f"run/{c}" for c in search.checkpoints()]


def test_a_store_that_never_answers_ends_the_search(monkeypatch):
    monkeypatch.setattr(outbox_module, "DEADLINE_S", 0.05)
    outbox, answers, never = Outbox(), threading.Event(), []
    outbox.put(answers.wait)
    outbox.put(lambda: never.append(1))
    with pytest.raises(InfrastructureError, match=r"not answered for 0\.05 s"):
        outbox.drain()
    with pytest.raises(InfrastructureError, match=r"not answered for 0\.05 s"):
        outbox.check()
    outbox.close()
    answers.set()
    outbox._thread.join(10)
    assert never == []


def test_after_an_error_nothing_more_is_done():
    outbox, done = Outbox(), []

    def fail():
        raise InfrastructureError("taken over")

    outbox.put(fail)
    outbox.put(lambda: done.append(1))
    for _ in range(2):
        with pytest.raises(InfrastructureError, match="taken over"):
            outbox.drain()
    outbox.close()
    assert done == []


def test_a_long_queue_is_no_store_that_does_not_answer(monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(outbox_module, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    outbox, first, begun, second = Outbox(), threading.Event(), threading.Event(), threading.Event()
    outbox.put(first.wait)
    outbox.put(lambda: (begun.set(), second.wait()))
    clock[0] = 0.9 * outbox_module.DEADLINE_S
    outbox.check()
    first.set()
    assert begun.wait(10)
    clock[0] = 1.8 * outbox_module.DEADLINE_S
    outbox.check()
    second.set()
    outbox.drain()
    outbox.close()


@pytest.mark.parametrize("raised", [ValueError("a mistake"), SystemExit("a mistake")])
def test_whatever_ends_the_sending_is_told(raised):
    outbox = Outbox()

    def fail():
        raise raised

    outbox.put(fail)
    with pytest.raises((ValueError, InfrastructureError), match="a mistake"):
        outbox.drain()


def test_a_driver_that_was_succeeded_removes_nothing(search, tmp_path):
    done = []
    search.ledger.flush()
    replica_of(search.folder).objects.write("run/lease.json", lease_module._content(2))
    search.ledger.after(lambda: done.append(1))
    with pytest.raises(InfrastructureError, match="another driver has it"):
        search.ledger.flush()
    assert done == []


def test_a_ledger_that_is_abandoned_waits_for_nothing(search, monkeypatch):
    answers = threading.Event()
    monkeypatch.setattr(ObjectStore, "create", lambda *_: answers.wait(60))
    search.fill()
    search.ledger.abandon()
    answers.set()
    search.ledger._outbox._thread.join(10)
    assert not search.ledger._outbox._thread.is_alive()
    with pytest.raises(InfrastructureError, match="Bad file descriptor"):
        search.step(0)
