"""The race itself: turn by turn, one system's search after another's, on the same slots."""

import os
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, replace
from typing import Any, Protocol

from raysearch.errors import SearchInterruptedError, TrialError
from raysearch.evaluation.final import FinalStage
from raysearch.ledger import TERMINAL, Event
from raysearch.race.amounts import Amount, granted, left, part
from raysearch.race.entrants import num_given
from raysearch.race.record import Place, RaceFolder, RaceState, Round, Turn
from raysearch.race.rules import OWN_SHARE, Gap, Verdict, decide, num_rounds, order, verdict
from raysearch.race.standings import Seen, gap, look
from raysearch.run_folder import RunFolder
from raysearch.spec import SearchSpec
from raysearch.storage.runs import RunSender, hold
from raysearch.trials import Trials
from raysearch.tuning.cluster_session import ClusterSession
from raysearch.tuning.pool import WorkerPool
from raysearch.tuning.preparation import AuditedSplit, FeatureBank
from raysearch.tuning.tuner import Bench, Ended, Sitting, Watcher, search_part

__all__ = ["Audience", "Ground", "Race"]


class Audience(Protocol):
    """Whoever is shown the race."""

    def turn(
        self, round_: Round | None, system: str, spec: SearchSpec, run: RunFolder
    ) -> AbstractContextManager[Watcher]:
        """Around one turn: who is told of its search. The winner's last has no round."""

    def turn_over(self, system: str, seen: Seen) -> None:
        """What the system has found after its turn."""

    def round_over(self, round_: Round, seen: Mapping[str, Seen]) -> None:
        """The round's places are decided."""


@dataclass(frozen=True)
class Ground:
    """What all turns share.

    Attributes:
        specs: system to its settings.
        audited: the data, the same rows for all.
        session: the connected Ray.
        pool: the slots.
        banks: system to its features.
    """

    specs: Mapping[str, SearchSpec]
    audited: AuditedSplit
    session: ClusterSession
    pool: WorkerPool
    banks: Mapping[str, FeatureBank]

    @property
    def slot_cpus(self) -> float:
        """CPUs of one slot."""
        return self.pool.plan.workers * self.pool.plan.cpus_per_worker


class _Clock:
    """Measures from a turn's first trial on, as budgets do."""

    def __init__(self) -> None:
        self.began: float | None = None

    def changed(self, trials: Trials, event: Event) -> None:
        """A trial began, or went on."""
        self.began = self.began or time.monotonic()

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.began if self.began else 0.0


