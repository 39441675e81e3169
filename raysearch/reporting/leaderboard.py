"""The leaderboard: every trial with its validation figures and what was searched."""

import csv
import io
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from raysearch.config.metric_table import listed_metrics
from raysearch.evaluation.final_model import FinalModel, load_final
from raysearch.files import write_text
from raysearch.reporting.wording import cell, figure, metric_name
from raysearch.run_folder import RunFolder
from raysearch.spec import SearchSpec
from raysearch.training.transductive import NOTE, is_transductive, mark
from raysearch.trial_records import TrialRecord, Trials

__all__ = ["COLUMNS", "leaderboard_rows", "write_leaderboard"]


def _columns(metrics: Sequence[str]) -> tuple[str, ...]:
    before = ("number", "trial", "status", "best_epoch")
    return (*before, *metrics, "epochs", "train_s", "params", "final_share", "transductive")


COLUMNS = _columns(listed_metrics())


def leaderboard_rows(
    spec: SearchSpec, trials: Trials, shares: Mapping[int, float] | None = None
) -> list[dict[str, Any]]:
    """One row a trial: ``COLUMNS``, then the searched fields; best first, valueless last.

    Of a search that predicts dimensions, the metrics are those of dimensions.

    Args:
        spec: the search.
        trials: its ledger.
        shares: of each trial in the final model, by number, if that is made.
    """
    ranked = trials.ranked()
    placed = {record.number for record in ranked}
    rest = [record for n, record in sorted(trials.records.items()) if n not in placed]
    base = spec.base.fields()  # once: a board is drawn at every trial's end
    rows = [_row(spec, base, record) for record in [*ranked, *rest]]
    for row in rows:
        row["final_share"] = _rounded((shares or {}).get(row["number"]))
    return rows


def write_leaderboard(run: RunFolder, spec: SearchSpec, trials: Trials) -> None:
    """Write ``leaderboard.csv`` and ``leaderboard.md`` anew."""
    model = load_final(run)
    rows = leaderboard_rows(spec, trials, model.members if model else None)
    text = io.StringIO()
    columns = [*_columns(_metrics(spec)), *spec.space.fields]
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text(run.root / "leaderboard.csv", text.getvalue())
    write_text(run.root / "leaderboard.md", _markdown(run.root.name, spec, trials, rows, model))


def _row(spec: SearchSpec, base: Mapping[str, Any], record: TrialRecord) -> dict[str, Any]:
    best = record.epochs.get(record.best_epoch or 0)
    metrics = best.metrics if best else {}
    return {
        "number": record.number,
        "trial": record.trial,
        "status": record.standing if record.status != "running" else "unfinished",
        "best_epoch": record.best_epoch,
        **{name: _rounded(metrics.get(name)) for name in _metrics(spec)},
        "epochs": record.last_epoch,
        "train_s": None if record.copied_from is not None else round(record.train_s, 3),
        "params": best.num_params if best else None,
        "transductive": is_transductive(spec),
        **{name: record.config.get(name, base[name]) for name in spec.space.fields},
    }


def _metrics(spec: SearchSpec) -> tuple[str, ...]:
    return listed_metrics(dimensions=spec.training.by_dimensions)


def _rounded(value: float | None) -> float | None:
    # Scores only: a setting is written exactly, so that it can be used again.
    return None if value is None else round(value, 6)


def _markdown(
    name: str,
    spec: SearchSpec,
    trials: Trials,
    rows: list[dict[str, Any]],
    model: FinalModel | None,
) -> str:
    # The loss is shown where it is what ranks.
    epochs = [epoch for record in trials.records.values() for epoch in record.epochs.values()]
    known = {name for epoch in epochs for name in epoch.metrics}
    shown = [name for name in _metrics(spec) if name in known or not spec.training.by_dimensions]
    metrics = dict.fromkeys((*shown, trials.objective))
    head = [
        "#",
        "status",
        "best epoch",
        *(metric_name(metric) + mark(is_transductive(spec)) for metric in metrics),
        "epochs",
        "seconds",
        "params",
        "settings",
    ]
    lines = [
        f"# {cell(name)}: leaderboard",
        "",
        f"By {metric_name(trials.objective)}. Validation figures, used to choose: they flatter. "
        "Test figures come from `raysearch evaluate`.",
        *([f"Final model: {cell(model.describe())}; {cell(model.reason)}."] if model else []),
        *([f"Each figure is {NOTE}."] if is_transductive(spec) else []),
        "",
        "| " + " | ".join(head) + " |",
        "|" + "---|" * len(head),
    ]
    for row in rows:
        record = trials.records[row["number"]]
        best = record.epochs.get(record.best_epoch or 0)
        cells = [
            str(row["number"]),
            row["status"],
            _text(row["best_epoch"]),
            *(figure(metric, best.metrics.get(metric)) if best else "" for metric in metrics),
            str(row["epochs"]),
            "" if row["train_s"] is None else f"{row['train_s']:.1f}",
            _text(row["params"]),
            _settings(spec, record),
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join([*lines, ""])


def _settings(spec: SearchSpec, record: TrialRecord) -> str:
    published = record.published
    if record.status == "failed":
        return f"{'**published settings** ' if published else ''}failed: {cell(record.reason)}"
    if published:
        planned = spec.published.epochs
        of = f" of {planned}" if planned else ""
        return f"**published settings, our data, {record.last_epoch}{of} epochs**"
    if record.copied_from is not None:
        return f"the same as trial {record.copied_from}"
    leaves = Counter(_leaf(field) for field in record.config)
    names = {field: _leaf(field) if leaves[_leaf(field)] == 1 else field for field in record.config}
    return ", ".join(cell(f"{names[k]} {_value(v)}") for k, v in record.config.items())


def _leaf(field: str) -> str:
    return field.rpartition(".")[2]


def _value(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _text(value: object) -> str:
    return "" if value is None else str(value)
