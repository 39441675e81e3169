"""What the page says of the data: who says what how often, how long, and what was left out."""

import csv
import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict, cast

import numpy as np

from raysearch.errors import UserError
from raysearch.run_folder import RunFolder

__all__ = ["DataPart", "DroppedKind", "DurationBin", "SpeakerRow", "data_part", "paths_of"]

NUM_BINS = 24
SIDES = ("train", "validation", "test")


class DroppedKind(TypedDict):
    """Files that are no utterances, for one kind of reason; ``example`` is one of their names."""

    reason: str
    count: int
    example: str


@dataclass(frozen=True, slots=True)
class SpeakerRow:
    """A speaker: on which side, and the number of utterances of each emotion, in their order."""

    speaker: str
    side: str
    counts: list[int]


@dataclass(frozen=True, slots=True)
class DurationBin:
    """Utterances of ``start_s`` to ``end_s`` seconds, by side in the order of ``sides``."""

    start_s: float
    end_s: float
    counts: list[int]


@dataclass(frozen=True, slots=True)
class DataPart:
    """Everything that the page draws of the data.

    Attributes:
        sides: those that there are, ``left out`` included.
        totals: utterances of each side.
        hours: of all utterances whose duration is known.
        emotions: the columns of the speakers' counts; empty for a run of an earlier version.
        audit: its lines; the first one is the verdict.
    """

    corpus: str
    protocol: str
    fold: int
    sides: list[str]
    totals: list[int]
    hours: float
    emotions: list[str]
    speakers: list[SpeakerRow]
    durations: list[DurationBin]
    audit: list[str]
    dropped: list[DroppedKind]


class _Record(TypedDict):
    audit: list[str]
    dropped: list[DroppedKind]


def data_part(run: RunFolder) -> DataPart | None:
    """Gather what ``splits.csv`` and ``data.json`` say of the data.

    Returns:
        None before a search has divided its data.

    Raises:
        UserError: a file is damaged.
    """
    rows = _rows(run.splits_file)
    if not rows:
        return None
    spec, record = run.spec(), _record(run.data_file)
    found = Counter(row["split"] for row in rows)
    sides = [side for side in (*SIDES, "left out") if found[side]]
    seconds = [float(row.get("duration_s") or 0) for row in rows]
    return DataPart(
        corpus=spec.corpus.name,
        protocol=spec.protocol.name,
        fold=spec.protocol.fold,
        sides=sides,
        totals=[found[side] for side in sides],
        hours=round(sum(seconds) / 3600, 3),
        emotions=_emotions(rows),
        speakers=_speakers(rows),
        durations=_durations(rows, sides),
        audit=record["audit"],
        dropped=record["dropped"],
    )


def paths_of(run: RunFolder) -> dict[str, Path]:
    """Where the recording of each utterance was when the search began."""
    return {
        row["utterance"]: Path(row["path"]) for row in _rows(run.splits_file) if row.get("path")
    }


def _rows(path: Path) -> list[dict[str, str]]:
    if not path.is_file():
        return []
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        return [row for row in rows if row["split"] and row["speaker"]]
    except (ValueError, KeyError, csv.Error) as error:
        raise UserError(f"{path}: not the splits of a run ({error!r}); resume the run") from None


def _record(path: Path) -> _Record:
    if not path.is_file():
        return {"audit": [], "dropped": []}
    try:
        return cast("_Record", json.loads(path.read_text(encoding="utf-8")))
    except ValueError as error:
        raise UserError(f"{path}: not JSON ({error}); resume the run") from None


def _emotions(rows: list[dict[str, str]]) -> list[str]:
    return sorted({row["emotion"] for row in rows if row.get("emotion")})


def _speakers(rows: list[dict[str, str]]) -> list[SpeakerRow]:
    """A row a speaker and side: under the paper's protocol a speaker is on several."""
    emotions = _emotions(rows)
    counts: dict[tuple[str, str], Counter[str]] = {}
    for row in rows:
        counts.setdefault((row["split"], row["speaker"]), Counter())[row.get("emotion") or ""] += 1
    order = {side: n for n, side in enumerate((*SIDES, "left out"))}
    return [
        SpeakerRow(speaker, side, [found[emotion] for emotion in emotions])
        for (side, speaker), found in sorted(counts.items(), key=lambda i: (order[i[0][0]], i[0]))
    ]


def _durations(rows: list[dict[str, str]], sides: list[str]) -> list[DurationBin]:
    known = [(float(row["duration_s"]), row["split"]) for row in rows if row.get("duration_s")]
    if not known:
        return []
    seconds = np.array([one for one, _ in known])
    # The few longest would leave the others no room: they are counted in the last bin.
    end = float(np.quantile(seconds, 0.995))
    edges = np.linspace(0, max(end, 0.1), NUM_BINS + 1)
    bin_N = np.clip(np.digitize(seconds, edges) - 1, 0, NUM_BINS - 1)
    bins = []
    for n in range(NUM_BINS):
        inside = Counter(side for (_, side), b in zip(known, bin_N, strict=True) if b == n)
        counts = [inside[side] for side in sides]
        bins.append(DurationBin(round(edges[n], 3), round(edges[n + 1], 3), counts))
    return bins
