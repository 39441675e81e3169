"""Options that several verbs share, and what they mean as settings."""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

from raysearch.config.metric_table import METRICS
from raysearch.config.overrides import parse_override
from raysearch.config.search import Final
from raysearch.run_folder import RunFolder
from raysearch.storage.replica import open_storage

__all__ = [
    "AUTO",
    "Setting",
    "add_budgets",
    "add_cluster",
    "add_cluster_dashboard",
    "add_data",
    "add_job",
    "add_resources",
    "add_resume",
    "add_run",
    "add_search",
    "add_storage",
    "folder_at",
    "given_settings",
    "names_several",
    "overrides",
    "places_of",
    "run_at",
    "storage_folder",
]

# A dotted key, and its value as a spec takes it.
Setting = tuple[str, Any]

# Not a space: all systems, of which the best for the data is found.
AUTO = "auto"
_PATHS = ("data", "pretrain_data", "pretrained")
# Option name to the setting it stands for.
_SETTINGS = {
    "corpus": "corpus.name",
    "data": "corpus.data",
    "pretrain_on": "pretrain.on",
    "pretrain_data": "pretrain.data",
    "pretrained": "pretrain.weights",
    "protocol": "protocol.name",
    "fold": "protocol.fold",
    "trials": "search.trials",
    "max_epochs": "training.epochs",
    "epoch_budget": "search.epoch_budget",
    "time_budget": "search.time_budget",
    "core_budget": "search.core_budget",
    "objective": "search.objective",
    "final": "search.final",
    "workers": "search.workers",
    "cpus_per_worker": "search.cpus_per_worker",
    "gpus_per_worker": "search.gpus_per_worker",
    "slots": "search.slots",
    "priority": "search.priority",
    "share": "search.share",
    "seed": "search.seed",
}


def add_search(parser: argparse.ArgumentParser) -> None:
    """What is searched, on what data, for how long, with what resources."""
    parser.add_argument(
        "--space",
        metavar="NAME|PATH|auto",
        help="what is searched; auto: every system whose weights are there, in a race for the best "
        "one; A,B,C: these",
    )
    add_data(parser)
    parser.add_argument(
        "--name", metavar="RUN", help="the run's folder (default: <space>-<corpus>-<timestamp>)"
    )
    add_budgets(parser)
    parser.add_argument(
        "--objective",
        metavar=f"{{{','.join(METRICS.built_in)}}}",
        help="what the best trial is best at (default: val_uar_mean3, the mean UA of three epochs)",
    )
    parser.add_argument(
        "--final",
        choices=get_args(Final),
        help="what the search ends with: its best trial alone, that trial's settings learned again"
        " from all rows, its inner folds' nets, or several trials together (default: auto)",
    )
    add_resources(parser)
    parser.add_argument("--seed", type=int, metavar="S")
    parser.add_argument(
        "--warm-start",
        action="append",
        metavar="RUN[,RUN...]",
        help="first try the best settings of earlier runs of the same model, on these data or "
        "others: three of one run, five of several, most of the one whose data are most like these",
    )
    _add_start(parser)
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="any setting, as training.epochs=30; a searched field that is set is fixed",
    )


def add_budgets(parser: argparse.ArgumentParser, *, trials: str = "trials in all") -> None:
    """Add the options that say how long a search may take; ``trials`` is the first one's help."""
    group = parser.add_argument_group("budgets")
    group.add_argument("--trials", type=int, metavar="N", help=trials)
    group.add_argument("--max-epochs", type=int, metavar="N", help="epochs of a whole trial")
    group.add_argument("--epoch-budget", type=int, metavar="N", help="epochs of all trials")
    group.add_argument("--time-budget", metavar="30m", help="wall time of the search")
    group.add_argument("--core-budget", metavar="8m", help="the slots' CPUs x wall time")


def _add_start(parser: argparse.ArgumentParser) -> None:
    """What trials start from."""
    group = parser.add_argument_group("start")
    group.add_argument(
        "--pretrain-on",
        metavar="NAME",
        help="first learn one net of these corpora (A,B), none of whose speakers is tested on; "
        "every trial starts from it",
    )
    group.add_argument(
        "--pretrain-data",
        metavar="DIR|FILE|URL",
        help="their folders or files; of several, DIR,DIR",
    )
    group.add_argument(
        "--pretrained",
        metavar="RUN",
        help="start every trial from an earlier run's model: the run, its best/, or weights there",
    )


def add_resume(parser: argparse.ArgumentParser) -> None:
    """Add ``--resume``, which continues a run."""
    parser.add_argument(
        "--resume",
        nargs="?",
        const="yes",
        choices=("yes", "auto"),
        help="continue the run of --name, or the newest run of the same settings; auto: only if "
        "there is one, for whatever starts a job again",
    )


def add_data(parser: argparse.ArgumentParser, *, fold: bool = True) -> None:
    """Add the options that choose the corpus and how it is split; ``fold``: one of its folds."""
    group = parser.add_argument_group("data")
    group.add_argument("--corpus", metavar="NAME", help="corpus (default: demo), or A,B as one")
    group.add_argument(
        "--data", metavar="DIR|FILE|URL", help="the corpus' folder or file; of several, DIR,DIR"
    )
    group.add_argument(
        "--protocol",
        metavar="P",
        help="speaker_independent (default), text_independent, session_independent or paper",
    )
    if fold:
        group.add_argument("--fold", type=int, metavar="K", help="outer fold, from 0")


