"""A reproduction in words: the rows of its two tables, and the sentence that sums them up."""

from raysearch.config.metric_table import Metric
from raysearch.evaluation.claims import points
from raysearch.evaluation.experiment_figures import ReproducedStep, Reproduction
from raysearch.evaluation.figures import Figures
from raysearch.evaluation.markdown import interval_in_words, markdown_table, percent
from raysearch.evaluation.reproduced_steps import BUDGET_UNKNOWN, NOT_REPRODUCED
from raysearch.training.validation_metrics import confusion_metrics

__all__ = [
    "ARM_HEADER",
    "ARM_NAMES",
    "STEP_HEADER",
    "arm_rows",
    "interval_lines",
    "metric_label",
    "reproduction_markdown",
    "step_rows",
    "summary",
]

ARM_NAMES = {
    "published-paper": "published, the paper's split",
    "published-honest": "published, honest split",
    "published-short": "published, the winner's epochs",
    "winner-honest": "winner, honest split",
    "winner-paper": "winner, the paper's split",
}
ARM_HEADER = ("settings", "split", "epochs", "UA", "WA", "macro-F1", "95% interval")
STEP_HEADER = ("step", "value", "by", "90% interval", "verdict")


def arm_rows(found: Reproduction) -> list[tuple[str, ...]]:
    """What was printed, then each arm; the interval is that of the metric in question."""
    rows = [_printed_row(found)] if found["printed"] else []
    for arm in found["arms"].values():
        row = (arm["settings"], arm["split"], arm["epochs"])
        if "with_copies" in arm:
            rows.append((*row, *_figures(arm["with_copies"], found["metric"])))
            row = ("  its originals", "", "")
        rows.append((*row, *_figures(arm, found["metric"])))
    return rows


def step_rows(found: Reproduction) -> list[tuple[str, ...]]:
    """What is begun with, then the steps: the value after each, and by how much it moved it."""
    first = found["steps"][0]
    begun = "printed" if first["name"] == NOT_REPRODUCED else ARM_NAMES["published-paper"]
    rows: list[tuple[str, ...]] = [(begun, percent(first["before"]), "", "", "")]
    rows += [
        (
            step["name"],
            percent(step["after"]),
            _moved(step),
            _span(step),
            _verdict(step),
        )
        for step in found["steps"]
    ]
    return rows


def summary(found: Reproduction) -> str:
    """What the whole difference is made of, in one sentence."""
    steps = found["steps"]
    label = metric_label(found)
    whole = steps[-1]["after"] - steps[0]["before"]
    parts = ", ".join(f"{step['name']} {_moved(step)}".strip() for step in steps)
    return (
        f"From {percent(steps[0]['before'])} to {percent(steps[-1]['after'])} {label} are "
        f"{points(whole)} points: {parts}."
    )


def interval_lines(found: Reproduction) -> list[str]:
    """How the arms' intervals were made, a line each way."""
    ways: dict[str, list[str]] = {}
    for name, arm in found["arms"].items():
        ways.setdefault(arm.get("interval_method") or "none", []).append(ARM_NAMES[name])
    return [f"95% interval, {way}: {'; '.join(names)}" for way, names in ways.items()]


def metric_label(found: Reproduction) -> str:
    """What the metric of the steps is called."""
    return _metric(found).label


def reproduction_markdown(found: Reproduction) -> str:
    """The whole of it for readers."""
    label = metric_label(found)
    lines = [
        f"# {found['system']} on {found['corpus']}: the printed figure made again",
        "",
        *([f"{found['paper']}."] if found["paper"] else []),
        "Each recording is tested once in each arm; intervals are of "
        f"{label}, {_seeds(found)} a fold.",
        "",
        *markdown_table(ARM_HEADER, arm_rows(found)),
        "",
        f"## What the difference is made of, in {label}",
        "",
        *markdown_table(STEP_HEADER, step_rows(found)),
        "",
        summary(found),
        "",
        *(f"- {step['name']}: {step['verdict']}; {step['why']}" for step in found["steps"]),
        *(f"- {note}" for note in found["notes"]),
        *(f"- {line}" for line in interval_lines(found)),
    ]
    return "\n".join(lines) + "\n"


def _seeds(found: Reproduction) -> str:
    number = found["asked"]["seeds"]
    return "one net" if number == 1 else f"{number} nets"


def _metric(found: Reproduction) -> Metric:
    return confusion_metrics()[found["metric"]]


def _printed_row(found: Reproduction) -> tuple[str, ...]:
    """All that is printed for this corpus, in one row."""
    columns = {"UA": "-", "WA": "-", "macro-F1": "-"}
    names = {"accuracy": "WA", "F1": "macro-F1"}
    for one in found["printed"]:
        columns[names.get(one["metric"], one["metric"])] = percent(one["value"])
    first = found["printed"][0]
    sources = dict.fromkeys(one["source"] or "?" for one in found["printed"])
    where = f"({', '.join(sources)})"
    epochs = "" if first["epochs"] is None else str(first["epochs"])
    return ("printed", first["protocol"], epochs, *columns.values(), where)


def _figures(figures: Figures, metric: str) -> tuple[str, ...]:
    values = (figures["ua"], figures["wa"], figures["macro_f1"])
    bounds = {"ua": values[0], "wa": values[1], "macro_f1": values[2]}[metric]["interval"]
    span = interval_in_words(bounds)
    return (*(percent(one["mean"]) for one in values), span)


def _moved(step: ReproducedStep) -> str:
    """By how much the step moved the value; empty where that is not known."""
    return "" if step["name"] == BUDGET_UNKNOWN else points(step["difference"])


def _span(step: ReproducedStep) -> str:
    bounds = step["interval"]
    if bounds is None:
        return "-"
    return f"{points(float(bounds['low']))} to {points(float(bounds['high']))}"


def _verdict(step: ReproducedStep) -> str:
    p = step["p_holm"]
    return step["verdict"] if p is None else f"{step['verdict']} (p {p:.2g})"
