"""Which checkpoints stay on disk."""

import pytest

from raysearch.errors import StorageRefusedError
from raysearch.ledger import Event
from raysearch.published_folder import former_of
from raysearch.storage.replica import open_storage, replica_of
from raysearch.trial_records import Trials
from raysearch.tuning import checkpoint_keeper as keeper_module
from raysearch.tuning.checkpoint_keeper import CheckpointKeeper


def event(kind, trial, **data):
    return Event(kind, 0, f"t{trial}", trial, 1, 1, 1.0, 0, data)


def ended(number, value):
    """A trial of one epoch with a checkpoint."""
    metrics = {"val_uar": value}
    yield event("started", number, config={"a": number})
    yield event("epoch", number, epoch=1, metrics=metrics, train_s=1.0)
    yield event("checkpoint", number, path=f"checkpoints/t{number}/1-1", epoch=1)
    yield event("completed", number)


def copied(number, source):
    """A trial that repeats the settings of ``source``."""
    yield event("started", number, config={"a": source})
    yield event("completed", number, copied_from=source)


@pytest.fixture
def run(tmp_path):
    events = [*ended(0, 0.5), *ended(1, 0.9), *copied(2, 1), *copied(3, 1), *ended(4, 0.4)]
    for one in events:
        if one.event == "checkpoint":
            (tmp_path / one.data["path"]).mkdir(parents=True)
    return tmp_path, Trials.replay(events, "val_uar")


def test_a_repeated_trial_does_not_take_the_place_of_another(run):
    folder, trials = run
    assert [record.best_value for record in trials.ranked()[:3]] == [0.9] * 3
    CheckpointKeeper(folder, 2).sweep(trials)
    assert sorted(path.name for path in (folder / "checkpoints").iterdir()) == ["t0", "t1"]


def test_what_the_ledger_does_not_know_is_left_while_workers_run(run):
    folder, trials = run
    keeper = CheckpointKeeper(folder, 1)
    for number in (0, 1):
        keeper.add(f"checkpoints/t{number}/1-1")
    keeper.discard(trials)
    assert sorted(path.name for path in (folder / "checkpoints").iterdir()) == ["t1", "t4"]


def test_a_store_that_refuses_for_a_moment_ends_no_search(run, monkeypatch):
    folder, trials = run
    keeper = CheckpointKeeper(folder, 1)
    keeper.add("checkpoints/t0/1-1")
    answers, asked = [StorageRefusedError("may not be removed"), None], []

    def forget(paths):
        asked.append([path.parent.name for path in paths])
        if answer := answers.pop(0):
            raise answer

    monkeypatch.setattr(keeper_module, "forget_published", forget)
    keeper.discard(trials)
    keeper.add("checkpoints/t4/1-1")
    keeper.discard(trials)
    assert asked == [["t0"], ["t0", "t4"]]


def test_removals_are_gathered_while_the_store_is_slow(run, monkeypatch):
    folder, trials = run
    acts, asked = [], []
    keeper = CheckpointKeeper(folder, 1, acts.append)
    monkeypatch.setattr(keeper_module, "forget_published", lambda paths: asked.append(len(paths)))
    for number in range(20):
        keeper.add(f"checkpoints/t{number + 10}/1-1")
        keeper.discard(trials)
    assert len(acts) == 1
    for act in acts:
        act()
    assert asked == [1, 16, 3]


def test_a_damaged_manifest_ends_no_search_and_keeps_no_other(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = open_storage(f"file://{tmp_path}/store") / "run"
    objects = replica_of(folder).objects
    keeper = CheckpointKeeper(folder, 1)
    for name, manifest in {"t0": b"[]", "t1": b"{}"}.items():
        objects.write(f"run/checkpoints/{name}/1-1.json", manifest)
        keeper.add(f"checkpoints/{name}/1-1")
    keeper.discard(Trials("val_uar"))
    assert objects.keys("run") == ["run/checkpoints/t0/1-1.json"]
    asked = []
    monkeypatch.setattr(keeper_module, "forget_published", asked.extend)
    keeper.add("checkpoints/t2/1-1")
    keeper.discard(Trials("val_uar"))
    assert [path.parent.name for path in asked] == ["t2"]
    keeper.sweep(Trials("val_uar"))
    assert objects.keys("run") == []


def test_the_only_copy_of_a_checkpoint_outlives_a_sweep(run):
    """A driver was killed between the two renames of a replacement."""
    folder, trials = run
    kept = folder / "checkpoints" / "t1" / "1-1"
    kept.rename(former_of(kept))
    CheckpointKeeper(folder, 1).sweep(trials)
    assert former_of(kept).is_dir()
    assert not (folder / "checkpoints" / "t4").exists()


@pytest.mark.parametrize(
    "path",
    [
        "checkpoints",
        "checkpoints/t0",
        "checkpoints/t9/linked/inner",
        "checkpoints/t8/1-1",
        "logs/t0/1-1",
        "../beside",
        "checkpoints/../../beside",
        "checkpoints/t0/..",
    ],
)
def test_only_checkpoints_are_removed_whatever_the_ledger_names(run, path):
    folder, trials = run
    outside = folder.parent / "beside"
    outside.mkdir(exist_ok=True)
    (outside / "1-1").mkdir(exist_ok=True)
    (outside / "kept.txt").write_text("mine")
    (folder / "logs" / "t0" / "1-1").mkdir(parents=True)
    (folder / "checkpoints" / "t8").symlink_to(outside)
    (folder / "checkpoints" / "t9").mkdir()
    (folder / "checkpoints" / "t9" / "linked").symlink_to(outside)
    before = sorted(folder.parent.rglob("*"))
    keeper = CheckpointKeeper(folder, 2)
    keeper.add(path)
    keeper.add(str(outside))
    keeper.discard(trials)
    assert sorted(folder.parent.rglob("*")) == before
