"""Replays a search's ledger through the real conductor: proposals, judge, stop rule, budgets.

What the ledger tells of workers (an epoch, a checkpoint, a failure, a loss) is reported to the
conductor as they reported it, in the order of the ledger; slots take trials when the recorded ones
did. All that the conductor then writes must be what was written, event by event.

What decides and is not in a ledger is taken so:

- time: budgets read a clock that stands at the time of the recorded event;
- why a trial was lost: its slot is lost if it took no other trial, else the group's fault;
- when a signal came: before the last epoch of the first trial that was in flight when it ended;
- when a lost trial was given its next slot: as soon as that slot is free.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from raysearch_names import (
    TERMINAL,
    Conductor,
    EpochReport,
    Event,
    Publication,
    RefitPlan,
    SearchSpec,
    Space,
    SpecProblem,
    Steered,
    Study,
    budgets,
)
from recorded_ledger import DivergedError, DriverDiedError, RecordedLedger, diverged
from recorded_reports import RecordedReports
from recorded_slots import RecordedSlots
from recording import Recording, Sitting
from stable_ties import stable_ties

__all__ = ["replay"]


def replay(
    recording: Recording,
    folder: Path,
    encoder: Path,
    *,
    overrides: Sequence[tuple[str, Any]] = (),
    sampler_seed: int | None = None,
) -> None:
    """Conduct the search again; raises DivergedError where it goes otherwise than it went.

    Args:
        recording: the search.
        folder: an empty folder, for checkpoints that are not there.
        encoder: weights of the speech encoder, for searches that have one.
        overrides: settings that were others then, to see whether the replay notices.
        sampler_seed: another one than the search's.
    """
    ledger = RecordedLedger(recording.events)
    specs = recording.specs(encoder, overrides)
    with pytest.MonkeyPatch.context() as patch, stable_ties():
        patch.setattr(budgets, "time", SimpleNamespace(monotonic=lambda: ledger.now))
        for sitting, spec in zip(recording.sittings, specs, strict=True):
            seed = spec.search.seed if sampler_seed is None else sampler_seed
            died = sitting.outcome == "failed"
            ledger.open(sitting.fence, dies=died)
            with suppress(DriverDiedError):
                driver = _Driver(recording, sitting, spec, seed, ledger, folder)
                driver.run()
                if not died:
                    driver.check_end()
    if len(ledger.events) != len(recording.events):
        raise DivergedError(f"event {len(ledger.events) + 1} of the ledger was not reached")


class _Study(Study):
    """The sampler, whose proposals have the last digits of the recorded ones."""

    def __init__(self, ledger: RecordedLedger, space: Space, **settings: Any) -> None:
        super().__init__(None, "replay", space, **settings)
        self._ledger = ledger

    def propose(self, number: int, held: Mapping[int, int] | None = None) -> dict[str, Any]:
        return self._ledger.rounded(super().propose(number, held))

    def enqueue(self, number: int, values: Mapping[str, Any], label: str | None = None) -> None:
        super().enqueue(number, self._ledger.rounded(dict(values)), label)


class _Driver:
    """Plays Tune and the workers to one conductor."""

    def __init__(
        self,
        recording: Recording,
        sitting: Sitting,
        spec: SearchSpec,
        sampler_seed: int,
        ledger: RecordedLedger,
        folder: Path,
    ) -> None:
        self._sitting, self._ledger = sitting, ledger
        search = spec.search
        assert search.slots is not None
        self._slots = RecordedSlots(search.slots, self._offered)
        self._reports = RecordedReports(ledger, folder)
        self._refit = RefitPlan(spec, *recording.num_rows, recording.noise)
        # Trials on a slot, those of them that were let go, and those that wait for a slot.
        self._running: dict[int, int] = {}
        self._let_go: set[int] = set()
        self._waiting: list[int] = []
        self._for_waiting: int | None = None
        self._num_seen = len(ledger.events)
        self._stop_at = _signal(list(ledger.rest())) if sitting.outcome == "signal" else None
        if first := ledger.next:
            ledger.now = first.time
        self.conductor = Conductor(
            SpecProblem(spec, recording.identity, lambda config: None),
            folder,
            ledger,
            self._slots,
            _Study(
                ledger,
                spec.space,
                seed=sampler_seed,
                num_startup=recording.num_startup,
                priors=search.priors,
            ),
            publication=Publication(str(folder), sitting.fence),
            slot_cpus=search.workers * search.cpus_per_worker,
            reserve=lambda trials: self._refit.seconds(trials, self._slots.num_open()),
            noise=recording.noise,
            commands=self._asked,
        )
        self._note()

    def run(self) -> None:
        """Until the driver's last line."""
        while (event := self._ledger.next) is not None:
            num_before = len(self._ledger.events)
            self._ledger.now = event.time
            if event.seq == self._stop_at:
                self.conductor.stop("signal")
            if not self._begin_waiting(event):
                self._cause(event)
                if len(self._ledger.events) == num_before:
                    raise diverged(event, "nothing came")
            self._note()

    def check_end(self) -> None:
        """The search ends here, and for the reason that it had."""
        self._end_those_let_go()
        outcome = self._sitting.outcome
        if outcome == "signal":
            self.conductor.stop("signal")
        elif outcome != "finished":
            self._ledger.now = self._sitting.ended  # a budget of time was seen to be spent by then
        if self.conductor.next_trial() is not None:
            raise DivergedError("a trial goes on after the recorded end")
        found = self.conductor.stopping or "finished"
        if not (self.conductor.finished and self.conductor.idle):
            raise DivergedError(f"the search goes on, which ended: {outcome}")
        if found != outcome:
            raise DivergedError(f"the search ends: {found}; it ended: {outcome}")

    # ---- slots -------------------------------------------------------------------------------

    def _offered(self) -> int | None:
        """The slot that the trial got which begins with the next event."""
        if self._for_waiting is not None:
            return self._for_waiting
        event = self._ledger.next
        if event is None or not (event.event == "started" or event.data.get("promoted")):
            return None
        return self._slot_of(event.number)

    def _slot_of(self, number: int) -> int | None:
        """Where the trial goes on; one that tells nothing from there may be anywhere."""
        for event in self._ledger.rest():
            if event.number == number and event.slot is not None:
                return event.slot
            if event.number == number and event.event in TERMINAL:
                break  # it repeated another, or was refused
        free = self._slots.free()
        later = {event.slot for event in self._ledger.rest()}
        return next((slot for slot in free if slot not in later), free[0] if free else None)

    def _begin_waiting(self, event: Event) -> bool:
        """Give a trial that waits its slot, if nobody else has it before; whether one began."""
        for number in self._waiting:
            slot = self._slot_of(number)
            told = any(
                later.number == number and later.slot == slot for later in self._ledger.rest()
            )
            users = [later.number for later in self._ledger.rest() if later.slot == slot]
            due = users[0] == number if told else event.event == "started"
            if due and slot in self._slots.free():
                self._for_waiting = slot
                self._next_trial()
                self._for_waiting = None
                if self._running.get(number) != slot:
                    raise diverged(event, f"trial {number} does not go to slot {slot}")
                return True
        return False

    def _next_trial(self) -> None:
        if assignment := self.conductor.next_trial():
            self._running[assignment.number] = assignment.slot
            if assignment.number in self._waiting:
                self._waiting.remove(assignment.number)

    def _note(self) -> None:
        """Who waits for a slot, by what was written."""
        for event in self._ledger.events[self._num_seen :]:
            if event.event == "resumed" and event.slot is None and not event.data.get("promoted"):
                self._waiting.append(event.number)
        self._num_seen = len(self._ledger.events)

    # ---- reports -----------------------------------------------------------------------------

    def _asked(self) -> Sequence[Steered]:
        """What somebody asked for just then."""
        event = self._ledger.next
        return [event.told(Steered)] if event and event.event == "steered" else []

    def _cause(self, event: Event) -> None:
        """Tell the conductor what led to ``event``."""
        if event.event == "steered":
            self.conductor.steer()
        elif event.number in self._let_go:
            self._take(self._reports.last(event))
        elif event.event == "started" or event.data.get("promoted"):
            self._next_trial()
        elif event.number in self._running:
            self._take(self._reports.of_training(event, self._running[event.number]))
        else:
            self._end_those_let_go()
            self._next_trial()  # as the search ends, so do those that pause

    def _end_those_let_go(self) -> None:
        """The groups tell that they trained no further; the ledger holds nothing of it."""
        for number in sorted(self._let_go):
            record = self.conductor.trials.records[number]
            self._take(EpochReport(number, attempt=record.attempts, done=True))

    def _take(self, report: EpochReport) -> None:
        slot = self._running[report.number]
        if self.conductor.take(report):
            del self._running[report.number]
            self._let_go.discard(report.number)
        elif slot in self._slots.leaving:
            self._let_go.add(report.number)


def _signal(events: Sequence[Event]) -> int | None:
    """The event before which a signal ended the search: see this module's docstring."""
    last = {event.number: event for event in events if event.event != "checkpoint"}
    in_flight = [event.seq for event in last.values() if event.event == "epoch"]
    return min(in_flight, default=None)
