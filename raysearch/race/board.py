"""The leaderboard of a race, one row a system, and what may be said of it."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from raysearch.config.metric_table import listed_metrics, metric_of
from raysearch.errors import TrialError
from raysearch.files import write_text
from raysearch.race.race_record import RaceFolder, RaceState
from raysearch.race.standings import Seen, gap
from raysearch.race.verdicts import Gap, Verdict, order, verdict
from raysearch.reporting.wording import cell, counted, figure
from raysearch.spec import SearchSpec
from raysearch.streaming.preparation import AuditedSplit
from raysearch.training.transductive import NOTE, is_transductive, mark
from raysearch.tuning.tolerance import ValidationNoise

__all__ = ["COLUMNS", "Board", "Row", "board_of", "points", "statements", "write_board"]

COLUMNS = (
    *("system", "verdict", "value", "behind", "error", *listed_metrics()),
    *("trials", "epochs", "core_s", "params", "best_trial", "left_after_round", "run"),
)


@dataclass(frozen=True)
class Row:
    """One system's line in the leaderboard of a race.

    Attributes:
        system: its name.
        verdict: what may be said of it against the best one.
        seen: what it has found.
        gap: to the best one.
        spent_s: seconds of a CPU.
        left_after: the round after which it was let go, if it was.
    """

    system: str
    verdict: Verdict
    seen: Seen
    gap: Gap | None
    spent_s: float
    left_after: int | None


@dataclass(frozen=True)
class Board:
    """What a race has found: all its systems, the best first.

    Attributes:
        rows: one a system.
        objective: what they are the values of.
        error: the standard error of the best one's value; None where it has none.
        num_speakers: whom they were judged on.
        transductive: whether speakers were normalised by their own recordings.
        left_out: system to what it lacks.
        over: whether the race is.
        unspent: what it left of its budget, and why; empty while it is not over.
    """

    rows: Sequence[Row]
    objective: str
    error: float | None
    num_speakers: int
    transductive: bool
    left_out: Mapping[str, str]
    over: bool
    unspent: str

    def check(self) -> None:
        """Raise TrialError where the best one's trials all failed, as the search of one does."""
        trials = self.rows[0].seen.trials
        failed = trials.with_status("failed")
        if failed and len(failed) == len(trials.records):
            raise TrialError(f"every trial failed, the first as {failed[0].reason}")

    @property
    def metric(self) -> str:
        """The objective as a reader knows it."""
        name = metric_of(self.objective).in_words
        return name + mark(self.transductive)


def board_of(
    state: RaceState,
    seen: Mapping[str, Seen],
    specs: Mapping[str, SearchSpec],
    audited: AuditedSplit,
) -> Board:
    """Compare what the systems have found so far, each with the best.

    Args:
        state: the race's record.
        seen: system to what it has found.
        specs: system to its settings.
        audited: the data.
    """
    spec = next(iter(specs.values()))
    objective, num_systems = spec.search.objective, len(state.systems)
    ranked = [s.system for s in order([one.standing({}) for one in seen.values()])]
    if state.winner is not None:
        ranked = [state.winner, *(system for system in ranked if system != state.winner)]
    best = seen[ranked[0]]
    rows = []
    for system in ranked:
        distance = None if system == ranked[0] else gap(best, seen[system], audited, objective)
        said = verdict(seen[system].standing({}), distance, num_systems)
        placed = [r for r in state.rounds if system in r.places]
        is_out = bool(placed) and not placed[-1].places[system].stays and system != ranked[0]
        rows.append(
            Row(
                system,
                said,
                seen[system],
                distance,
                max(state.spent.get(system, 0.0), seen[system].used["core_s"]),
                placed[-1].number if is_out else None,
            )
        )
    inner = (audited.split, *audited.inner)
    noise = ValidationNoise.of(inner)
    return Board(
        rows,
        objective,
        None if best.value is None else noise.of_value(best.value, objective),
        sum(noise.speakers),
        is_transductive(spec),
        dict(state.left_out),
        state.over,
        state.unspent if state.over else "",
    )


def points(objective: str, value: float) -> str:
    """Write a difference or an error in points of percent; of a loss as it is."""
    return metric_of(objective).difference(value)


def statements(found: Board) -> list[str]:
    """Write what may be said of a race, a sentence a line."""
    best = found.rows[0]
    lines = []
    if best.seen.best is not None and found.error is not None:
        shown = figure(found.objective, best.seen.best.best_metric)
        error = points(found.objective, found.error)
        lines.append(
            f"best system: {best.system}, {found.metric} {shown} +- {error} (standard error, "
            f"{found.num_speakers} validation speakers), the best of {_count(best)}"
        )
    close, behind = _those(found, "not distinguished"), _those(found, "behind")
    if close:
        lines.append(f"not distinguished from it: {_listed(found, close)}")
    if behind:
        lines.append(f"clearly behind: {_listed(found, behind)}")
        if not close:
            lines.append("no other system that was judged comes near it")
    for row in _those(found, "not judged"):
        lines.append(f"not judged: {row.system}: {_cut_short(row)}")
    for row in _those(found, "no score"):
        lines.append(f"no score: {row.system}: {_why_none(row)}")
    if found.unspent:
        lines.append(f"left unspent: {found.unspent}")
    lines += [f"left out: {system}: {why}" for system, why in found.left_out.items()]
    return lines


