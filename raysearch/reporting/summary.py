"""The figures of a whole search, all of them from the ledger and ``run.json``."""

import statistics
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from raysearch.files import write_json
from raysearch.forecast.progress import outlook_of
from raysearch.ledger import TERMINAL, Event
from raysearch.ledger_events import BY_HAND
from raysearch.reporting.energy_used import energy_kwh
from raysearch.reporting.prospects import facts
from raysearch.run_folder import RunFolder
from raysearch.training.transductive import is_transductive
from raysearch.trial_records import Trials
from raysearch.tuning.start_record import record_of

__all__ = ["summarize", "trial_overheads", "write_summary"]


def summarize(run: RunFolder, events: Sequence[Event], trials: Trials) -> dict[str, object]:
    """Build the content of ``summary.json``.

    ``wall_s`` runs from the command to its end, summed over resumptions; ``startup_s`` from the
    newest command to its first epoch report; ``train_compute_s`` is the time inside training and
    validation batches on rank 0, of every epoch that was trained, repeated ones included;
    ``trial_overhead_s`` is the mean of :func:`trial_overheads`; ``forecast`` is of the gain from
    further ``core_s`` of search, None where there is too little to tell from; ``energy_kwh`` is
    that of the whole machine by kind of counter, None where none can be read; ``num_pruned`` counts
    the trials that the stop rule ended, without those that were stopped by hand.
    """
    sessions = run.info().get("sessions", [])
    overheads = trial_overheads(events)
    ranked = trials.ranked()
    best = ranked[0] if ranked else None
    best_epoch = best.epochs[best.best_epoch] if best and best.best_epoch else None
    spec = run.spec()
    return {
        "name": run.root.name,
        "objective": trials.objective,
        "transductive": is_transductive(spec),
        "best_trial": best.number if best else None,
        "best_value": best.best_metric if best else None,
        "best_val_uar": best_epoch.metrics.get("val_uar") if best_epoch else None,
        "forecast": facts(outlook_of(spec, events, trials)),
        "pretraining_s": _pretraining_s(run),
        "wall_s": sum(_wall(session, events) for session in sessions),
        "startup_s": _startup(sessions[-1], events) if sessions else None,
        "train_compute_s": sum(e.train_s for e in events if e.event == "epoch"),
        "trial_overhead_s": statistics.fmean(overheads) if overheads else None,
        "trial_overhead_median_s": statistics.median(overheads) if overheads else None,
        "energy_kwh": energy_kwh(sessions) or None,
        "num_trials": len(trials.records),
        "num_completed": len(trials.with_status("completed")),
        "num_pruned": trials.counts.get("stopped early", 0),
        "num_stopped_by_hand": trials.counts.get(BY_HAND, 0),
        "num_failed": len(trials.with_status("failed")),
        "num_paused": len(trials.with_status("paused")),
        "num_unfinished": len(trials.with_status("running")),
    }


def _pretraining_s(run: RunFolder) -> float | None:
    """Seconds of pre-training, which ``startup_s`` of its session holds, too."""
    record = record_of(run)
    return record.wall_s if record else None


def write_summary(run: RunFolder, events: Sequence[Event], trials: Trials) -> dict[str, object]:
    """Replace ``summary.json``, and return its content."""
    summary = summarize(run, events, trials)
    write_json(run.root / "summary.json", summary)
    return summary


def trial_overheads(events: Sequence[Event]) -> list[float]:
    """Return the seconds that each trial, a slot's first aside, cost beyond its training.

    The time from the previous trial's end on the slot to this trial's end, less the training
    seconds of the epochs in between: idling, starting, reporting and checkpoints are all in it.
    A trial that pauses ends there, too, and is another one when it is promoted. A resumed search
    counts its slots anew.
    """
    ends: dict[tuple[int, int], float] = {}
    trained: dict[tuple[int, int], float] = defaultdict(float)
    overheads = []
    for event in events:
        if event.slot is None:
            continue
        slot = (event.fence, event.slot)
        if event.event == "epoch":
            trained[slot] += event.train_s
        elif event.event in TERMINAL or event.event == "paused":
            if slot in ends:
                overheads.append(event.time - ends[slot] - trained[slot])
            ends[slot], trained[slot] = event.time, 0.0
    return overheads


def _wall(session: dict[str, Any], events: Sequence[Event]) -> float:
    last = max((e.time for e in events if e.fence == session["fence"]), default=session["started"])
    return float(session.get("ended", last) - session["started"])


def _startup(session: dict[str, Any], events: Sequence[Event]) -> float | None:
    epochs = (e.time for e in events if e.event == "epoch" and e.fence == session["fence"])
    first = min(epochs, default=None)
    return None if first is None else first - session["started"]
