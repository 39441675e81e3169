"""``raysearch evaluate``: score a finished search on its test rows, honestly."""

from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.table import Table

from raysearch.cli.dimension_figures import evaluate_dimensions_of
from raysearch.cli.evaluation_options import EvaluateOptions
from raysearch.cli.evaluation_session import (
    evaluation_session,
    show_file,
    show_heading,
    show_notes,
    show_speakers,
)
from raysearch.cli.group_tables import show_groups
from raysearch.cli.terminal import heading, plain_console
from raysearch.evaluation.by_column import store_groups
from raysearch.evaluation.evaluate import evaluate
from raysearch.evaluation.experiment_figures import NoiseSweep
from raysearch.evaluation.figures import (
    EvaluationFigures,
    Figures,
    MetricFigures,
    Mode,
    folds_shown,
    mean_of_part,
    of_metric,
)
from raysearch.evaluation.final_model import load_final
from raysearch.evaluation.group_columns import group_columns
from raysearch.evaluation.markdown import interval_in_words
from raysearch.evaluation.noise import noise_answer, noise_sweep
from raysearch.evaluation.stored_evaluations import evaluation_file, stored_evaluations
from raysearch.evaluation.stored_noise import missing_levels, noise_rows
from raysearch.evaluation.winner_folds import Folds, folds_asked
from raysearch.reporting.tested_card import write_tested_card
from raysearch.run_folder import RunFolder
from raysearch.searching.other_folds import search_other_folds
from raysearch.storage.run_storage import acquire_run
from raysearch.training.transductive import mark
from raysearch.training.validation_metrics import ValJs, confusion_metrics

__all__ = ["evaluate_run"]


def evaluate_run(options: EvaluateOptions) -> int:
    """Carry the verb out."""
    run, console = options.run, plain_console()
    if run.spec().training.by_dimensions:
        return evaluate_dimensions_of(options, console)
    modes = _modes(options)
    columns = group_columns(run.spec().corpus, options.storage, options.by) if options.by else {}
    missing = [mode for mode in modes if mode not in stored_evaluations(run)]
    if missing or (options.noise and _lacks_noise(options)):
        _evaluate(options, missing, console)
    else:
        console.print("evaluated before; the stored figures:", highlight=False)
    if columns:
        _compare_groups(run, modes, columns)
    for mode in modes:
        figures = stored_evaluations(run)[mode]
        _show(console, figures)
        show_groups(console, {name: figures["by"][name] for name in columns})
    if options.noise and (found := noise_answer(run, _noise_folds(options))):
        _show_noise(console, found)
    show_file(console, evaluation_file(run))
    return 0


def _modes(options: EvaluateOptions) -> list[Mode]:
    searched: Mode = "nested" if options.nested else "fold"
    modes: list[Mode] = ["reuse-settings" if options.reuse_settings else searched]
    if options.paper:
        modes.append("paper")
    return modes


def _noise_folds(options: EvaluateOptions) -> Folds:
    """On which folds there is noise: on all of them where all are evaluated."""
    everywhere = "all" if options.reuse_settings else None
    return folds_asked(options.run, options.folds or everywhere)


def _lacks_noise(options: EvaluateOptions) -> bool:
    found = noise_answer(options.run, _noise_folds(options))
    return bool(missing_levels(found, options.noise))


def _evaluate(options: EvaluateOptions, modes: Sequence[Mode], console: Console) -> None:
    run, storage = options.run, options.storage
    with evaluation_session(options, console) as own:
        session, watcher, splits = own.session, own.watcher, own.splits
        for mode in modes:
            if mode == "nested":
                search_other_folds(run, session, storage=storage, watcher=watcher, splits=splits)
            evaluate(run, mode, session, own.lease, storage=storage, watcher=watcher, splits=splits)
        if options.noise:
            noise_sweep(
                run,
                own.lease,
                session,
                folds=_noise_folds(options),
                storage=storage,
                watcher=watcher,
                splits=splits,
                kinds=options.noise,
            )
        _write_card(run)