class Race:
    """A race from wherever its record says that it is.

    Args:
        folder: its folder, held.
        state: its record.
        ground: what its turns run on.
        total: what it may spend in all.
        audience: who is shown it.
    """

    def __init__(
        self,
        folder: RaceFolder,
        state: RaceState,
        ground: Ground,
        total: Amount,
        audience: Audience,
    ) -> None:
        self._folder, self.state, self._ground = folder, state, ground
        self._total, self._audience = total, audience
        self._began: float | None = None
        self._sender = RunSender(folder.root)
        self._last = num_rounds(len(state.systems))
        self.seen = {system: self._look(system) for system in state.systems}

    def run(self) -> None:
        """Round after round, to the winner's final model.

        Raises:
            SearchInterruptedError: a signal; the race can be resumed.
            TrialError: no system has a score.
        """
        try:
            while self.state.winner is None:
                self._round()
            if not self.state.over:
                self._finish(self.state.winner)
        except SearchInterruptedError as error:
            name = self._folder.root.name
            raise SearchInterruptedError(
                f"{str(error).split(';')[0]}; continue with --name {name} --resume"
            ) from None

    # ---- rounds ------------------------------------------------------------------------------

    def _round(self) -> None:
        round_ = self._current()
        alone = len(round_.systems) == 1
        for system in round_.systems:
            if not alone:  # else all that is left is for its last turn
                self._search(round_, system)
        if not round_.places:
            self._close(round_)
        if alone or round_.number == self._last:
            self.state.winner = next(iter(round_.places))
        self._save()

    def _current(self) -> Round:
        """The round under way, or the next."""
        rounds = self.state.rounds
        if rounds and not rounds[-1].places:
            return rounds[-1]
        systems = self.state.systems
        if rounds:
            systems = [name for name, place in rounds[-1].places.items() if place.stays]
        number = self._last if len(systems) == 1 else len(rounds) + 1
        used = self._used()
        rest = left(self._total, used)
        first = number == 1 and self._last > 1
        share = OWN_SHARE if first else 1 / (self._last - number + 1)
        ends_at = {kind: used[kind] + value for kind, value in part(rest, share).items()}
        rounds.append(Round(number=number, systems=list(systems), ends_at=ends_at))
        self._save()
        return rounds[-1]

    def _close(self, round_: Round) -> None:
        """Write down who stays."""
        rest = left(self._total, self._used())
        standings = [self.seen[system].standing(rest) for system in round_.systems]
        ranked = [standing.system for standing in order(standings)]
        if self.seen[ranked[0]].value is None and len(self.state.systems) > 1:
            raise TrialError("no trial of any system has a score")
        gaps = {system: self._gap(ranked[0], system) for system in ranked}
        verdicts: dict[str, Verdict] = {
            s.system: verdict(s, gaps[s.system], len(self.state.systems)) for s in standings
        }
        rounds_left = max(1, self._last - round_.number)
        stay, _ = decide(standings, verdicts, rounds_left=rounds_left)
        for system in ranked:
            distance = gaps[system]
            round_.places[system] = Place(
                value=self.seen[system].value,
                behind=distance.behind if distance else None,
                error=distance.error if distance else None,
                verdict=verdicts[system],
                stays=system in stay,
            )
        self._save()
        if len(round_.systems) > 1:
            self._audience.round_over(round_, self.seen)

    def _gap(self, leader: str, system: str) -> Gap | None:
        if leader == system:
            return None
        objective = self._ground.specs[system].search.objective
        return gap(self.seen[leader], self.seen[system], self._ground.audited, objective)

    # ---- turns -------------------------------------------------------------------------------

    def _search(self, round_: Round, system: str) -> None:
        """The system's turn in the round, unless it is over."""
        turn = round_.turns.get(system)
        if turn is None:
            waiting = [s for s in round_.systems if not _is_done(round_, s)]
            rest = left(round_.ends_at, self._used())
            turn = self._begun(system, part(rest, 1 / len(waiting)))
            round_.turns[system] = turn
            self._save()
        own_only = round_.number == 1
        until = _own_over(num_given(self._ground.specs[system])) if own_only else _never
        if not turn.done:
            if not self._nothing_to_do(system, turn, until):
                final = self.state.final if round_.number == self._last else "single"
                self._turn(round_, system, turn, {"final": final}, until)
            turn.done = True
            self._save()

    def _begun(self, system: str, grant: Amount) -> Turn:
        search = self._ground.specs[system].search
        return Turn(limits=granted(search, grant, self.seen[system].used))

    def _nothing_to_do(self, system: str, turn: Turn, until: Callable[[Trials], bool]) -> bool:
        trials = self.seen[system].trials
        most = turn.limits.get("trials", self._ground.specs[system].search.trials)
        unfinished = trials.with_status("running") or trials.with_status("paused")
        return until(trials) or (len(trials.records) >= most and not unfinished)

    def _finish(self, winner: str) -> None:
        """All that is left is the winner's: more trials, then its final model."""
        turn = self.state.last_turn
        if turn is None:
            turn = self._begun(winner, left(self._total, self._used()))
            self.state.last_turn = turn
            self._save()
        self._turn(None, winner, turn, {"final": self.state.final}, None)
        turn.done = True
        self._link_best(winner)
        self._save()

    def _turn(
        self,
        round_: Round | None,
        system: str,
        turn: Turn,
        fields: dict[str, Any],
        until: Callable[[Trials], bool] | None,
    ) -> None:
        ground, run, clock = self._ground, self._folder.run(system), _Clock()
        spec = ground.specs[system]
        spec = replace(spec, search=spec.search.model_copy(update={**turn.limits, **fields}))
        try:
            with hold(run.root) as lease:
                run.open(spec, resume=True)
                run.write_splits(ground.audited.split.rows())
                with self._audience.turn(round_, system, spec, run) as watcher:
                    watcher = replace(watcher, observers=(clock, *watcher.observers))
                    sitting = Sitting(spec, run, lease, ground.audited, watcher)
                    finish: Callable[[Ended], None] | None = None
                    if until is None:
                        finish = FinalStage(run, spec, lease, ground.audited, watcher)
                    bench = Bench(ground.banks[system], ground.pool)
                    search_part(sitting, ground.session, bench, until=until, finish=finish)
        finally:
            self._note(system, clock)
        self._audience.turn_over(system, self.seen[system])

    def _note(self, system: str, clock: _Clock) -> None:
        """What the turn took, and what it found."""
        took = self._ground.slot_cpus * self._ground.pool.num_open() * clock.seconds
        self.state.spent[system] = self.state.spent.get(system, 0.0) + took
        self._began = self._began or clock.began
        self.seen[system] = self._look(system)
        self._save()

    # ---- accounts ----------------------------------------------------------------------------

    def _look(self, system: str) -> Seen:
        ground, num_inner = self._ground, 1 + len(self._ground.audited.inner)
        run, spec = self._folder.run(system), ground.specs[system]
        return look(system, run, spec, num_inner, ground.slot_cpus, ground.pool.num_open())

    def _used(self) -> dict[str, float]:
        """By all systems together; wall time by this driver alone."""
        used = [seen.used for seen in self.seen.values()]
        spent = self.state.spent
        return {
            # A turn that was killed is in the ledger only.
            "core_s": sum(
                max(spent.get(system, 0.0), seen.used["core_s"])
                for system, seen in self.seen.items()
            ),
            "wall_s": time.monotonic() - self._began if self._began else 0.0,
            "epochs": sum(one["epochs"] for one in used),
            "trials": sum(one["trials"] for one in used),
        }

    def _save(self) -> None:
        self._folder.save(self.state)
        self._sender.send()

    def _link_best(self, winner: str) -> None:
        """``best/`` is the winner's."""
        link = self._folder.root / "best"
        with suppress(FileNotFoundError):
            link.unlink()
        os.symlink(f"{winner}/best", link)


def _is_done(round_: Round, system: str) -> bool:
    turn = round_.turns.get(system)
    return turn is not None and turn.done


def _own_over(number: int) -> Callable[[Trials], bool]:
    """Whether the first ``number`` trials, whose settings were given, have ended."""

    def over(trials: Trials) -> bool:
        first = [trials.records.get(n) for n in range(max(1, number))]
        return all(record is not None and record.status in TERMINAL for record in first)

    return over


def _never(trials: Trials) -> bool:
    return False
