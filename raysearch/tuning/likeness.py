"""Measures how alike two corpora are, from the facts that runs keep of their rows."""

import csv
import json
import math
from collections.abc import Iterable
from statistics import fmean

from pydantic import Field, ValidationError

from raysearch.config.base import Config
from raysearch.protocols.splits import Split
from raysearch.run_folder import RunFolder

__all__ = ["DataFacts", "facts_of_run", "facts_of_split", "likeness"]

_SIDES = ("train", "validation")


class DataFacts(Config):
    """What is known of a run's training and validation rows; a null stands for nothing known."""

    labels: tuple[str, ...] | None = Field(None, description="The emotions.")
    languages: tuple[str, ...] | None = Field(None, description="The languages spoken.")
    num_rows: int | None = Field(None, ge=1, description="Utterances.")
    num_speakers: int | None = Field(None, ge=1, description="Whose they are.")
    mean_s: float | None = Field(None, gt=0, description="Mean length of one, in seconds.")


def facts_of_split(split: Split) -> DataFacts:
    """Gather what is known of a split's training and validation rows."""
    rows = (*split.train, *split.validation)
    lengths = [row.duration_s for row in rows if row.duration_s]
    return DataFacts(
        labels=split.labels or None,
        languages=tuple(sorted({row.language for row in rows if row.language})) or None,
        num_rows=len(rows) or None,
        num_speakers=len({row.speaker_anywhere for row in rows}) or None,
        mean_s=fmean(lengths) if lengths else None,
    )


def facts_of_run(run: RunFolder) -> DataFacts:
    """Read what a run tells of its data: ``run.json``, or the other files of an older run."""
    try:
        return DataFacts.model_validate(run.info()["data"])
    except (OSError, KeyError, TypeError, ValueError):
        pass
    learned = [line for line in _lines(run) if line.get("split") in _SIDES]
    speakers = {line.get("speaker") for line in learned}
    try:
        return DataFacts(
            labels=_labels(run), num_rows=len(learned) or None, num_speakers=len(speakers) or None
        )
    except ValidationError:  # labels.json holds something else
        return DataFacts()


def likeness(one: DataFacts, other: DataFacts) -> float:
    """Compare two corpora: 0 if nothing is alike or known, 1 if all that is known is.

    The mean of up to five parts: the emotions, and the languages, that both have, of those that
    either has (Jaccard's index); and 1 / (1 + |log(a / b)|) of their numbers of rows and of
    speakers and of the mean length of an utterance: 1 if equal, 0.59 if one is double the other.
    """
    shared = [_shared(one.labels, other.labels), _shared(one.languages, other.languages)]
    sizes = [
        _near(one.num_rows, other.num_rows),
        _near(one.num_speakers, other.num_speakers),
        _near(one.mean_s, other.mean_s),
    ]
    known = [part for part in (*shared, *sizes) if part is not None]
    return fmean(known) if known else 0.0


def _shared(one: Iterable[str] | None, other: Iterable[str] | None) -> float | None:
    if one is None or other is None:
        return None
    return len({*one} & {*other}) / len({*one, *other})


def _near(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else 1 / (1 + abs(math.log(one / other)))


def _labels(run: RunFolder) -> object:
    try:
        return json.loads((run.best / "labels.json").read_text(encoding="utf-8")) or None
    except (OSError, ValueError):
        return None


def _lines(run: RunFolder) -> list[dict[str, str]]:
    """The lines of ``splits.csv``; none if it cannot be read."""
    try:
        with run.splits_file.open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))
    except (OSError, ValueError, csv.Error):
        return []
