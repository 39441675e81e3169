"""``raysearch leak-study``: how much of a figure is leakage, in four arms."""

import argparse
import time
from typing import Any

from rich.console import Console
from rich.table import Table

from raysearch.cli.options import add_cluster, add_data, add_resources, add_storage, overrides
from raysearch.cli.terminal import ProgressLine, heading, plain_console
from raysearch.config.overrides import parse_override
from raysearch.errors import UserError
from raysearch.run_folder import RunFolder
from raysearch.spec import SearchSpec
from raysearch.storage.replica import display_path

__all__ = ["add"]


def add(verbs: Any) -> None:
    """Add the verb to the parser."""
    parser = verbs.add_parser(
        "leak-study", help="what leaking splits add to a figure", description=__doc__
    )
    parser.add_argument("--space", default="cnn1d_attention", metavar="NAME|PATH")
    add_data(parser)
    add_storage(parser)
    parser.add_argument("--name", metavar="STUDY", help="the study's folder")
    parser.add_argument("--max-epochs", type=int, metavar="N", help="epochs of each arm")
    parser.add_argument("--seed", type=int, metavar="S")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    add_resources(parser)
    add_cluster(parser)
    parser.set_defaults(verb=study)


def study(arguments: argparse.Namespace) -> int:
    """Carry the verb out."""
    from raysearch.evaluation.leak_study import check_spec
    from raysearch.training.checkpoint import load_json

    console = plain_console()
    spec = SearchSpec.load(
        arguments.space,
        [*overrides(arguments).items(), *(parse_override(text) for text in arguments.set)],
    )
    stamp = time.strftime("%Y%m%d-%H%M%S")
    name = arguments.name or f"leak-study-{spec.name}-{spec.corpus.name}-{stamp}"
    run = RunFolder(arguments.storage / name)
    check_spec(spec)
    path = run.root / "leak_study.json"
    if path.exists():
        run.check(spec, resume=True)  # figures of other settings are not these
        console.print("studied before; the stored figures:", highlight=False)
        found = load_json(path)
    else:
        found = _study(arguments, spec, run, console)
    _show(console, found)
    console.print(f"written to {display_path(path)}", highlight=False, markup=False, soft_wrap=True)
    return 0


def _study(
    arguments: argparse.Namespace, spec: SearchSpec, run: RunFolder, console: Console
) -> dict[str, Any]:
    from raysearch.evaluation.leak_study import leak_study
    from raysearch.ray_cluster.session import cluster_session
    from raysearch.storage.run_storage import acquire_run
    from raysearch.streaming.preparation import prepare_split
    from raysearch.tuning.tuner import Watcher

    if spec.pretrain.wanted:
        raise UserError("a leak study's arms start from nothing: leave pretrain out")
    audited = prepare_split(spec, arguments.storage)
    with acquire_run(run.root) as lease:
        # A second study of the same name continues the first, and must be of the same settings.
        run.open(spec, resume=run.spec_file.exists())
        with (
            ProgressLine(console) as progress,
            cluster_session(arguments.address, run.logs) as session,
        ):
            progress.say(f"study: {display_path(run.root)}")
            return leak_study(
                spec,
                run,
                lease,
                audited,
                session,
                storage=arguments.storage,
                watcher=Watcher(progress.say, progress.update),
            )


def _show(console: Console, found: dict[str, Any]) -> None:
    from raysearch.evaluation.leak_study import MEANINGS, sentence

    heading(
        console,
        "leak study",
        f"{found['space']} on {found['corpus']}: "
        f"{found['num_train_rows']} training rows, {found['epochs']} epochs, "
        "three seeds an arm, tested on clean originals",
    )
    table = Table("arm", "", "UA", "each seed", "", box=None)
    for name, figures in found["arms"].items():
        seeds = "  ".join(f"{100 * value:.1f}" for value in figures["ua"]["per_seed"])
        label = "honest" if figures["valid"] else "chance" if name == "D" else "invalid"
        mean = f"{100 * figures['ua']['mean']:.1f}%"
        table.add_row(name, MEANINGS[name], mean, seeds, label)
    console.print(table)
    console.print(sentence(found), highlight=False)
