"""The files of one EmoBox dataset: its lists, label map and speakers, read without trust."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from raysearch.corpora.outside_tables import check_size
from raysearch.corpora.sides import SIDES
from raysearch.errors import ConfigError

__all__ = ["Item", "Listing", "items", "label_map", "listings", "stm_speakers"]

# As EmoBox spells them.
_SIDES = ("train", "valid", "test")
_FOLD = re.compile(r"fold_(\d+)")
_STM_ROW = re.compile(r"(\S+) .*?<[^<>]*\bspk=([^,<>]+)[^<>]*>")
# Segments that cut no more than rounding are whole files.
_WHOLE_S = 0.05


@dataclass(frozen=True, slots=True)
class Listing:
    """One list: the fold or split that its rows are in; unused ones only show what is missing."""

    path: Path
    fold: str | None = None
    split: str | None = None
    used: bool = True


@dataclass(frozen=True, slots=True)
class Item:
    """One row of a list; ``place`` is what messages call it."""

    place: str
    key: str
    dataset: str
    wav: str
    emotion: str
    speaker: str | None


def listings(root: Path) -> list[Listing]:
    """The lists that ``root`` stands for: a list, a fold's folder, or a dataset's folder."""
    if root.is_file():
        return [Listing(root)]
    folds = sorted(
        (folder for folder in root.iterdir() if folder.is_dir() and _FOLD.fullmatch(folder.name)),
        key=lambda folder: int(folder.name.removeprefix("fold_")),
    )
    if len(folds) > 1:
        return [one for folder in folds for one in _fold_lists(folder)]
    sides = _sides(folds[0] if folds else root)
    return [Listing(path, split=SIDES[side]) for side, path in sides.items()]


def _fold_lists(folder: Path) -> Iterator[Listing]:
    sides = _sides(folder)
    if "test" not in sides:
        raise ConfigError(f"{folder}: no list such as <dataset>_test_{folder.name}.jsonl")
    for side, path in sides.items():
        yield Listing(path, fold=folder.name.removeprefix("fold_"), used=side == "test")


def _sides(folder: Path) -> dict[str, Path]:
    """The list of each side; an older copy beside it (``..._fold1.jsonl``) is left alone."""
    sides = {}
    for side in _SIDES:
        number = folder.name.removeprefix("fold_")
        for ending in (f"_{side}_fold_{number}", f"_{side}_fold{number}", f"_{side}"):
            found = sorted(folder.glob(f"*{ending}.jsonl"))
            if len(found) > 1:
                raise ConfigError(f"{folder}: two lists, {found[0].name} and {found[1].name}")
            if found:
                sides[side] = found[0]
                break
    return sides


def items(path: Path) -> Iterator[Item]:
    """Read the rows of one list.

    Raises:
        ConfigError: not JSONL, a key missing, features instead of audio, or a part of a file.
    """
    check_size(path)
    try:
        with open(path, encoding="utf-8") as file:
            for number, line in enumerate(file, start=1):
                if line.strip():
                    yield _item(_json(line, f"{path}: line {number}"), f"{path}: line {number}")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not UTF-8 (byte {error.start})") from None


def _item(row: object, place: str) -> Item:
    if not isinstance(row, dict):
        raise ConfigError(f"{place}: expected an object with the keys key, dataset, wav, emo")
    row = {key: value for key, value in row.items() if value is not None}  # null: not given
    texts: dict[str, str] = {}
    for name in ("key", "dataset", "wav", "emo"):
        text = row.get(name)
        if not isinstance(text, str) or not text.strip():
            raise ConfigError(f"{place}: key {name!r} is missing, empty or not text")
        texts[name] = text
    if row.get("type", "raw") != "raw":
        raise ConfigError(f"{place}: type {row['type']!r} is not audio: only 'raw' rows are read")
    _check_whole(row, place)
    speaker = row.get("speaker", row.get("spk"))
    return Item(
        place=place,
        key=texts["key"],
        dataset=texts["dataset"],
        wav=texts["wav"],
        emotion=texts["emo"],
        speaker=str(speaker).strip() or None if isinstance(speaker, str | int) else None,
    )


def _check_whole(row: dict[str, Any], place: str) -> None:
    start, end, length = row.get("start_time", 0), row.get("end_time"), row.get("length")
    numbers = [value for value in (start, end, length) if value is not None]
    if not all(isinstance(value, int | float) for value in numbers):
        raise ConfigError(f"{place}: start_time, end_time and length are seconds")
    cut = end is not None and length is not None and end < length - _WHOLE_S
    if start > _WHOLE_S or cut:
        raise ConfigError(f"{place}: a part of a file; cut the audio into one file a row first")


def _json(text: str, place: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{place}: not JSON ({error})") from None


def label_map(folder: Path) -> dict[str, str] | None:
    """The dataset's ``label_map.json`` (or ``label_dict.json``): code to label; None if absent.

    Raises:
        ConfigError: the file is not a map of text to text.
    """
    for name in ("label_map.json", "label_dict.json"):
        path = folder / name
        if not path.is_file():
            continue
        check_size(path)
        labels = _json(path.read_text(encoding="utf-8", errors="replace"), str(path))
        if isinstance(labels, dict):
            labels = {code: label for code, label in labels.items() if label is not None}
        is_map = isinstance(labels, dict) and all(isinstance(v, str) for v in labels.values())
        if not is_map or not labels:
            raise ConfigError(f"{path}: expected a map of codes to labels")
        return dict(labels)
    return None


def stm_speakers(folder: Path) -> dict[str, str]:
    """Key to speaker, from the dataset's ``data.seg.wrd.stm``; empty if there is none."""
    path = folder / "data.seg.wrd.stm"
    if not path.is_file():
        return {}
    check_size(path)
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    return {m[1]: m[2].strip() for line in lines if (m := _STM_ROW.match(line))}
