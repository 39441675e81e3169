"""A run as tables: its trials, epochs, events, test predictions and splits, column by column."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from raysearch.errors import DataError, first_line
from raysearch.ledger import Event
from raysearch.ledger_events import EpochDone
from raysearch.run_folder import RunFolder
from raysearch.trial_records import TrialRecord, Trials

__all__ = ["ABOUT", "RunTable", "run_tables"]

# Microseconds since 1970, UTC.
_TIME = pa.timestamp("us")
Cells = Sequence[object]

_TRIALS: dict[str, tuple[pa.DataType, str]] = {
    "number": (pa.int64(), "the proposal's number, from 0"),
    "trial": (pa.string(), "its identity: 12 hex digits of its settings"),
    "status": (pa.string(), "running, paused, completed, pruned or failed"),
    "best": (pa.float64(), "the objective's best value, as the metric itself"),
    "best_epoch": (pa.int64(), "where it had that"),
    "epochs": (pa.int64(), "epochs that count"),
    "train_s": (pa.float64(), "seconds of training and validation in them"),
    "params": (pa.int64(), "parameters of its model"),
    "started": (_TIME, "when it was proposed, UTC"),
    "ended": (_TIME, "when it ended, UTC"),
    "attempts": (pa.int64(), "starts so far"),
    "pauses": (pa.int64(), "how often it paused"),
    "slot": (pa.int64(), "the worker group that had it last"),
    "published": (pa.bool_(), "whether its settings are the published ones"),
    "own": (pa.bool_(), "whether its settings are the space's own"),
    "copied_from": (pa.int64(), "the trial of equal settings whose outcome it has"),
    "seed": (pa.int64(), "its own"),
    "reason": (pa.string(), "why it ended"),
    "checkpoint": (pa.string(), "its last one, below the run's folder"),
    "checkpoint_bytes": (pa.int64(), "the size of that"),
}
_EPOCHS: dict[str, tuple[pa.DataType, str]] = {
    "number": (pa.int64(), "of the trial"),
    "epoch": (pa.int64(), "from 1"),
    "attempt": (pa.int64(), "the start of the trial that trained it"),
    "counts": (pa.bool_(), "false if a later attempt trained it again"),
    "time": (_TIME, "when it was reported, UTC"),
    "train_s": (pa.float64(), "seconds of training and validation"),
    "slot": (pa.int64(), "the worker group"),
    "workers": (pa.int64(), "ranks, where their number may change"),
}
_EVENTS: dict[str, tuple[pa.DataType, str]] = {
    "seq": (pa.int64(), "rises by one over the whole ledger"),
    "event": (
        pa.string(),
        "started, epoch, checkpoint, paused, resumed, completed, pruned, failed; steered: what"
        " somebody asked of the search while it ran",
    ),
    "number": (pa.int64(), "of the trial; -1 where steered, which is the whole search's"),
    "trial": (pa.string(), "its identity; search where steered"),
    "attempt": (pa.int64(), "starts of the trial so far"),
    "fence": (pa.int64(), "of the driver that wrote it; each resumption has a higher one"),
    "time": (_TIME, "UTC"),
    "slot": (pa.int64(), "the worker group, where one has the trial"),
    "data": (pa.string(), "what else the line holds, as JSON"),
}
_PREDICTIONS: dict[str, tuple[pa.DataType, str]] = {
    "mode": (pa.string(), "fold, nested, reuse-settings or paper"),
    "utterance": (pa.string(), "its id"),
    "corpus": (pa.string(), "where it is from"),
    "speaker": (pa.string(), "who speaks"),
    "emotion": (pa.string(), "the true class"),
    "predicted": (pa.string(), "what the model says"),
    "fold": (pa.int64(), "the outer fold that it is tested in"),
    "seed": (pa.int64(), "of the training"),
}
_SPLITS: dict[str, tuple[pa.DataType, str]] = {
    "utterance": (pa.string(), "its id"),
    "speaker": (pa.string(), "who speaks"),
    "fold": (pa.int64(), "the outer fold"),
    "split": (pa.string(), "train, validation or test"),
    "emotion": (pa.string(), "the label"),
    "duration_s": (pa.float64(), "seconds, by the header"),
    "path": (pa.string(), "where the recording was when the search began"),
}
ABOUT = {
    "trials": "one row a trial, with a column a searched field: model.width is model_width",
    "epochs": "one row an epoch that was trained, with a column a metric",
    "events": "one row a line of the ledger",
    "predictions": "one row a test utterance and training; none before the run is evaluated",
    "splits": "one row an utterance of the searched fold",
}


@dataclass(frozen=True, slots=True)
class RunTable:
    """One table of a run.

    Attributes:
        data: its rows.
        about: of each column what it holds; of some nothing needs to be said.
    """

    data: pa.Table
    about: Mapping[str, str]


def run_tables(run: RunFolder) -> dict[str, RunTable]:
    """Read the tables of a run, as it is now, by the names in ``ABOUT``.

    Raises:
        DataError: a file of the run is damaged.
        UserError: its settings cannot be read.
    """
    events = run.events()
    trials = Trials.replay(events, run.spec().search.objective)
    return {
        "trials": _trials(list(trials.records.values())),
        "epochs": _epochs(events, trials),
        "events": _events(events),
        "predictions": _predictions(run.root),
        "splits": _splits(run.splits_file),
    }


def _trials(records: Sequence[TrialRecord]) -> RunTable:
    columns: dict[str, Cells] = {
        "number": [r.number for r in records],
        "trial": [r.trial for r in records],
        "status": [r.status for r in records],
        "best": [r.best_metric for r in records],
        "best_epoch": [r.best_epoch for r in records],
        "epochs": [len(r.epochs) for r in records],
        "train_s": [r.train_s for r in records],
        "params": [_params(r) for r in records],
        "started": [_time(r.started) for r in records],
        "ended": [_time(r.ended) for r in records],
        "attempts": [r.attempts for r in records],
        "pauses": [r.pauses for r in records],
        "slot": [r.slot for r in records],
        "published": [r.published for r in records],
        "own": [r.is_own for r in records],
        "copied_from": [r.copied_from for r in records],
        "seed": [r.details.get("seed") for r in records],
        "reason": [r.reason for r in records],
        "checkpoint": [r.checkpoint[0] if r.checkpoint else None for r in records],
        "checkpoint_bytes": [r.checkpoint_bytes or None for r in records],
    }
    searched = dict.fromkeys(key for record in records for key in record.config)
    named = {key: key.replace(".", "_") for key in searched}
    fields = {
        name: _of_any([record.config.get(key) for record in records])
        for key, name in named.items()
        if name not in columns
    }
    about = {name: f"{key} of its settings" for key, name in named.items()}
    return _table(_TRIALS, columns, fields, about)


def _epochs(events: Sequence[Event], trials: Trials) -> RunTable:
    done = [(event, event.told(EpochDone)) for event in events if event.event == "epoch"]
    columns: dict[str, Cells] = {
        "number": [event.number for event, _ in done],
        "epoch": [told.epoch for _, told in done],
        "attempt": [event.attempt for event, _ in done],
        "counts": [_counts(event, told.epoch, trials) for event, told in done],
        "time": [_time(event.time) for event, _ in done],
        "train_s": [told.train_s for _, told in done],
        "slot": [event.slot for event, _ in done],
        "workers": [told.workers for _, told in done],
    }
    metrics = dict.fromkeys(name for _, told in done for name in told.metrics)
    values = {
        name: pa.array([told.metrics.get(name) for _, told in done], pa.float64())
        for name in metrics
        if name not in columns
    }
    return _table(_EPOCHS, columns, values, {})


def _events(events: Sequence[Event]) -> RunTable:
    columns: dict[str, Cells] = {
        "seq": [event.seq for event in events],
        "event": [event.event for event in events],
        "number": [event.number for event in events],
        "trial": [event.trial for event in events],
        "attempt": [event.attempt for event in events],
        "fence": [event.fence for event in events],
        "time": [_time(event.time) for event in events],
        "slot": [event.slot for event in events],
        "data": [json.dumps(dict(event.data)) for event in events],
    }
    return _table(_EVENTS, columns, {}, {})


def _predictions(folder: Path) -> RunTable:
    tables = [_empty(_PREDICTIONS)]
    for path in sorted(folder.glob("predictions-*.parquet")):
        try:
            table = pq.read_table(path)
        except (OSError, pa.ArrowException) as error:
            raise DataError(f"{path}: cannot be read: {first_line(error)}") from None
        mode = path.stem.removeprefix("predictions-")
        tables.append(table.append_column("mode", pa.array([mode] * len(table), pa.string())))
    whole = pa.concat_tables(tables, promote_options="permissive")
    about = {name: text for name, (_, text) in _PREDICTIONS.items()}
    for name in whole.column_names:
        if name not in about and name.startswith("p_"):
            about[name] = "the probability of this class"
        elif name not in about and name.startswith("votes_"):
            about[name] = "the share of the votes that this class has"
    return RunTable(whole, about)


def _splits(path: Path) -> RunTable:
    about = {name: text for name, (_, text) in _SPLITS.items()}
    if not path.is_file():
        return RunTable(_empty(_SPLITS), about)
    types = {name: kind for name, (kind, _) in _SPLITS.items()}
    options = pacsv.ConvertOptions(column_types=types)
    parsing = pacsv.ParseOptions(newlines_in_values=True)
    try:
        return RunTable(pacsv.read_csv(path, None, parsing, options), about)
    except (OSError, pa.ArrowException) as error:
        raise DataError(f"{path}: cannot be read: {first_line(error)}") from None


def _table(
    known: Mapping[str, tuple[pa.DataType, str]],
    columns: Mapping[str, Cells],
    more: Mapping[str, pa.Array],
    about: Mapping[str, str],
) -> RunTable:
    arrays = {name: pa.array(columns[name], kind) for name, (kind, _) in known.items()}
    said = {name: text for name, (_, text) in known.items()}
    return RunTable(pa.table({**arrays, **more}), {**said, **about})


def _empty(known: Mapping[str, tuple[pa.DataType, str]]) -> pa.Table:
    return pa.schema([(name, kind) for name, (kind, _) in known.items()]).empty_table()


def _of_any(values: Sequence[object]) -> pa.Array:
    """A column of settings: of their own kind if they have one, else their JSON."""
    kinds = {type(value) for value in values if value is not None}
    for kinds_of, kind in (({bool}, pa.bool_()), ({int}, pa.int64()), ({str}, pa.string())):
        if kinds <= kinds_of:
            return pa.array(values, kind)
    if kinds <= {int, float}:
        return pa.array(values, pa.float64())
    return pa.array([None if v is None else json.dumps(v) for v in values], pa.string())


def _params(record: TrialRecord) -> int | None:
    return next((e.num_params for e in record.epochs.values() if e.num_params is not None), None)


def _counts(event: Event, epoch: int, trials: Trials) -> bool:
    kept = trials.records[event.number].epochs.get(epoch)
    return kept is not None and kept.attempt == event.attempt


def _time(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds * 1e6)
