"""How a winner's score goes with one of its settings, or two: trained with each value.

Everything else stays as the winner has it. Each value is trained with three seeds in each fold that
is asked for and scored beside the winner; a difference is claimed as ``compare`` allows. The values
are looked at on test rows: a sweep answers a question, and chooses no settings.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import cast

from raysearch.evaluation.experiment import WINNER, Experiment, Outcome
from raysearch.evaluation.experiment_figures import Sweep, SweptPoint, own_values
from raysearch.evaluation.figures import Figures, folds_shown
from raysearch.evaluation.markdown import interval_in_words, markdown_table, percent
from raysearch.evaluation.sweep_axes import Point
from raysearch.evaluation.winner_folds import Folds, is_answer, winners_of
from raysearch.files import write_json, write_text
from raysearch.published_folder import load_json
from raysearch.run_folder import RunFolder
from raysearch.training.transductive import mark

__all__ = [
    "NOTE",
    "interval_or_range",
    "store_sweep",
    "stored_sweep",
    "sweep_file",
]

NOTE = (
    "values were compared on test rows: the best of them is not a result; search it by validation"
)


def sweep_file(run: RunFolder, fields: Sequence[str]) -> Path:
    """Where the sweep over ``fields`` is kept; its table and figure have other suffixes."""
    return run.root / "sweeps" / f"{'+'.join(fields)}.json"


def stored_sweep(run: RunFolder, points: Sequence[Point], folds: Folds) -> Sweep | None:
    """What was found before with the same values on ``folds``.

    Args:
        run: a searched run.
        points: the values, in order.
        folds: on which folds.

    Returns:
        None if nothing was, or if others win there now.
    """
    path = sweep_file(run, list(points[0].values))
    if not path.exists():
        return None
    found = cast("Sweep", load_json(path))
    alike = [one["name"] for one in found["points"]] == [point.name for point in points]
    return found if alike and is_answer(run, found, folds) else None


def store_sweep(
    experiment: Experiment, outcome: Outcome, points: Sequence[Point], folds: Folds
) -> Sweep:
    """Write what was found to ``sweeps/FIELD.json``, and as a table beside it.

    Args:
        experiment: with each of ``points`` by its name.
        outcome: what came of it.
        points: the values, in order.
        folds: as they were asked for.
    """
    run, fields = experiment.run, list(points[0].values)
    winners = [arm.config.fields() for arm in experiment.winner]
    found: Sweep = {
        **winners_of(run, experiment.winner, folds),
        "fields": fields,
        "own": {field: _distinct([winner[field] for winner in winners]) for field in fields},
        "winner": outcome.figures[WINNER],
        "points": [_point(point, outcome) for point in points],
    }
    path = sweep_file(run, fields)
    path.parent.mkdir(exist_ok=True)
    write_json(path, found)
    write_text(path.with_suffix(".md"), _markdown(run.root.name, found))
    return found


def interval_or_range(figures: Figures) -> str:
    """The 95% interval of the UA in percent; where there is none, the range of its speakers'."""
    bounds = figures["ua"]["interval"]
    if bounds is not None:
        return interval_in_words(bounds)
    values = figures["per_speaker_ua"].values()
    return f"({interval_in_words([min(values), max(values)])})"


def _distinct(values: Sequence[object]) -> list[object]:
    return [value for place, value in enumerate(values) if value not in values[:place]]


def _point(point: Point, outcome: Outcome) -> SweptPoint:
    compared = outcome.compared.get(point.name)
    return {
        "name": point.name,
        "values": dict(point.values),
        "figures": outcome.figures[point.name],
        "comparison": compared.to_dict() if compared else None,
    }


def _markdown(name: str, found: Sweep) -> str:
    winner = found["winner"]
    ua, span = percent(winner["ua"]["mean"]), interval_or_range(winner)
    rows = [(*own_values(found), ua, span, "", "the winner")]
    for point in found["points"]:
        values = [str(value) for value in point["values"].values()]
        if (compared := point["comparison"]) is not None:
            ua, span = percent(point["figures"]["ua"]["mean"]), interval_or_range(point["figures"])
            gap = f"{100 * compared['difference']:+.1f}"
            rows.append((*values, ua, span, gap, compared["verdict"]))
    ua_mark = f"UA{mark(winner.get('transductive', False))}"
    told = [point["comparison"] for point in found["points"]]
    folds = folds_shown(found["winners"])
    lines = [
        f"# {name}: the winner with other {' and '.join(found['fields'])}",
        "",
        f"Trial {found['trial']}, test rows of {folds} "
        f"({winner['protocol']}, {winner['num_speakers']} speakers), three seeds each.",
        "",
        *markdown_table((*found["fields"], ua_mark, "95% interval", "difference", "verdict"), rows),
        "",
        *(f"- {compared['sentence']}" for compared in told if compared),
        *(f"- {note}" for note in [*winner["notes"], NOTE]),
    ]
    return "\n".join(lines) + "\n"
