"""``raysearch ablate``: what a finished search's winner owes to each of its parts."""

import argparse
from typing import Any

from rich.console import Console
from rich.table import Table

from raysearch.cli.options import add_cluster, add_run, run_at, storage_folder
from raysearch.cli.terminal import ProgressLine, heading, plain_console
from raysearch.run_folder import RunFolder
from raysearch.storage.replica import display_path
from raysearch.training.transductive import mark

__all__ = ["add"]


def add(verbs: Any) -> None:
    """Add the verb to the parser."""
    parser = verbs.add_parser(
        "ablate", help="retrain a winner without its parts", description=__doc__
    )
    add_run(parser)
    parser.add_argument(
        "--only", metavar="A,B", help="augmentation, resolution-32, attention, prosody, ..."
    )
    parser.add_argument(
        "--storage",
        type=storage_folder,
        metavar="DIR|URL",
        help="where features are kept (default: by the run)",
    )
    add_cluster(parser)
    parser.set_defaults(verb=ablate_run)


def ablate_run(arguments: argparse.Namespace) -> int:
    """Carry the verb out."""
    from raysearch.evaluation.ablate import stored_ablations
    from raysearch.evaluation.named_ablations import check_names

    run = run_at(arguments.run)
    console = plain_console()
    names = [name.strip() for name in arguments.only.split(",")] if arguments.only else []
    check_names(names)
    found = stored_ablations(run)
    done = {**found.get("ablations", {}), **found.get("skipped", {})}
    if not found or any(name not in done for name in names):
        found = _ablate(arguments, run, names and [*done, *names], console)
    else:
        console.print("ablated before; the stored figures:", highlight=False)
    _show(console, found)
    where = display_path(run.root / "ablations.json")
    console.print(f"written to {where}", highlight=False, markup=False, soft_wrap=True)
    return 0


def _ablate(
    arguments: argparse.Namespace, run: RunFolder, names: list[str], console: Console
) -> dict[str, Any]:
    from raysearch.evaluation.ablate import ablate
    from raysearch.ray_cluster.session import cluster_session
    from raysearch.storage.run_storage import acquire_run
    from raysearch.tuning.tuner import Watcher

    with (
        acquire_run(run.root) as lease,
        ProgressLine(console) as progress,
        cluster_session(arguments.address, run.logs) as session,
    ):
        return ablate(
            run,
            lease,
            session,
            names=list(dict.fromkeys(names)),
            storage=arguments.storage or run.storage,
            watcher=Watcher(progress.say, progress.update),
        )


def _show(console: Console, found: dict[str, Any]) -> None:
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
