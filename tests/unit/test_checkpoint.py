import json
from pathlib import Path

import pytest
import torch
from torch import nn

from raysearch import published_folder
from raysearch.errors import DataError
from raysearch.training import checkpoint


def writer(text: str):  # type: ignore[no-untyped-def]
    def write(stage: Path) -> None:
        (stage / "a.txt").write_text(text)
        checkpoint.save_tensors(stage / "w.safetensors", {"w": torch.arange(3.0)})

    return write


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_published_folder_is_whole_and_alone(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "last"
    published_folder.publish(target, writer("one"))
    published_folder.verify(target)
    assert names(target) == ["a.txt", "manifest.json", "w.safetensors"]
    assert names(target.parent) == ["last"]
    published_folder.publish(target, writer("two"))
    published_folder.verify(target)
    assert (target / "a.txt").read_text() == "two"
    assert names(target.parent) == ["last"]


@pytest.mark.parametrize("where", ["write", "guard"])
def test_a_failure_leaves_what_was_there(tmp_path: Path, where: str) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("fenced off")

    target = tmp_path / "last"
    published_folder.publish(target, writer("one"))
    write, guard = (fail, None) if where == "write" else (writer("two"), fail)
    with pytest.raises(RuntimeError, match="fenced off"):
        published_folder.publish(target, write, guard=guard)
    published_folder.verify(target)
    assert (target / "a.txt").read_text() == "one"
    assert names(tmp_path) == ["last"]


def test_the_guard_runs_when_all_is_staged_and_nothing_published(tmp_path: Path) -> None:
    seen: list[list[str]] = []

    def guard() -> None:
        assert not (tmp_path / "last").exists()
        (stage,) = tmp_path.iterdir()
        seen.append(names(stage))

    published_folder.publish(tmp_path / "last", writer("one"), guard=guard)
    assert seen == [["a.txt", "manifest.json", "w.safetensors"]]


def test_leftovers_of_a_killed_process_are_ignored(tmp_path: Path) -> None:
    (tmp_path / ".last.deadbeef.tmp").mkdir()
    (tmp_path / ".last.former").mkdir()
    published_folder.publish(tmp_path / "last", writer("one"))
    published_folder.publish(tmp_path / "last", writer("two"))
    published_folder.verify(tmp_path / "last")
    assert (tmp_path / "last" / "a.txt").read_text() == "two"


def test_a_kill_between_the_two_renames_keeps_the_former(tmp_path: Path) -> None:
    target = tmp_path / "last"
    published_folder.publish(target, writer("one"))
    target.rename(tmp_path / ".last.former")
    published_folder.verify(target)
    assert (target / "a.txt").read_text() == "one"


@pytest.mark.parametrize("damage", ["change", "remove", "no manifest"])
def test_damage_is_found(tmp_path: Path, damage: str) -> None:
    target = tmp_path / "last"
    published_folder.publish(target, writer("one"))
    if damage == "change":
        (target / "a.txt").write_text("One")
    elif damage == "remove":
        (target / "w.safetensors").unlink()
    else:
        (target / "manifest.json").unlink()
    with pytest.raises(DataError, match=str(target)):
        published_folder.verify(target)


def test_a_manifest_cannot_name_files_elsewhere(tmp_path: Path) -> None:
    target = tmp_path / "last"
    published_folder.publish(target, writer("one"))
    (tmp_path / "secret").write_text("x")
    (target / "manifest.json").write_text(json.dumps({"../secret": "0"}))
    with pytest.raises(DataError, match="missing"):
        published_folder.verify(target)


@pytest.mark.parametrize("text", ["", "{", "[]", "\udcff"])
def test_bad_json_is_bad_data(tmp_path: Path, text: str) -> None:
    path = tmp_path / "state.json"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(DataError, match=r"state\.json"):
        published_folder.load_json(path)


def test_a_pickle_is_refused(tmp_path: Path) -> None:
    torch.save({"w": torch.zeros(2)}, tmp_path / "w.safetensors")
    with pytest.raises(DataError, match="safetensors"):
        checkpoint.load_tensors(tmp_path / "w.safetensors")
    with pytest.raises(DataError, match="safetensors"):
        checkpoint.load_tensors(tmp_path / "absent.safetensors")


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        ({"weight": torch.zeros(2, 3)}, "'bias' is missing"),
        ({"weight": torch.zeros(2, 3), "bias": torch.zeros(2), "x": torch.zeros(1)}, "'x' belongs"),
        ({"weight": torch.zeros(9, 3), "bias": torch.zeros(2)}, r"\(9, 3\), .* \(2, 3\)"),
    ],
)
def test_weights_of_another_model_are_refused(
    tensors: dict[str, torch.Tensor], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        checkpoint.load_weights(nn.Linear(3, 2), tensors, "best.safetensors")
