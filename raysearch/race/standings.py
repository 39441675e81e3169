"""Reads from their runs how far the systems of a race are.

Axis letters: N validation rows that both systems have scored.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from raysearch.config.metric_table import metric_of
from raysearch.core_time import SlotSeconds
from raysearch.evaluation.candidates import inner_predictions
from raysearch.evaluation.selection import difference_error
from raysearch.ledger import read
from raysearch.race.budget_amounts import Amount, part, share_of
from raysearch.race.verdicts import Gap, Standing
from raysearch.run_folder import RunFolder
from raysearch.spec import SearchSpec
from raysearch.streaming.preparation import AuditedSplit
from raysearch.trial_records import TrialRecord, Trials
from raysearch.tuning.tolerance import ValidationNoise, design_effect

__all__ = ["Rows", "Seen", "gap", "look", "whole_trial"]

# Utterance id to its class and the class that was heard in it.
Rows = Mapping[str, tuple[int, int]]


@dataclass(frozen=True)
class Seen:
    """What one system has found.

    Attributes:
        system: its name.
        trials: all of them.
        best: the best of them, if one has a score.
        used: by the ledger, of each kind that may be limited.
        whole: what one whole trial takes; nothing is known before the first epoch.
        rows: what the best trial says of each validation row, by the nets that did not learn it;
            None where its checkpoint is not there.
    """

    system: str
    trials: Trials
    best: TrialRecord | None
    used: Amount
    whole: Amount
    rows: Rows | None

    @property
    def value(self) -> float | None:
        """The value of its best trial, higher is better; None before the first score."""
        return self.best.best_value if self.best else None

    def standing(self, left: Amount) -> Standing:
        """Return what the rules judge, ``left`` being what the race may still spend."""
        return Standing(self.system, self.value, self.judged, share_of(self.whole, left))

    @property
    def lacking(self) -> Amount:
        """What its own settings still need for all of a trial's epochs."""
        own = _first(self.trials)
        if own is None or not self.whole:
            return self.whole
        return part(self.whole, max(0.0, 1 - own.last_epoch / self.whole["epochs"]))

    @property
    def judged(self) -> bool:
        """Whether any of its trials came to its end with a value."""
        ended = self.trials.with_status("completed")
        return any(record.best_value is not None for record in ended)


def look(
    system: str, run: RunFolder, spec: SearchSpec, num_inner: int, slot_cpus: float, num_slots: int
) -> Seen:
    """Read from its run what a system has found: its ledger and its best checkpoint.

    Args:
        system: its name.
        run: its folder.
        spec: its settings.
        num_inner: validation sets that a trial is judged on.
        slot_cpus: CPUs of one slot.
        num_slots: trials at a time.
    """
    events = read(run.ledger_file) if run.ledger_file.exists() else []
    trials = Trials.replay(events, spec.search.objective)
    best = next(iter(trials.ranked()), None)
    used = {
        "core_s": slot_cpus * SlotSeconds(events).total,
        "epochs": float(trials.num_epochs),
        "trials": float(len(trials.records)),
    }
    rows = _rows(run, best, num_inner) if best is not None else None
    return Seen(system, trials, best, used, whole_trial(trials, spec, slot_cpus, num_slots), rows)


def whole_trial(
    trials: Trials, spec: SearchSpec, slot_cpus: float, num_slots: int
) -> dict[str, float]:
    """Estimate what a whole trial of the system's own settings takes, from its epochs so far.

    The first epoch is a slow one, and is left out where there is another. Nothing is known before
    it.
    """
    first = _first(trials)
    if first is None:
        return {}
    epochs = first.last_epoch if first.status == "completed" else spec.training.epochs
    later = [entry.train_s for number, entry in first.epochs.items() if number > 1]
    an_epoch = sum(later) / len(later) if later else first.train_s
    core_s = slot_cpus * epochs * an_epoch
    wall_s = core_s / (slot_cpus * max(1, num_slots))
    return {"core_s": core_s, "wall_s": wall_s, "epochs": float(epochs), "trials": 1.0}


def _first(trials: Trials) -> TrialRecord | None:
    """The first trial that has had an epoch of its own."""
    return next((r for r in trials.records.values() if r.epochs and r.copied_from is None), None)


def _rows(run: RunFolder, record: TrialRecord, num_inner: int) -> Rows | None:
    if record.checkpoint is None:
        return None
    found = inner_predictions(run, record, num_inner)
    if found is None:
        return None
    return {
        name: (int(label), int(heard))
        for one in found
        for name, label, heard in zip(
            one.utterances, one.labels, one.log_probs.argmax(axis=1), strict=True
        )
    }


def gap(leader: Seen, other: Seen, audited: AuditedSplit, objective: str) -> Gap | None:
    """Return how far ``other`` is behind and the standard error of that; None without both scores.

    The error is that of the rows which the two hear differently, with the design effect of rows
    that come from few speakers; and no less than trials of one system differ by chance.
    """
    if leader.value is None or other.value is None:
        return None
    inner = (audited.split, *audited.inner)
    noise = ValidationNoise.of(inner)
    least = noise.of_difference(leader.value, other.value, objective)
    paired = 0.0
    if metric_of(objective).is_recall and leader.rows and other.rows:
        speakers = {row.id: row.speaker for split in inner for row in split.validation}
        paired = _paired(leader.rows, other.rows, speakers)
    return Gap(leader.value - other.value, max(least, paired))


def _paired(first: Rows, second: Rows, speakers: Mapping[str, str]) -> float:
    shared = sorted(first.keys() & second.keys() & speakers.keys())
    if not shared:
        return 0.0
    labels_N = np.array([first[name][0] for name in shared], dtype=np.int64)
    first_N = np.array([first[name][1] for name in shared], dtype=np.int64)
    second_N = np.array([second[name][1] for name in shared], dtype=np.int64)
    effect = design_effect(len(shared) / len({speakers[name] for name in shared}))
    return math.sqrt(effect) * difference_error(labels_N, first_N, second_N)
