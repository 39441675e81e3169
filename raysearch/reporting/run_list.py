"""The runs of a storage as a table's rows: how each ended, what it found, how large it is.

What a finished search says of itself (``summary.json``) is believed; of one that goes on, or was
lost, the ledger is read.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from raysearch.config.loader import parse_yaml
from raysearch.config.metric_table import metric_of
from raysearch.errors import DataError, UserError, first_line
from raysearch.ledger import read
from raysearch.paths import why_not
from raysearch.reporting.run_state import State, state_of
from raysearch.run_folder import RACE
from raysearch.storage.kept_runs import LEDGER, SPEC, KeptRun
from raysearch.storage.mirror import at_once
from raysearch.trial_records import Trials

__all__ = ["RunRow", "rows_of"]

# Between a driver's clock and its storage's.
_CLOCKS_S = 5.0


class _Session(BaseModel):
    started: float
    ended: float | None = None
    outcome: str | None = None


class _Info(BaseModel):
    space: str = ""
    sessions: list[_Session] = []


class _Summary(BaseModel):
    objective: str
    best_value: float | None
    num_trials: int
    num_failed: int = 0


class _Mean(BaseModel):
    mean: float


class _Evaluation(BaseModel):
    mode: str
    protocol: str
    ua: _Mean
    transductive: bool = False


class _Turn(BaseModel):
    done: bool = False


class _Race(BaseModel):
    systems: list[str]
    winner: str | None = None
    last_turn: _Turn | None = None


class _Search(BaseModel):
    objective: str = "val_uar_mean3"


class _Spec(BaseModel):
    name: str = ""
    search: _Search = _Search()


Record = TypeVar("Record", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class RunRow:
    """One run, or one race.

    Attributes:
        name: its folder's.
        state: how it stands; docs/at-the-terminal.md explains the words.
        system: the space that was searched; of a race its winner, or the best system so far.
        num_systems: of a race; 0 of a run.
        trials: proposed so far; of a race by all systems.
        objective: the name of the metric that trials are compared by.
        best: its best value among the trials; of a race the winner's, or the best so far.
        test_ua: the leading evaluation's mean, if it was evaluated.
        mode: how that was evaluated.
        protocol: what split the corpus for it; ``paper`` is optimistic in every mode.
        transductive: whether test speakers' other recordings were used in it.
        changed: when it ended, or last wrote its ledger, in seconds since 1970.
        num_bytes: what it takes in its storage.
        note: what could not be read, in one line.
    """

    name: str
    state: State
    changed: float
    num_bytes: int
    system: str = ""
    num_systems: int = 0
    trials: int = 0
    objective: str | None = None
    best: float | None = None
    test_ua: float | None = None
    mode: str | None = None
    protocol: str | None = None
    transductive: bool = False
    note: str = ""


def rows_of(runs: Sequence[KeptRun]) -> list[RunRow]:
    """A row a run or race, the newest first.

    Raises:
        InfrastructureError: the storage cannot be read.
    """
    return sorted(at_once(_row, runs), key=lambda row: (-row.changed, row.name))


def _row(run: KeptRun) -> RunRow:
    try:
        return _of_race(run) if run.systems or run.changed(RACE) else _of_run(run)
    except (DataError, UserError, ValidationError, PermissionError) as error:
        changed = max(run.changed(LEDGER), run.changed(SPEC), run.changed(RACE))
        why = first_line(error)
        if isinstance(error, PermissionError):
            why = f"{error.filename}: {why_not(error)}"
        return RunRow(run.name, "unreadable", changed, run.num_bytes, note=why)


def _of_run(run: KeptRun) -> RunRow:
    info = _read(run, "run.json", _Info) or _Info()
    last = info.sessions[-1] if info.sessions else None
    held = run.is_held()
    found = _found(run, None if held else last)
    evaluation = _read(run, "evaluation.json", _Evaluation)
    ended = last.ended if last and not held else None
    return RunRow(
        run.name,
        state_of(
            last.outcome if last else None,
            is_alive=held,
            all_failed=0 < found.num_trials == found.num_failed,
        ),
        ended or max(run.changed(LEDGER), run.changed(SPEC)),
        run.num_bytes,
        info.space or _settings(run).name,
        trials=found.num_trials,
        objective=found.objective,
        best=found.best_value,
        test_ua=evaluation.ua.mean if evaluation else None,
        mode=evaluation.mode if evaluation else None,
        protocol=evaluation.protocol if evaluation else None,
        transductive=bool(evaluation and evaluation.transductive),
    )


def _found(run: KeptRun, ended: _Session | None) -> _Summary:
    """What the search has found so far.

    Args:
        run: whose.
        ended: its last sitting; None if it is under way.
    """
    summary = _read(run, "summary.json", _Summary)
    if (
        summary
        and ended
        and ended.ended
        and run.changed("summary.json") > ended.started - _CLOCKS_S
    ):
        return summary
    objective = summary.objective if summary else _settings(run).search.objective
    path = run.ledger()
    trials = Trials.replay(read(path) if path.is_file() else [], objective)
    best = next(iter(trials.ranked()), None)
    return _Summary(
        objective=objective,
        best_value=best.best_metric if best else None,
        num_trials=len(trials.records),
        num_failed=len(trials.with_status("failed")),
    )


def _of_race(run: KeptRun) -> RunRow:
    race = _read(run, RACE, _Race)
    assert race is not None
    rows = [_of_run(system) for system in run.systems]
    best = _leader(rows)
    if race.winner is not None:
        best = next((row for row in rows if row.name.endswith(f"/{race.winner}")), best)
    newest = max(rows, key=lambda row: row.changed, default=None)
    state: State = "lost"
    if run.is_held():
        state = "running"
    elif race.last_turn is not None and race.last_turn.done:
        state = "finished"
    elif newest and newest.state in ("stopped", "interrupted", "failed"):
        state = newest.state
    return RunRow(
        run.name,
        state,
        max(newest.changed if newest else 0.0, run.changed(RACE)),
        run.num_bytes,
        best.name.partition("/")[2] if best else "",
        len(race.systems),
        sum(row.trials for row in rows),
        best.objective if best else None,
        best.best if best else None,
        best.test_ua if best else None,
        best.mode if best else None,
        best.protocol if best else None,
        bool(best and best.transductive),
    )


def _leader(rows: Sequence[RunRow]) -> RunRow | None:
    scored = [row for row in rows if row.best is not None and row.objective is not None]
    return max(scored, key=lambda row: _signed(row), default=None)


def _signed(row: RunRow) -> float:
    assert row.best is not None
    assert row.objective is not None
    return metric_of(row.objective).signed(row.best)


def _settings(run: KeptRun) -> _Spec:
    content = run.read(SPEC)
    text = content.decode("utf-8", errors="replace") if content else ""
    return _Spec.model_validate(parse_yaml(text, f"{run.name}/{SPEC}", aliases=True) or {})


def _read(run: KeptRun, file: str, kind: type[Record]) -> Record | None:
    content = run.read(file)
    if content is None:
        return None
    try:
        return kind.model_validate_json(content)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise DataError(f"{run.name}/{file}: {place or 'content'}: {first['msg']}") from None