def add_resources(parser: argparse.ArgumentParser) -> None:
    """Add the options that say how the machine or cluster is used."""
    group = parser.add_argument_group("resources")
    group.add_argument(
        "--workers",
        type=_workers,
        metavar="W|W:M",
        help="training processes of a trial, or from W to M as nodes come and go",
    )
    group.add_argument("--cpus-per-worker", type=int, metavar="C")
    group.add_argument("--gpus-per-worker", type=float, metavar="G")
    group.add_argument("--slots", type=int, metavar="N", help="trials at a time, at most")
    group.add_argument(
        "--priority", type=int, metavar="P", help="on a shared cluster: higher ones come first"
    )
    group.add_argument(
        "--share", type=float, metavar="F", help="on a shared cluster: the part to take at most"
    )


def add_storage(parser: argparse.ArgumentParser) -> None:
    """Add ``--storage``, where runs and features are kept."""
    parser.add_argument(
        "--storage",
        type=storage_folder,
        default=Path("results"),
        metavar="DIR|URL",
        help="where runs and features are kept: a folder, s3://BUCKET/PREFIX or gs://BUCKET/PREFIX"
        " (default: ./results)",
    )


def storage_folder(text: str) -> Path:
    """The folder to work in for ``--storage``."""
    if "://" not in text:
        return Path(text)
    return open_storage(text.removeprefix("file://"))


def add_run(parser: argparse.ArgumentParser, name: str = "run", **options: Any) -> None:
    """Add the argument that names an existing run: its folder, or ``URL/name``."""
    parser.add_argument(name, metavar="RUN", help="results/<run>, or URL/<run>", **options)


def run_at(text: str) -> RunFolder:
    """The run that is meant; raises MissingPathError if there is none."""
    return RunFolder.existing(folder_at(text))


def folder_at(text: str) -> Path:
    """The folder of the run, or of the race, that is meant, as it is now.

    Raises:
        MissingPathError: a URL at which there is none.
    """
    text = text.removeprefix("file://")
    if "://" not in text:
        path = Path(text)
        # The run is known by its folder's name, which "." and ".." do not say.
        return path if path.name not in ("", "..") else path.resolve()
    # Imports torch, for which an option need not wait.
    from raysearch.storage.run_storage import fetched_run

    return fetched_run(text)


def places_of(texts: Sequence[str]) -> list[str]:
    """Where the runs are that are meant, several with commas between."""
    parts = [[text] if Path(text).exists() else text.split(",") for text in texts]
    return [part.strip().removeprefix("file://") for several in parts for part in several]


def add_cluster(parser: argparse.ArgumentParser) -> None:
    """Add the option that chooses the Ray cluster to talk to."""
    parser.add_argument(
        "--address",
        metavar="ADDR",
        default=os.environ.get("RAY_ADDRESS"),
        help="a running Ray cluster (default: RAY_ADDRESS, else a private local Ray)",
    )


def add_cluster_dashboard(parser: argparse.ArgumentParser) -> None:
    """Which cluster, by the address at which its jobs are managed."""
    parser.add_argument(
        "--address",
        metavar="URL",
        help="the cluster's dashboard (default: RAY_API_SERVER_ADDRESS, else "
        "http://127.0.0.1:8265, where `ray dashboard FILE` opens a tunnel)",
    )


def add_job(parser: argparse.ArgumentParser) -> None:
    """Add the argument that names a run which was submitted to a cluster."""
    parser.add_argument("run", metavar="RUN", help="its name, or STORAGE/NAME")


def names_several(space: str | None) -> bool:
    """Tell whether ``--space`` names several systems, which then race."""
    return space is not None and (space == AUTO or "," in space)


def overrides(arguments: argparse.Namespace) -> dict[str, object]:
    """The settings that the given options stand for, by dotted key."""
    given = {}
    for option, key in _SETTINGS.items():
        if (value := getattr(arguments, option, None)) is not None:
            given[key] = _absolute(value) if option in _PATHS else value
    if isinstance(workers := given.get("search.workers"), tuple):
        given["search.workers"], given["search.max_workers"] = workers
    return given


def given_settings(arguments: argparse.Namespace) -> list[Setting]:
    """The settings that the options stand for, then those of ``--set``, which are laid over them.

    Raises:
        ConfigError: a ``--set`` of no form.
    """
    return [*overrides(arguments).items(), *(parse_override(text) for text in arguments.set)]


def _workers(text: str) -> int | tuple[int, int]:
    least, colon, most = text.partition(":")
    return (int(least), int(most)) if colon else int(text)


def _absolute(data: str) -> str:
    """A path or URL, or several with commas between, that mean the same from any folder."""
    paths = [data] if Path(data).exists() else data.split(",")
    return ",".join(p if not p or "://" in p else str(Path(p).absolute()) for p in paths)