def _those(found: Board, said: Verdict) -> list[Row]:
    return [row for row in found.rows if row.verdict == said]


def _listed(found: Board, rows: Sequence[Row]) -> str:
    return ", ".join(f"{row.system} ({_distance(found, row)}, {_count(row)})" for row in rows)


def _distance(found: Board, row: Row) -> str:
    assert row.gap is not None
    behind, error = (points(found.objective, abs(x)) for x in (row.gap.behind, row.gap.error))
    sign = "-" if row.gap.behind >= 0 else "+"
    return f"{sign}{behind} +- {error}"


def _count(row: Row) -> str:
    number = len(row.seen.trials.records)
    return "1 trial" if number == 1 else f"{number} trials"


def _cut_short(row: Row) -> str:
    best, whole_s = row.seen.best, row.seen.whole.get("core_s", 0.0)
    assert best is not None
    own = row.seen.trials.records[0]
    if own.status == "failed":
        return f"its settings failed: {own.reason}; --space {row.system} alone would try others"
    return (
        f"the budget was enough for {counted(best.last_epoch, 'epoch')} of its settings, and a "
        f"whole trial takes about {whole_s / 60:.1f} core-minutes: more budget on resumption, or "
        f"--space {row.system} alone, would tell"
    )


def _why_none(row: Row) -> str:
    failed = row.seen.trials.with_status("failed")
    if failed:
        return f"its first trial failed: {failed[0].reason}"
    return "its share of the budget ended before its first epoch"


def write_board(folder: RaceFolder, found: Board) -> None:
    """Replace ``leaderboard.csv`` and ``leaderboard.md`` of the race."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(_columns(found, row) for row in found.rows)
    write_text(folder.root / "leaderboard.csv", text.getvalue())
    write_text(folder.root / "leaderboard.md", _markdown(folder.root.name, found))


def _columns(found: Board, row: Row) -> dict[str, object]:
    best, metrics = row.seen.best, _metrics(row)
    return {
        "system": row.system,
        "verdict": row.verdict,
        "value": _rounded(best.best_metric if best else None),
        "behind": _rounded(row.gap.behind if row.gap else None),
        "error": _rounded(row.gap.error if row.gap else found.error if best else None),
        **{name: _rounded(metrics.get(name)) for name in listed_metrics()},
        "trials": len(row.seen.trials.records),
        "epochs": row.seen.trials.num_epochs,
        "core_s": round(row.spent_s, 1),
        "params": _params(row),
        "best_trial": best.number if best else None,
        "left_after_round": row.left_after,
        "run": row.system,
    }


def _markdown(name: str, found: Board) -> str:
    head = ["system", "verdict", found.metric, "behind it", "val WA", "val F1"]
    head += ["trials", "epochs", "core min", "params", "left after round", "best trial"]
    lines = [f"# {cell(name)}: which system is best for these data", ""]
    lines += [f"- {cell(line)}" for line in statements(found)]
    lines += ["", "| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for row in found.rows:
        best, metrics = row.seen.best, _metrics(row)
        cells = [
            row.system,
            row.verdict,
            figure(found.objective, best.best_metric if best else None),
            _distance(found, row) if row.gap else "",
            figure("val_wa", metrics.get("val_wa")),
            figure("val_macro_f1", metrics.get("val_macro_f1")),
            str(len(row.seen.trials.records)),
            str(row.seen.trials.num_epochs),
            f"{row.spent_s / 60:.1f}",
            str(_params(row) or ""),
            str(row.left_after or ""),
            f"[{best.number:04d}]({row.system}/leaderboard.md)" if best else "",
        ]
        lines.append("| " + " | ".join(cells) + " |")
    lines += [
        "",
        "Values are those of each system's best trial on validation rows; no test row was read.",
    ]
    if found.transductive:
        lines += ["", NOTE]
    return "\n".join([*lines, ""])


def _metrics(row: Row) -> Mapping[str, float | None]:
    best = row.seen.best
    entry = best.epochs.get(best.best_epoch or 0) if best else None
    return entry.metrics if entry else {}


def _params(row: Row) -> int | None:
    best = row.seen.best
    entry = best.epochs.get(best.best_epoch or 0) if best else None
    return entry.num_params if entry else None


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 6)
