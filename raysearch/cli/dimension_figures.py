"""``raysearch evaluate`` of a search that predicts arousal, valence and dominance."""

from rich.console import Console
from rich.table import Table

from raysearch.cli.evaluation_options import EvaluateOptions
from raysearch.cli.evaluation_session import (
    evaluation_session,
    show_file,
    show_heading,
    show_notes,
    show_speakers,
)
from raysearch.errors import UserError
from raysearch.evaluation.dimension_scores import MEAN, DimensionEvaluation
from raysearch.evaluation.evaluate_dimensions import evaluate_dimensions
from raysearch.evaluation.figures import Mode
from raysearch.evaluation.final_model import load_final
from raysearch.evaluation.stored_dimensions import dimensions_file, stored_dimensions
from raysearch.reporting.tested_card import write_dimensions_card
from raysearch.searching.other_folds import search_other_folds

__all__ = ["evaluate_dimensions_of"]


def evaluate_dimensions_of(options: EvaluateOptions, console: Console) -> int:
    """Carry the verb out for such a search.

    Raises:
        UserError: it is asked for what only searches of emotions have.
    """
    given = {"--noise": options.noise, "--by": options.by, "--protocol paper": options.paper}
    if unknown := [name for name, value in given.items() if value]:
        raise UserError(
            f"{unknown[0]} is of emotions, and this search predicts dimensions (training.task):"
            " leave it out"
        )
    mode: Mode = "nested" if options.nested else "fold"
    mode = "reuse-settings" if options.reuse_settings else mode
    if mode not in stored_dimensions(options.run):
        _evaluate(options, mode, console)
    else:
        console.print("evaluated before; the stored figures:", highlight=False)
    _show(console, stored_dimensions(options.run)[mode])
    show_file(console, dimensions_file(options.run))
    return 0


def _evaluate(options: EvaluateOptions, mode: Mode, console: Console) -> None:
    run, storage = options.run, options.storage
    with evaluation_session(options, console) as own:
        watcher, splits = own.watcher, own.splits
        if mode == "nested":
            search_other_folds(run, own.session, storage=storage, watcher=watcher, splits=splits)
        evaluate_dimensions(
            run, mode, own.session, own.lease, storage=storage, watcher=watcher, splits=splits
        )
        final = load_final(run)
        write_dimensions_card(run, stored_dimensions(run), final.winner if final else None)


def _show(console: Console, figures: DimensionEvaluation) -> None:
    show_heading(console, figures)
    table = Table("", "CCC", "each seed", "95% interval", "RMSE", box=None)
    for name, entry in figures["dimensions"].items():
        bounds = entry["interval"]
        table.add_row(
            "mean" if name == MEAN else name,
            f"{entry['ccc']:.3f}",
            "  ".join(f"{value:.3f}" for value in entry["per_seed"]),
            f"{bounds[0]:.3f} to {bounds[1]:.3f}" if bounds else "-",
            f"{entry['rmse']:.3f}" if "rmse" in entry else "",
        )
    console.print(table)
    each = figures.get("per_speaker_ccc", {})
    show_speakers(console, "mean CCC", {name: f"{value:.3f}" for name, value in each.items()})
    if figures["parts"]:
        beside = Table("beside it", "mean CCC", box=None)
        for name, value in figures["parts"].items():
            beside.add_row(name, f"{value:.3f}")
        console.print(beside)
    show_notes(console, figures["notes"])