def _compare_groups(
    run: RunFolder, modes: Sequence[Mode], columns: Mapping[str, Mapping[str, str]]
) -> None:
    with acquire_run(run.root):
        store_groups(run, modes, columns)
        _write_card(run)


def _write_card(run: RunFolder) -> None:
    final = load_final(run)
    write_tested_card(run, stored_evaluations(run), final.winner if final else None)


def _show(console: Console, figures: EvaluationFigures) -> None:
    show_heading(console, figures)
    table = Table("", "mean", "each seed", "95% interval", box=None)
    for key, metric in confusion_metrics().items():
        name, entry = metric.label, of_metric(figures, key)
        seeds = "  ".join(f"{100 * value:.1f}" for value in entry["per_seed"])
        span = interval_in_words(entry["interval"])
        table.add_row(name, f"{100 * entry['mean']:.1f}%", seeds, span)
    if "js" in figures:
        table.add_row(ValJs.label, *_divergence(figures["js"]))
    console.print(table)
    _show_parts(console, figures)
    uas = {name: f"{100 * value:.1f}%" for name, value in figures["per_speaker_ua"].items()}
    show_speakers(console, "UA", uas)
    _show_confusion(console, figures)
    if "ece_at_temperature" in figures:
        errors = (figures["ece"], figures["ece_at_temperature"])
        before, after = (f"{100 * one:.1f}%" for one in errors)
        line = f"calibration error {before}; {after} at the temperature of inner validation"
        console.print(line, highlight=False)
    show_notes(console, figures["notes"])


def _divergence(entry: MetricFigures) -> tuple[str, str, str]:
    seeds, bounds = "  ".join(f"{value:.3f}" for value in entry["per_seed"]), entry["interval"]
    span = f"{bounds[0]:.3f} to {bounds[1]:.3f}" if bounds else "-"
    return f"{entry['mean']:.3f}", seeds, span


def _show_parts(console: Console, figures: EvaluationFigures) -> None:
    """What the final model is made of and measured by, on the same test rows."""
    parts = figures.get("parts", {})
    if not parts:
        return
    labels = [metric.label for metric in confusion_metrics().values()]
    table = Table("beside it", *labels, "final model above it, by fold", box=None)
    for name, part in parts.items():
        values = [f"{100 * mean_of_part(part, key):.1f}%" for key in confusion_metrics()]
        gains = part.get("gain_by_fold", {})
        shown = "  ".join(f"{100 * gain:+.1f}" for _, gain in sorted(gains.items()))
        table.add_row(name, *values, shown)
    console.print(table)


def _show_noise(console: Console, found: NoiseSweep) -> None:
    header, *rows = noise_rows(found["levels"])
    clean = found["levels"][0]
    where = f"{folds_shown(found['winners'])}, {clean['num_speakers']} speakers"
    heading(console, "\nunder noise", f"{where}{mark(clean.get('transductive', False))}")
    table = Table(*header, box=None)
    for row in rows:
        table.add_row(*row)
    console.print(table)
    show_notes(console, clean["notes"])
    left_out = found.get("left_out", {})
    show_notes(console, [f"{name}: {why}" for name, why in left_out.items()], "left out")


def _show_confusion(console: Console, figures: Figures) -> None:
    labels = figures["labels"]
    table = Table("true", title="confusion, predicted across", title_justify="left", box=None)
    for label in [*labels, "recall"]:
        table.add_column(label, justify="right", no_wrap=True, overflow="ellipsis")
    for label, row in zip(labels, figures["confusion"], strict=True):
        recall = figures["per_class_recall"][label]
        shown = "-" if recall is None else f"{100 * recall:.0f}%"
        table.add_row(label, *(str(count) for count in row), shown)
    console.print(table)
