"""The leaderboard: every trial with its validation figures and what was searched."""

import csv
import io
from typing import Any

from raysearch.errors import ConfigError
from raysearch.files import write_text
from raysearch.run_folder import RunFolder
from raysearch.spec import SearchSpec
from raysearch.trials import TrialRecord, Trials

__all__ = ["COLUMNS", "leaderboard_rows", "write_leaderboard"]

COLUMNS = (
    "number",
    "trial",
    "status",
    "best_epoch",
    "val_uar",
    "val_wa",
    "val_macro_f1",
    "epochs",
    "train_s",
    "params",
)
_METRICS = ("val_uar", "val_wa", "val_macro_f1")


def leaderboard_rows(spec: SearchSpec, trials: Trials) -> list[dict[str, Any]]:
    """One row a trial: ``COLUMNS``, then the searched fields; best first, valueless last."""
    ranked = trials.ranked()
    placed = {record.number for record in ranked}
    rest = [record for n, record in sorted(trials.records.items()) if n not in placed]
    return [_row(spec, record) for record in [*ranked, *rest]]


def write_leaderboard(run: RunFolder, spec: SearchSpec, trials: Trials) -> None:
    """Replace ``leaderboard.csv`` and ``leaderboard.md``."""
    rows = leaderboard_rows(spec, trials)
    text = io.StringIO()
    writer = csv.DictWriter(text, [*COLUMNS, *spec.space.fields], lineterminator="\n")
    writer.writeheader()
    writer.writerows({key: _plain(value) for key, value in row.items()} for row in rows)
    write_text(run.root / "leaderboard.csv", text.getvalue())
    write_text(run.root / "leaderboard.md", _markdown(run.root.name, spec, trials, rows))


def effective_fields(spec: SearchSpec, record: TrialRecord) -> dict[str, Any]:
    """The searched fields' values in this trial, those that it left at their base included."""
    try:
        fields = spec.resolve(record.config).fields()
    except ConfigError:  # a failed trial may be one whose settings were refused
        fields = record.config
    return {name: fields.get(name) for name in spec.space.fields}


def _row(spec: SearchSpec, record: TrialRecord) -> dict[str, Any]:
    best = record.epochs.get(record.best_epoch or 0)
    metrics = best.metrics if best else {}
    return {
        "number": record.number,
        "trial": record.trial,
        "status": record.status if record.status != "running" else "unfinished",
        "best_epoch": record.best_epoch,
        **{name: metrics.get(name) for name in _METRICS},
        "epochs": record.last_epoch,
        "train_s": None if record.copied_from is not None else round(record.train_s, 3),
        "params": best.num_params if best else None,
        **effective_fields(spec, record),
    }


def _plain(value: Any) -> Any:
    return round(value, 6) if isinstance(value, float) else value


def _markdown(name: str, spec: SearchSpec, trials: Trials, rows: list[dict[str, Any]]) -> str:
    head = (
        "#",
        "status",
        "best epoch",
        "val UA",
        "val WA",
        "val F1",
        "epochs",
        "seconds",
        "params",
    )
    lines = [
        f"# {name}: leaderboard",
        "",
        "Validation figures, used to choose: they flatter. Test figures come from "
        "`raysearch evaluate`.",
        "",
        "| " + " | ".join(head) + " | settings |",
        "|" + "---|" * (len(head) + 1),
    ]
    for row in rows:
        record = trials.records[row["number"]]
        cells = [
            str(row["number"]),
            row["status"],
            _text(row["best_epoch"]),
            *(_percent(row[metric]) for metric in _METRICS),
            str(row["epochs"]),
            "" if row["train_s"] is None else f"{row['train_s']:.1f}",
            _text(row["params"]),
            _settings(spec, record),
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join([*lines, ""])


def _settings(spec: SearchSpec, record: TrialRecord) -> str:
    if record.details.get("published"):
        planned = spec.published.epochs
        of = f" of {planned}" if planned else ""
        return f"**published settings, our data, {record.last_epoch}{of} epochs**"
    if record.copied_from is not None:
        return f"the same as trial {record.copied_from}"
    if record.status == "failed":
        return f"failed: {record.reason}"
    return ", ".join(f"{k.split('.')[-1]} {_value(v)}" for k, v in record.config.items())


def _value(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _percent(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.1f}"


def _text(value: Any) -> str:
    return "" if value is None else str(value)
