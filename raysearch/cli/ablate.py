"""``raysearch ablate``: what a finished search's winner owes to each of its parts."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from raysearch.cli.evaluation_options import AblateOptions
from raysearch.cli.terminal import ProgressLine, heading, plain_console
from raysearch.evaluation.ablate import ablate, stored_ablations
from raysearch.evaluation.figures import Ablations
from raysearch.evaluation.named_ablations import check_names
from raysearch.ray_cluster.session import cluster_session
from raysearch.storage.replica import display_path
from raysearch.storage.run_storage import acquire_run
from raysearch.training.transductive import mark
from raysearch.tuning.tuner import Watcher

__all__ = ["ablate_run"]


def ablate_run(options: AblateOptions) -> int:
    """Carry the verb out."""
    run, names, console = options.run, options.names, plain_console()
    check_names(names)
    found = stored_ablations(run)
    done = [*found["ablations"], *found["skipped"]] if found else []
    if found is None or any(name not in done for name in names):
        found = _ablate(options, names and [*done, *names], console)
    else:
        console.print("ablated before; the stored figures:", highlight=False)
    _show(console, found)
    where = display_path(run.root / "ablations.json")
    console.print(f"written to {where}", highlight=False, markup=False, soft_wrap=True)
    return 0


def _ablate(options: AblateOptions, names: Sequence[str], console: Console) -> Ablations:
    run = options.run
    with (
        acquire_run(run.root) as lease,
        ProgressLine(console) as progress,
        cluster_session(options.address, run.logs) as session,
    ):
        return ablate(
            run,
            lease,
            session,
            names=list(dict.fromkeys(names)),
            storage=options.storage,
            watcher=Watcher(progress.say, progress.update),
        )


def _show(console: Console, found: Ablations) -> None:
    winner = found["winner"]
    heading(
        console,
        "test",
        f"{winner['protocol']}, fold {winner['fold']}, "
        f"{winner['num_speakers']} speakers, three seeds each"
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
