"""Decides how good a trial is so far, and whether it ends or pauses; now, or from a ledger."""

import itertools
import math
from collections.abc import Sequence

from raysearch.config.metric_table import metric_of
from raysearch.ledger import Event
from raysearch.ledger_events import EpochDone
from raysearch.trial_records import EpochRecord, Status, TrialRecord, Trials
from raysearch.tuning.problem import Problem
from raysearch.tuning.stop_rules import RuleSettings, stop_rule
from raysearch.tuning.tolerance import ValidationNoise

__all__ = ["Judge", "resumed_from"]


def resumed_from(record: TrialRecord) -> int:
    """Return the epoch that a new attempt goes on from: that of the trial's last checkpoint."""
    return record.checkpoint[1] if record.checkpoint else 0


class Judge:
    """Decides how good a trial is so far, and whether its search's stop rule ends or pauses it.

    Args:
        problem: what is searched.
        noise: of its validation sets; none known: every difference means something.
    """

    def __init__(self, problem: Problem, noise: ValidationNoise | None = None) -> None:
        search = problem.search
        self._objective = search.objective
        self._metric = metric_of(self._objective)
        self._noise, self._problem = noise, problem
        self._warmups: dict[int, int] = {}
        settings = RuleSettings(
            max_epochs=problem.max_epochs,
            grace_epochs=search.grace_epochs,
            reduction_factor=search.reduction_factor,
            tolerance=self._tolerance,
            extrapolation=search.extrapolation,
            noise=self._standard_error,
        )
        self._rule = stop_rule(search.scheduler, settings)
        self._errors = self._rule.noise_errors if search.noise is None else search.noise

    def value(self, record: TrialRecord, epoch: int) -> float:
        """Return the trial's best objective value up to ``epoch``; higher is better."""
        epochs = (self._signed(entry) for past, entry in record.epochs.items() if past <= epoch)
        return max(epochs, default=-math.inf)

    def curve(self, record: TrialRecord, last: int) -> dict[int, float]:
        """Return ``value`` after each epoch up to ``last``."""
        values = [self._signed(record.epochs.get(epoch)) for epoch in range(1, last + 1)]
        return dict(enumerate(itertools.accumulate(values, max), start=1))

    def _signed(self, epoch: EpochRecord | None) -> float:
        """The objective's value, higher is better; below every other where there is none."""
        value = epoch.metrics.get(self._objective) if epoch else None
        return -math.inf if value is None else self._metric.signed(float(value))

    def end(self, record: TrialRecord, epoch: int, *, done: bool) -> Status | None:
        """How ``epoch`` ends the trial: ``completed`` if ``done``, ``pruned``, or not at all.

        Where trials may be promoted, it is ``paused`` instead of pruned. Published settings, and
        those of the sections, are what others are measured against: they are neither.
        """
        value, warmup = self.value(record, epoch), self._warmup_of(record)
        if done or record.never_pruned:
            self._rule.record(record.number, epoch, value, warmup=warmup)
            return "completed" if done else None
        stops = self._rule.stops(record.number, epoch, value, warmup=warmup)
        if not stops:
            return None
        return "paused" if self._rule.promotion else "pruned"

    def promoted(self, trials: Trials, *, last: bool, forced: bool) -> int | None:
        """Choose the paused trial that goes on next.

        Args:
            trials: all there are.
            last: whether no further one is to come.
            forced: whether the best one goes on though the rule says it of none.

        Returns:
            The trial's number; None if no trial goes on.
        """
        if self._rule.promotion is None:
            return None
        if not (paused := [record.number for record in trials.with_status("paused")]):
            return None
        number = self._rule.promotion.next(paused, last=last)
        if number is None and forced:
            number = self._rule.promotion.by_promise(paused)[0]
        return number

    def paused_by_promise(self, trials: Trials) -> list[TrialRecord]:
        """Return the paused trials, the most promising one first."""
        numbers = [record.number for record in trials.with_status("paused")]
        rule = self._rule.promotion
        return [trials.records[n] for n in (rule.by_promise(numbers) if rule else numbers)]

    def held(self, trials: Trials) -> dict[int, int]:
        """Return the trials that would have paused, were they not never pruned, and when.

        Returns:
            Trial number to the epoch after which it would have paused.
        """
        held: dict[int, int] = {}
        for record in trials.records.values():
            if self._rule.promotion and record.never_pruned:
                epochs = self._rule.promotion.held(record.number)
                if epochs is not None:
                    held[record.number] = epochs + self._warmup_of(record)
        return held

    def replay(self, events: Sequence[Event], trials: Trials) -> dict[int, Status | None]:
        """Feed the stop rule with the epochs of a ledger, as if the search had just run them.

        They are taken in the order in which they came, so each value meets the same rivals as it
        did then. What a trial in flight did after its last checkpoint will be told again.

        Returns:
            For trials in flight, how their checkpoint's epoch ended them: their driver may have
            died between that decision and the word of it.
        """
        epochs = [event for event in events if event.event == "epoch"]
        reached = {event.number: event.told(EpochDone).epoch for event in epochs}
        decided = _decided(events)
        curves = {n: self.curve(trials.records[n], trials.records[n].last_epoch) for n in reached}
        ends: dict[int, Status | None] = {}
        for event in epochs:
            record, told = trials.records[event.number], event.told(EpochDone)
            epoch = told.epoch
            if not _counts(event, record):
                continue
            undecided = record.status == "running" and record.number not in decided
            if undecided and epoch == reached[record.number]:
                ends[record.number] = self.end(record, epoch, done=bool(told.done))
            else:  # the trial went on from there, or its end is known
                value, warmup = curves[event.number][epoch], self._warmup_of(record)
                self._rule.record(record.number, epoch, value, warmup=warmup)
        return ends

    def _warmup_of(self, record: TrialRecord) -> int:
        """Return the epochs of warm-up of the trial; they differ where they are searched."""
        if record.number not in self._warmups:
            self._warmups[record.number] = self._problem.warmup_epochs(record.config)
        return self._warmups[record.number]

    def _tolerance(self, value: float, cutoff: float) -> float:
        return self._errors * self._standard_error(value, cutoff)

    def _standard_error(self, value: float, other: float) -> float:
        if self._noise is None:
            return 0.0
        return self._noise.of_difference(value, other, self._objective)


def _decided(events: Sequence[Event]) -> set[int]:
    """The trials of which it is known what their last epoch ended with: they paused after it."""
    last = {event.number: event.event for event in events if event.event in ("epoch", "paused")}
    return {number for number, kind in last.items() if kind == "paused"}


def _counts(event: Event, record: TrialRecord) -> bool:
    epoch = event.told(EpochDone).epoch
    if record.copied_from is not None or epoch not in record.epochs:
        return False
    if record.status == "running" and epoch > resumed_from(record):
        return False
    return record.epochs[epoch].attempt == event.attempt
