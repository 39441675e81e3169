"""What ``raysearch evaluate`` does alike for emotions and for dimensions."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from raysearch.cli.evaluation_options import EvaluateOptions
from raysearch.cli.terminal import ProgressLine, heading
from raysearch.evaluation.dimension_scores import DimensionEvaluation
from raysearch.evaluation.evaluate import best_record
from raysearch.evaluation.figures import EvaluationFigures, Mode
from raysearch.evaluation.run_splits import RunSplits
from raysearch.ray_cluster.session import ClusterSession, cluster_session
from raysearch.reporting.sentences import print_sentence
from raysearch.run_lease import Lease
from raysearch.storage.replica import display_path
from raysearch.storage.run_storage import acquire_run
from raysearch.tuning.tuner import Watcher

__all__ = [
    "EvaluationSession",
    "evaluation_session",
    "show_file",
    "show_heading",
    "show_notes",
    "show_speakers",
]

FEW_SPEAKERS = 8

_TITLES: dict[Mode, str] = {
    "nested": "nested: searched anew in each fold",
    "fold": "the searched fold",
    "reuse-settings": "settings of the searched fold",
    "paper": "split as the paper did",
}


@dataclass(frozen=True)
class EvaluationSession:
    """What scoring a run needs: its lease, a connected Ray, who is told, and the run's splits."""

    lease: Lease
    session: ClusterSession
    watcher: Watcher
    splits: RunSplits


@contextmanager
def evaluation_session(options: EvaluateOptions, console: Console) -> Iterator[EvaluationSession]:
    """Hold the run and a Ray while it is scored.

    Raises:
        UserError: the run has no winner, which is told before Ray is started.
    """
    run = options.run
    best_record(run)
    with (
        acquire_run(run.root) as lease,
        ProgressLine(console) as progress,
        cluster_session(options.address, run.logs) as session,
    ):
        watcher = Watcher(progress.say, progress.update)
        yield EvaluationSession(lease, session, watcher, RunSplits(run, options.storage))


def show_heading(console: Console, figures: EvaluationFigures | DimensionEvaluation) -> None:
    """Print on what the figures were found."""
    where = f"fold {figures['fold']}" if "fold" in figures else "all folds"
    note = _TITLES[figures["mode"]]
    note += "" if figures.get("valid", True) else ", invalid"
    note += ", transductive" if figures.get("transductive") else ""
    rest = f"{figures['protocol']}, {where} ({note}), {figures['num_speakers']} speakers"
    heading(console, "\ntest", rest)


def show_notes(console: Console, notes: Iterable[str], kind: str = "note") -> None:
    """Print what is to be known of figures, a line each that begins with its ``kind``."""
    for note in notes:
        print_sentence(console, f"  {kind}: {note}")


def show_speakers(console: Console, what: str, values: Mapping[str, str]) -> None:
    """Print ``what`` each speaker has, where they are few enough for a line."""
    if 0 < len(values) < FEW_SPEAKERS:
        each = ", ".join(f"{name} {value}" for name, value in values.items())
        console.print(f"{what} by speaker: {each}", highlight=False)


def show_file(console: Console, path: Path) -> None:
    """Print where the figures are."""
    line = f"written to {display_path(path)}"
    console.print(line, highlight=False, markup=False, soft_wrap=True)
