"""A search in MLflow: a parent run, and a child run a trial.

Where they go is MLflow's to know: MLFLOW_TRACKING_URI, MLFLOW_EXPERIMENT_ID or
MLFLOW_EXPERIMENT_NAME, and its credentials.
"""

import logging
import os
import time
from collections.abc import Iterator, Mapping
from itertools import islice

from mlflow.entities import Metric, Param, RunTag
from mlflow.tracking import MlflowClient

from raysearch.tracking.tracker import CUT_OFF, Figures, TrackedSearch, TrackedTrial

__all__ = ["MlflowTracker"]

EXPERIMENT = "raysearch"
PARENT = "mlflow.parentRunId"
SEARCH, TRIAL, EPOCH = "raysearch.search", "raysearch.trial", "epoch"
# A request takes no more parameters; a parameter no longer values.
MOST_PARAMS, LONGEST = 100, 500
_STATUSES = {"completed": "FINISHED", "pruned": "FINISHED", "failed": "FAILED"}


class MlflowTracker:
    """MLflow, by its client; each run is found again by the tags of its search and trial."""

    def __init__(self) -> None:
        logging.getLogger("mlflow").setLevel(logging.WARNING)  # it tells of tables it makes
        self._client = MlflowClient()
        self._experiment = _experiment(self._client)
        self._parent = ""
        self._tags: dict[str, str] = {}
        self._runs: dict[int, str] = {}
        self._open: set[int] = set()
        self._found: dict[str, tuple[str, int]] = {}

    def open(self, search: TrackedSearch) -> None:
        """Find the search's runs, or begin its first."""
        tag = {SEARCH: search.identity}
        self._tags = {**tag, **{f"raysearch.{key}": text for key, text in search.tags.items()}}
        self._found = dict(self._search(search.identity))
        if "" in self._found:
            self._parent = self._found[""][0]
            self._client.update_run(self._parent, status="RUNNING")
        else:
            self._parent = self._create(search.name, {}, search.settings)

    def begin(self, trial: TrackedTrial) -> int:
        """Find the trial's run, or begin it; a run's metric ``epoch`` is its last."""
        tag = f"{trial.number:04d}"
        run, epoch = self._found.get(tag, ("", 0))
        if run:
            self._client.update_run(run, status="RUNNING")
        else:
            tags = {TRIAL: tag, PARENT: self._parent}
            tags |= {f"raysearch.{key}": text for key, text in trial.tags.items() if key != "trial"}
            run = self._create(trial.name, tags, trial.settings)
        self._runs[trial.number] = run
        self._open.add(trial.number)
        return epoch

    def epoch(self, number: int, epoch: int, figures: Figures) -> None:
        """Log them in one request, the epoch's number with them."""
        metrics = _metrics({**figures, EPOCH: float(epoch)}, epoch)
        self._client.log_batch(self._runs[number], metrics=metrics)

    def end(self, number: int, status: str, figures: Figures) -> None:
        """End the run; a trial that was stopped early is a finished run with a tag."""
        run = self._runs[number]
        tags = [RunTag("raysearch.status", status)]
        step = int(figures.get("best_epoch", 0))
        self._client.log_batch(run, metrics=_metrics(figures, step), tags=tags)
        self._client.set_terminated(run, _STATUSES[status])
        self._open.discard(number)

    def close(self, outcome: str, figures: Figures) -> None:
        """End the search's run, and those of trials that wait to be gone on with."""
        for number in sorted(self._open):
            self._client.set_terminated(self._runs[number], "KILLED")
        tags = [RunTag("raysearch.outcome", outcome)]
        self._client.log_batch(self._parent, metrics=_metrics(figures, 0), tags=tags)
        self._client.set_terminated(self._parent, "KILLED" if outcome in CUT_OFF else "FINISHED")

    def _search(self, identity: str) -> Iterator[tuple[str, tuple[str, int]]]:
        """Each run's trial, ``""`` for the search's own, with its id and last epoch."""
        token: str | None = None
        while True:
            page = self._client.search_runs(
                [self._experiment], f"tags.`{SEARCH}` = '{identity}'", page_token=token
            )
            for run in page:
                epoch = int(run.data.metrics.get(EPOCH, 0))
                yield run.data.tags.get(TRIAL, ""), (run.info.run_id, epoch)
            token = page.token
            if not token:
                return

    def _create(self, name: str, tags: Mapping[str, str], settings: Mapping[str, object]) -> str:
        made = self._client.create_run(self._experiment, run_name=name, tags={**self._tags, **tags})
        run = str(made.info.run_id)
        params = (Param(key, str(value)[:LONGEST]) for key, value in settings.items())
        while some := list(islice(params, MOST_PARAMS)):
            self._client.log_batch(run, params=some)
        return run


def _experiment(client: MlflowClient) -> str:
    if given := os.environ.get("MLFLOW_EXPERIMENT_ID"):
        return given
    name = os.environ.get("MLFLOW_EXPERIMENT_NAME", EXPERIMENT)
    found = client.get_experiment_by_name(name)
    return str(found.experiment_id if found else client.create_experiment(name))


def _metrics(figures: Figures, step: int) -> list[Metric]:
    now = int(time.time() * 1000)
    return [Metric(name, value, now, step) for name, value in figures.items()]
