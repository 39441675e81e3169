"""``raysearch ablate``: what a finished search's winner owes to each of its parts."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from raysearch.cli.carried_out import carried_out
from raysearch.cli.experiment_options import AblateOptions
from raysearch.cli.terminal import ProgressLine, heading, plain_console
from raysearch.evaluation.ablate import (
    ablations_file,
    applicable,
    store_ablations,
    stored_ablations,
)
from raysearch.evaluation.experiment import plan_experiment
from raysearch.evaluation.experiment_figures import Ablations
from raysearch.evaluation.figures import folds_shown
from raysearch.evaluation.named_ablations import ABLATIONS
from raysearch.evaluation.run_splits import RunSplits
from raysearch.evaluation.winner_folds import Folds, folds_asked
from raysearch.storage.replica import display_path
from raysearch.storage.run_storage import acquire_run
from raysearch.training.transductive import mark

__all__ = ["ablate_run"]


def ablate_run(options: AblateOptions) -> int:
    """Carry the verb out."""
    run, console = options.run, plain_console()
    folds = folds_asked(run, options.folds)
    applicable(run, options.names, folds)  # a mistake is told before anything starts
    found = stored_ablations(run, folds)
    known = [*found["ablations"], *found["skipped"]] if found else []
    if set(options.names or [ablation.name for ablation in ABLATIONS]) - set(known):
        # What was found on the same folds stays in the table.
        names = list(dict.fromkeys([*known, *options.names])) if options.names else []
        found = _ablate(options, names, folds, console)
    else:
        console.print("ablated before; the stored figures:", highlight=False)
    assert found is not None
    _show(console, found)
    where = display_path(ablations_file(run))
    console.print(f"written to {where}", highlight=False, markup=False, soft_wrap=True)
    return 0


def _ablate(
    options: AblateOptions, names: Sequence[str], folds: Folds, console: Console
) -> Ablations:
    run = options.run
    with acquire_run(run.root) as lease, ProgressLine(console) as progress:
        changes, skipped = applicable(run, names, folds)
        splits = RunSplits(run, options.storage)
        experiment = plan_experiment(run, changes, folds=folds, splits=splits)
        outcome = carried_out(experiment, options, lease, progress)
        return store_ablations(experiment, outcome, skipped, folds)


def _show(console: Console, found: Ablations) -> None:
    winner = found["winner"]
    folds = folds_shown(found["winners"])
    heading(
        console,
        "test",
        f"{winner['protocol']}, {folds}, {winner['num_speakers']} speakers, three seeds each"
        f"{mark(winner.get('transductive', False))}",
    )
    table = Table("without", "UA", "difference", "verdict", box=None)
    table.add_row("(the winner)", f"{100 * winner['ua']['mean']:.1f}%", "", "")
    for name, entry in found["ablations"].items():
        comparison = entry["comparison"]
        table.add_row(
            name,
            f"{100 * entry['figures']['ua']['mean']:.1f}%",
            f"{100 * comparison['difference']:+.1f}",
            comparison["verdict"],
        )
    console.print(table)
    for entry in found["ablations"].values():
        console.print(f"  {entry['comparison']['sentence']}", highlight=False)
    for name, why in found["skipped"].items():
        console.print(f"  {name}: skipped, {why}", highlight=False, style="dim")
    for note in winner["notes"]:
        console.print(f"  note: {note}", highlight=False, style="dim")
