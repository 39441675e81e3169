"""``raysearch leak-study``: how much of a figure is leakage, in four arms."""

import time

from rich.console import Console
from rich.table import Table

from raysearch.cli.leak_study_options import LeakStudyOptions
from raysearch.cli.terminal import ProgressLine, heading, plain_console
from raysearch.errors import UserError
from raysearch.evaluation.experiment_figures import LeakStudy
from raysearch.evaluation.leak_study import (
    MEANINGS,
    check_spec,
    leak_study,
    sentence,
    stored_study,
)
from raysearch.evaluation.markdown import interval_in_words
from raysearch.ray_cluster.session import cluster_session
from raysearch.run_folder import RunFolder
from raysearch.spec import SearchSpec
from raysearch.storage.replica import display_path
from raysearch.storage.run_storage import acquire_run
from raysearch.streaming.preparation import prepare_split
from raysearch.tuning.tuner import Watcher

__all__ = ["study"]


def study(options: LeakStudyOptions) -> int:
    """Carry the verb out."""
    console = plain_console()
    spec = SearchSpec.load(options.space, options.settings)
    stamp = time.strftime("%Y%m%d-%H%M%S")
    name = options.name or f"leak-study-{spec.name}-{spec.corpus.name}-{stamp}"
    run = RunFolder(options.storage / name)
    check_spec(spec)
    found = stored_study(run, options.seeds)
    if found is not None:
        run.check(spec, resume=True)  # figures of other settings are not these
        console.print("studied before; the stored figures:", highlight=False)
    else:
        found = _study(options, spec, run, console)
    _show(console, found)
    where = display_path(run.root / "leak_study.json")
    console.print(f"written to {where}", highlight=False, markup=False, soft_wrap=True)
    return 0


def _study(
    options: LeakStudyOptions, spec: SearchSpec, run: RunFolder, console: Console
) -> LeakStudy:
    if spec.pretrain.wanted:
        raise UserError("a leak study's arms start from nothing: leave pretrain out")
    audited = prepare_split(spec, options.storage)
    with acquire_run(run.root) as lease:
        # A second study of the same name continues the first, and must be of the same settings.
        run.open(spec, resume=run.spec_file.exists())
        with (
            ProgressLine(console) as progress,
            cluster_session(options.address, run.logs) as session,
        ):
            progress.say(f"study: {display_path(run.root)}")
            return leak_study(
                spec,
                run,
                lease,
                audited.corpus,
                session,
                num_seeds=options.seeds,
                storage=options.storage,
                watcher=Watcher(progress.say, progress.update),
            )


def _show(console: Console, found: LeakStudy) -> None:
    heading(
        console,
        "leak study",
        f"{found['space']} on {found['corpus']}: "
        f"{found['num_train_rows']} training rows, {found['epochs']} epochs, "
        f"{found['folds']} folds by speaker, every clean original tested once",
    )
    table = Table("arm", "", "UA", "95% interval", "", box=None)
    for name, figures in found["arms"].items():
        span = interval_in_words(figures["ua"]["interval"])
        label = "honest" if figures["valid"] else "chance" if name == "D" else "invalid"
        mean = f"{100 * figures['ua']['mean']:.1f}%"
        table.add_row(name, MEANINGS[name], mean, span, label)
    console.print(table)
    console.print(sentence(found), highlight=False)
