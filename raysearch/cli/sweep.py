"""``raysearch sweep``: a finished search's winner with each value of a setting, or of two."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from raysearch.cli.carried_out import carried_out
from raysearch.cli.experiment_options import SweepOptions
from raysearch.cli.terminal import ProgressLine, heading, plain_console
from raysearch.evaluation.experiment import plan_experiment
from raysearch.evaluation.experiment_figures import Sweep, own_values
from raysearch.evaluation.figures import folds_shown
from raysearch.evaluation.run_splits import RunSplits
from raysearch.evaluation.sweep import (
    NOTE,
    interval_or_range,
    store_sweep,
    stored_sweep,
    sweep_file,
)
from raysearch.evaluation.sweep_axes import Point, points_of, read_axis
from raysearch.evaluation.winner_folds import Folds, folds_asked, winner_configs
from raysearch.reporting.plotting import can_plot
from raysearch.reporting.sweep_plot import draw_sweep
from raysearch.storage.replica import display_path
from raysearch.storage.run_storage import acquire_run
from raysearch.training.transductive import mark

__all__ = ["sweep_run"]


def sweep_run(options: SweepOptions) -> int:
    """Carry the verb out."""
    run, console = options.run, plain_console()
    folds = folds_asked(run, options.folds)
    axes = [read_axis(text) for text in options.axes]
    points = points_of(winner_configs(run, folds), axes)
    found = stored_sweep(run, points, folds)
    if found is None:
        found = _sweep(options, points, folds, console)
    else:
        console.print("swept before; the stored figures:")
    _show(console, found)
    written = sweep_file(run, found["fields"])
    places = [written.with_suffix(suffix) for suffix in (".json", ".md", ".svg")]
    names = ", ".join(display_path(path) for path in places if path.exists())
    console.print(f"written to {names}", soft_wrap=True)
    if not can_plot():
        console.print("no figure: matplotlib is missing: pip install 'raysearch[plot]'")
    return 0


def _sweep(options: SweepOptions, points: Sequence[Point], folds: Folds, console: Console) -> Sweep:
    run = options.run
    with acquire_run(run.root) as lease, ProgressLine(console) as progress:
        changes = {point.name: point.of for point in points}
        splits = RunSplits(run, options.storage)
        experiment = plan_experiment(run, changes, folds=folds, splits=splits)
        outcome = carried_out(experiment, options, lease, progress)
        found = store_sweep(experiment, outcome, points, folds)
        if can_plot():  # while the run is held, so that a bucket gets it as well
            draw_sweep(found, sweep_file(run, found["fields"]).with_suffix(".svg"))
        return found


def _show(console: Console, found: Sweep) -> None:
    winner, fields = found["winner"], found["fields"]
    folds = folds_shown(found["winners"])
    heading(
        console,
        "test",
        f"{winner['protocol']}, {folds}, {winner['num_speakers']} speakers, three seeds each; "
        f"{' and '.join(fields)}",
    )
    interval = "95% interval" if winner["ua"]["interval"] else "(speakers)"
    short = [field.rpartition(".")[2] for field in fields]
    ua = f"UA{mark(winner.get('transductive', False))}"
    table = Table(*short, ua, interval, "difference", "verdict", box=None)
    mean = f"{100 * winner['ua']['mean']:.1f}%"
    table.add_row(*own_values(found), mean, interval_or_range(winner), "", "(the winner)")
    for point in found["points"]:
        if (compared := point["comparison"]) is None:
            continue
        table.add_row(
            *(str(value) for value in point["values"].values()),
            f"{100 * point['figures']['ua']['mean']:.1f}%",
            interval_or_range(point["figures"]),
            f"{100 * compared['difference']:+.1f}",
            compared["verdict"],
        )
    console.print(table)
    for point in found["points"]:
        if point["comparison"]:
            console.print(f"  {point['comparison']['sentence']}")
    for note in [*winner["notes"], NOTE]:
        console.print(f"  note: {note}", style="dim")
