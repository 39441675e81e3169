"""The model card's part on test figures, written once a search has been evaluated."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from raysearch import published_folder
from raysearch.evaluation.dimension_scores import DimensionEvaluation
from raysearch.evaluation.figures import EvaluationFigures, Mode, most_telling, of_metric
from raysearch.evaluation.stored_evaluations import is_honest
from raysearch.files import link_or_copy
from raysearch.reporting.wording import cell, one_line
from raysearch.run_folder import RunFolder
from raysearch.training.transductive import mark
from raysearch.training.validation_metrics import ValJs, confusion_metrics

__all__ = ["NO_FIGURES", "write_dimensions_card", "write_tested_card"]

CARD = "model_card.md"
BEGIN, END = "<!-- test figures -->", "<!-- end of test figures -->"
NO_FIGURES = f"{BEGIN}\nNone yet: `raysearch evaluate`.\n{END}"
_KINDS: dict[Mode, str] = {
    "nested": "over all folds, each searched on its own",
    "fold": "on the fold of this model",
    "reuse-settings": "over all folds, by settings of one: these saw the speakers",
    "paper": "on the paper's own split, which is optimistic",
}


def write_tested_card(
    run: RunFolder, stored: Mapping[Mode, EvaluationFigures], winner: str | None
) -> None:
    """Write the figures of all evaluations into the card in ``best/``; nothing without such a part.

    Args:
        run: the run; nobody else writes to it.
        stored: its evaluations, the most honest one first.
        winner: the trial that leads the model now; figures of an earlier one are left out.
    """
    current = {mode: one for mode, one in stored.items() if winner in (None, one["trial"])}
    _fill(run, [_part(mode, figures) for mode, figures in current.items()])


def write_dimensions_card(
    run: RunFolder, stored: Mapping[Mode, DimensionEvaluation], winner: str | None
) -> None:
    """Do the same for a search that predicts dimensions; arguments as ``write_tested_card``."""
    current = {mode: one for mode, one in stored.items() if winner in (None, one["trial"])}
    _fill(run, [_agreement(mode, figures) for mode, figures in current.items()])


def _fill(run: RunFolder, parts: Sequence[str]) -> None:
    """Put ``parts`` where the card has room for test figures."""
    path = run.best / CARD
    if not path.is_file():
        return
    before, begin, rest = path.read_text(encoding="utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end and parts):
        return  # an earlier version's, or nothing to tell
    told = "\n\n".join(parts)
    text = f"{before}{BEGIN}\n{told}\n{END}{after}"

    def fill(stage: Path) -> None:
        for file in run.best.iterdir():
            if file.is_file() and file.name not in (CARD, published_folder.MANIFEST):
                link_or_copy(file, stage / file.name)
        (stage / CARD).write_text(text, encoding="utf-8")

    published_folder.publish(run.best, fill)


def _part(mode: Mode, figures: EvaluationFigures) -> str:
    kind = _KINDS[mode] + mark(figures.get("transductive", False))
    doubt = "" if is_honest(mode, figures) else " Optimistic: see the notes."
    lines = [
        f"Protocol {figures['protocol']}, {kind}; {figures['num_speakers']} test speakers.{doubt}",
        "",
        "| metric | mean | 95% interval |",
        "|---|---|---|",
    ]
    for key, metric in confusion_metrics().items():
        entry = of_metric(figures, key)
        bounds = entry["interval"]
        span = f"{_percent(bounds[0])} to {_percent(bounds[1])}" if bounds else "-"
        lines.append(f"| {metric.label} | {_percent(entry['mean'])} | {span} |")
    if "js" in figures:
        entry = figures["js"]
        span = "{:.3f} to {:.3f}".format(*entry["interval"]) if entry["interval"] else "-"
        lines.append(f"| {ValJs.label} from the votes | {entry['mean']:.3f} | {span} |")
    lines += ["", *_groups(figures), *_calibration(figures)]
    notes = [f"- {one_line(note)}" for note in figures["notes"]]
    return "\n".join([*lines, *notes])


def _agreement(mode: Mode, figures: DimensionEvaluation) -> str:
    kind = _KINDS[mode] + mark(figures.get("transductive", False))
    lines = [
        f"Protocol {figures['protocol']}, {kind}; {figures['num_speakers']} test speakers.",
        "",
        "| dimension | CCC | 95% interval | RMSE |",
        "|---|---|---|---|",
    ]
    for name, one in figures["dimensions"].items():
        span = "{:.3f} to {:.3f}".format(*one["interval"]) if one["interval"] else "-"
        error = f"{one['rmse']:.3f}" if "rmse" in one else "-"
        lines.append(f"| {name} | {one['ccc']:.3f} | {span} | {error} |")
    return "\n".join([*lines, "", *(f"- {one_line(note)}" for note in figures["notes"])])


def _groups(figures: EvaluationFigures) -> list[str]:
    named: dict[str, Mapping[str, float | None]] = {
        "recall by emotion": figures["per_class_recall"],
        "UA by speaker": figures["per_speaker_ua"],
        "UA by sex": figures["per_sex_ua"],
    }
    by = figures.get("by", {})
    for column, found in by.items():
        named[f"UA by {cell(column)}"] = {
            n: one["ua"]["mean"] for n, one in found["groups"].items()
        }
    told = [one["sentence"] for found in by.values() for one in most_telling(found)]
    return [
        *(
            f"- {what}: " + ", ".join(f"{cell(name)} {_percent(v)}" for name, v in values.items())
            for what, values in named.items()
            if values
        ),
        *(f"- {one_line(sentence)}" for sentence in told),
    ]


def _calibration(figures: EvaluationFigures) -> list[str]:
    line = f"- expected calibration error: {_percent(figures['ece'])}"
    temperatures = figures.get("temperatures")
    if not temperatures:
        return [line]
    shown = ", ".join(f"{one:.2f}" for one in temperatures)
    mended = _percent(figures["ece_at_temperature"])
    return [
        f"{line}; {mended} at the temperature that inner validation gives ({shown}): a probability"
        " p becomes p^(1/T), and all are brought to sum to 1"
    ]


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f}%"
