"""``raysearch status``: what a submitted search is doing, or how it ended."""

import shlex
import time

from raysearch.cli.job_options import StatusOptions
from raysearch.cli.known_job import kept, known
from raysearch.cli.options import run_at
from raysearch.config.metric_table import metric_of
from raysearch.errors import RaysearchError
from raysearch.forecast.progress import outlook_of
from raysearch.ledger import TERMINAL
from raysearch.race.race_record import RaceFolder
from raysearch.reporting.prospects import in_full
from raysearch.reporting.wording import figure
from raysearch.run_folder import RunFolder
from raysearch.service.jobs import Job
from raysearch.training.transductive import is_transductive, mark
from raysearch.trial_records import Trials

__all__ = ["status", "word_of"]

NUM_LINES = 5
_WORDS = {
    "PENDING": "starting",
    "RUNNING": "running",
    "SUCCEEDED": "finished",
    "STOPPED": "stopped",
    "FAILED": "failed",
}


def status(options: StatusOptions) -> int:
    """Carry the verb out."""
    found = known(options.run, options.address)
    if found is None:
        run, record = kept(options.run)
        _show(options.run, record.state, record.started, record.ended, record.log(run))
        return 0
    jobs, job = found
    _show(job.place, word_of(job), job.started, job.ended, jobs.log(job))
    return 0


def word_of(job: Job) -> str:
    """Name the state of a job in one word."""
    return "stopped" if job.exit_code == 130 else _WORDS[job.state]


def _show(place: str, word: str, started: float | None, ended: float | None, log: str) -> None:
    minutes = ((ended or time.time()) - started) / 60 if started else 0
    print(f"{place}: {word}, {minutes:.0f} min")
    if line := _progress(place):
        print(line)
    if word != "finished":
        for line in [line for line in log.splitlines() if line.strip()][-NUM_LINES:]:
            print(f"  {line}")
    if word in ("lost", "stopped"):
        print(f"go on with: raysearch resume {shlex.quote(place)}")


def _progress(place: str) -> str:
    """What the ledger says, where this machine can read the run."""
    try:
        run = run_at(place)
        events, spec = run.events(), run.spec()
        trials = Trials.replay(events, spec.search.objective)
        total = "" if _has_other_budget(run) else f" of {spec.search.trials}"
    except RaysearchError:
        return ""
    ended = sum(record.status in TERMINAL for record in trials.records.values())
    line = f"trials: {ended}{total} ended"
    if paused := trials.with_status("paused"):
        line += f", {len(paused)} paused"
    if ranked := trials.ranked():
        metric = metric_of(trials.objective).in_words
        metric += mark(is_transductive(spec))
        line += f"; best: trial {ranked[0].number:04d}, {metric} "
        line += figure(trials.objective, ranked[0].best_metric)
        if outlook := outlook_of(spec, events, trials):
            line += f"\n{in_full(outlook, trials.objective, metric)}"
    return line


def _has_other_budget(run: RunFolder) -> bool:
    """Whether it is a race's, and that has no budget of trials: then nobody knows their number."""
    race = RaceFolder(run.root.parent)
    return race.file.is_file() and "search.trials" not in race.load().asked
