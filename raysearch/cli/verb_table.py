"""The verbs by name: a line of help each, and what is imported once a verb is chosen.

Help needs this table alone; a verb's own help needs its options, too; what the verb does, with all
that it imports, is loaded when its options are read.
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Protocol, Self

from raysearch.cli.interruptions import ended_at_once
from raysearch.imports import without_collections

__all__ = ["VERBS", "Options", "Verb"]


class Options(Protocol):
    """What a verb is asked for, read from the command line; its docstring describes the verb."""

    @classmethod
    def add(cls, parser: argparse.ArgumentParser) -> None:
        """Add the verb's arguments to its parser."""

    @classmethod
    def of(cls, arguments: argparse.Namespace) -> Self:
        """Read what was parsed.

        Raises:
            RaysearchError: it cannot be meant.
        """


@dataclass(frozen=True, slots=True)
class Verb:
    """One verb.

    Attributes:
        help: its line in the help of the whole command.
        options: ``module:Class`` of its options.
        work: ``module:function`` that takes them and returns the exit code.
    """

    help: str
    options: str
    work: str

    def load_options(self) -> type[Options]:
        """Import the class of the options."""
        found: type[Options] = _load(self.options)
        return found

    def load_work(self) -> Callable[[Options], int]:
        """Import the function that does the work."""
        found: Callable[[Options], int] = _load(self.work)
        return found


def _load(target: str) -> Any:
    module, _, attribute = target.partition(":")
    with ended_at_once(), without_collections():
        return getattr(import_module(module), attribute)


# In the order in which help lists them.
VERBS = {
    "run": Verb(
        "search for the best model",
        "raysearch.cli.run_options:RunOptions",
        "raysearch.cli.run:run",
    ),
    "corpus": Verb(
        "describe a corpus and audit its folds",
        "raysearch.cli.inspection_options:CorpusOptions",
        "raysearch.cli.corpus:describe",
    ),
    "evaluate": Verb(
        "score a finished search on test rows",
        "raysearch.cli.evaluation_options:EvaluateOptions",
        "raysearch.cli.evaluate:evaluate_run",
    ),
    "ablate": Verb(
        "retrain a winner without its parts",
        "raysearch.cli.experiment_options:AblateOptions",
        "raysearch.cli.ablate:ablate_run",
    ),
    "sweep": Verb(
        "retrain a winner with each value of a setting",
        "raysearch.cli.experiment_options:SweepOptions",
        "raysearch.cli.sweep:sweep_run",
    ),
    "compare": Verb(
        "compare evaluated runs, each with the first",
        "raysearch.cli.evaluation_options:CompareOptions",
        "raysearch.cli.compare:compare_runs",
    ),
    "cross-corpus": Verb(
        "score winners on each other's corpora",
        "raysearch.cli.evaluation_options:CrossCorpusOptions",
        "raysearch.cli.cross_corpus:score_across",
    ),
    "leak-study": Verb(
        "what leaking splits add to a figure",
        "raysearch.cli.leak_study_options:LeakStudyOptions",
        "raysearch.cli.leak_study:study",
    ),
    "reproduce": Verb(
        "a paper's figure made again, and what its difference is made of",
        "raysearch.cli.reproduce_options:ReproduceOptions",
        "raysearch.cli.reproduce:reproduce_system",
    ),
    "replay": Verb(
        "compare ways to search on recorded learning curves",
        "raysearch.cli.replay_options:ReplayOptions",
        "raysearch.cli.replay:replay_tables",
    ),
    "predict": Verb(
        "the emotion in recordings",
        "raysearch.cli.model_options:PredictOptions",
        "raysearch.cli.predict:predict",
    ),
    "export": Verb(
        "the model for other runtimes",
        "raysearch.cli.model_options:ExportOptions",
        "raysearch.cli.export:export",
    ),
    "serve": Verb(
        "the model behind HTTP, and a page to try it on",
        "raysearch.cli.serve_options:ServeOptions",
        "raysearch.cli.serve:serve",
    ),
    "report": Verb(
        "a run as one page that opens offline",
        "raysearch.cli.page_options:ReportOptions",
        "raysearch.cli.report:report",
    ),
    "watch": Verb(
        "a run's page, live",
        "raysearch.cli.page_options:WatchOptions",
        "raysearch.cli.watch:watch",
    ),
    "systems": Verb(
        "list the built-in systems",
        "raysearch.cli.inspection_options:SystemsOptions",
        "raysearch.cli.systems:show",
    ),
    "runs": Verb(
        "the runs of a folder or bucket; list: a cluster's jobs",
        "raysearch.cli.storage_options:RunsOptions",
        "raysearch.cli.list_runs:show",
    ),
    "dashboards": Verb(
        "a run in TensorBoard and optuna-dashboard",
        "raysearch.cli.dashboards_options:DashboardsOptions",
        "raysearch.cli.dashboards:watch",
    ),
    "query": Verb(
        "SQL over a run's trials, epochs and predictions",
        "raysearch.cli.query_options:QueryOptions",
        "raysearch.cli.query:query",
    ),
    "gc": Verb(
        "what a storage can do without, and its removal",
        "raysearch.cli.storage_options:GcOptions",
        "raysearch.cli.clear_storage:clear",
    ),
    "submit": Verb(
        "a search as a job of a cluster",
        "raysearch.cli.sending_options:SubmitOptions",
        "raysearch.cli.submit:submit",
    ),
    "status": Verb(
        "what a submitted search does",
        "raysearch.cli.job_options:StatusOptions",
        "raysearch.cli.status:status",
    ),
    "logs": Verb(
        "what a submitted search prints",
        "raysearch.cli.job_options:LogsOptions",
        "raysearch.cli.logs:logs",
    ),
    "stop": Verb(
        "end a submitted search",
        "raysearch.cli.job_options:StopOptions",
        "raysearch.cli.stop:stop",
    ),
    "list": Verb(
        "a cluster's submitted searches; runs: what a storage keeps",
        "raysearch.cli.job_options:ListOptions",
        "raysearch.cli.list_jobs:show",
    ),
    "resume": Verb(
        "go on with a run on this or another cluster",
        "raysearch.cli.sending_options:ResumeOptions",
        "raysearch.cli.resume:resume",
    ),
    "doctor": Verb(
        "is this machine, or a cluster, fit for a search",
        "raysearch.cli.inspection_options:DoctorOptions",
        "raysearch.cli.doctor:examine",
    ),
    "completion": Verb(
        "a script by which bash, zsh or fish completes",
        "raysearch.cli.completion_options:CompletionOptions",
        "raysearch.cli.completion:write",
    ),
}
