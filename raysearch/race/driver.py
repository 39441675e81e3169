"""The race itself: turn by turn, one system's search after another's, on the same slots."""

import shlex
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Protocol

from raysearch.errors import SearchInterruptedError, TrialError
from raysearch.evaluation.final_stage import FinalStage
from raysearch.race.accounts import Accounts, Clock, Ground
from raysearch.race.budget_amounts import Amount, granted, in_all_turns, left, most_trials, part
from raysearch.race.entrants import num_given
from raysearch.race.first_turns import own_ended, own_over
from raysearch.race.leftover import leftover
from raysearch.race.race_record import Place, RaceFolder, RaceState, Round, Turn
from raysearch.race.rounds import next_grant, next_round, second_chance
from raysearch.race.standings import Seen, gap
from raysearch.race.verdicts import Gap, Verdict, decide, num_rounds, order, verdict
from raysearch.run_folder import RunFolder
from raysearch.searching.run_files import kept_files, note_data
from raysearch.spec import SearchSpec
from raysearch.storage.two_kinds import storage_of
from raysearch.trial_records import Trials
from raysearch.tuning.tuner import Sitting, Watcher, end_paused, search_part

__all__ = ["Audience", "Race"]


class Audience(Protocol):
    """What a race needs of whoever shows it."""

    def turn(
        self, round_: Round | None, system: str, spec: SearchSpec, run: RunFolder
    ) -> AbstractContextManager[Watcher]:
        """Show one turn: the watcher of its search, for a ``with``. The last turn has no round."""

    def turn_over(self, system: str, seen: Seen) -> None:
        """Show what the system has found after its turn."""

    def leaving(
        self, system: str, spec: SearchSpec, run: RunFolder, num_paused: int
    ) -> AbstractContextManager[Watcher]:
        """Around the end of the paused trials of a system that is out: who is told of it."""

    def round_over(self, round_: Round, seen: Mapping[str, Seen]) -> None:
        """Show which systems stay after the round."""


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
        self._last, self._store = num_rounds(len(state.systems)), storage_of(folder.root)
        self._accounts = Accounts(folder, state, ground)
        self._sender = self._store.sync(folder.root)

    @property
    def seen(self) -> Mapping[str, Seen]:
        """What each system has found so far."""
        return self._accounts.seen

    def run(self) -> None:
        """Run round after round, to the winner's final model.

        Raises:
            SearchInterruptedError: a signal; the race can be resumed.
            TrialError: no system has a score.
        """
        try:
            while (winner := self._winner()) is None:
                self._round()
                self._free()
            self._free()  # of a driver that was killed before it did
            if not self.state.over:
                self._finish(winner)
        except SearchInterruptedError as error:
            name = shlex.quote(self._folder.root.name)
            raise SearchInterruptedError(
                f"{str(error).split(';')[0]}; continue with --name {name} --resume"
            ) from None

    # ---- rounds ------------------------------------------------------------------------------

    def _round(self) -> None:
        round_ = self._current()
        if len(round_.systems) > 1:  # else all that is left is for its last turn
            for system in round_.with_turns:
                self._search(round_, system)
        self._close(round_)

    def _current(self) -> Round:
        """The round under way, or the next."""
        rounds = self.state.rounds
        if rounds and not rounds[-1].places:
            rounds[-1].taken_up(self._total, self._accounts.used(), self._last)
            return rounds[-1]
        rounds.append(next_round(self.state, self._total, self._accounts.used(), self._lacking()))
        self._save()
        return rounds[-1]

    def _winner(self) -> str | None:
        """The winner; nobody while others may be judged after all, before all is the winner's."""
        if self.state.winner is None:
            return None
        used = self._accounts.used()
        if chance := second_chance(self.state, self._total, used, self._lacking()):
            self.state.rounds.append(chance)
            self.state.winner = None
            self._save()
        return self.state.winner

    def _lacking(self) -> dict[str, dict[str, float]]:
        """System to what it takes until its own settings end; the other slots search meanwhile.

        It leaves out those whose own settings have ended, as by a failure.
        """
        num_slots, specs = self._ground.num_slots, self._ground.specs
        return {
            name: part(seen.lacking, num_slots)
            for name, seen in self.seen.items()
            if not own_ended(specs[name])(seen.trials)
        }

    def _close(self, round_: Round) -> None:
        """Write down who stays, or who has won."""
        rest = left(self._total, self._accounts.used())
        standings = [self.seen[system].standing(rest) for system in round_.systems]
        ranked = [standing.system for standing in order(standings)]
        if self.seen[ranked[0]].value is None and len(self.state.systems) > 1:
            raise TrialError(
                "no trial of any system has a score; resume with more budget, or name other systems"
            )
        gaps = {system: self._gap(ranked[0], system) for system in ranked}
        verdicts: dict[str, Verdict] = {
            s.system: verdict(s, gaps[s.system], len(self.state.systems)) for s in standings
        }
        rounds_left = max(1, self._last - round_.number)
        stay = decide(standings, verdicts, rounds_left=rounds_left)
        for system in ranked:
            distance = gaps[system]
            round_.places[system] = Place(
                value=self.seen[system].value,
                behind=distance.behind if distance else None,
                error=distance.error if distance else None,
                verdict=verdicts[system],
                stays=system in stay,
            )
        if len(round_.systems) == 1 or round_.number == self._last:
            self.state.winner = ranked[0]
        self._save()
        if len(round_.systems) > 1:
            self._audience.round_over(round_, self.seen)

    def _gap(self, leader: str, system: str) -> Gap | None:
        if leader == system:
            return None
        objective = self._ground.specs[system].search.objective
        return gap(self.seen[leader], self.seen[system], self._ground.audited, objective)

    def _free(self) -> None:
        """Nobody goes on with the paused trials of who is out: the disk is for the others."""
        stay = {*self.state.playing, *([] if self.state.winner else self.state.unjudged)}
        for system, seen in self.seen.items():
            paused = seen.trials.with_status("paused")
            if system not in stay and paused:
                self._end_paused(system, len(paused))

    def _end_paused(self, system: str, num_paused: int) -> None:
        spec, run = self._ground.specs[system], self._folder.run(system)
        with (
            self._store.lease(run.root) as lease,
            self._audience.leaving(system, spec, run, num_paused) as told,
            kept_files(run, spec, self._ground.audited) as files,
        ):
            told = replace(told, observers=(*told.observers, *files))
            sitting = Sitting(spec, run, lease, self._store, self._ground.audited, told)
            end_paused(sitting, "its system is out of the race")
        self._accounts.look_again(system)

    # ---- turns -------------------------------------------------------------------------------

    def _search(self, round_: Round, system: str) -> None:
        """The system's turn in the round, unless it is over."""
        turn = round_.turns.get(system)
        if turn is None:
            turn = self._begun(system, next_grant(round_, self._accounts.used()))
            if round_.number == 1 and "trials" in turn.limits:
                least = num_given(self._ground.specs[system])
                turn.limits["trials"] = max(least, turn.limits["trials"])
            round_.turns[system] = turn
            self._save()
        if turn.done:
            return
        until = self._until(round_, system, turn.grant)
        if not self._nothing_to_do(system, turn, until):
            is_last = round_.number == self._last and not round_.second
            final = self.state.final if is_last else "single"
            self._turn(round_, system, turn, {"final": final}, until)
        turn.done = True
        self._save()

    def _until(self, round_: Round, system: str, grant: Amount) -> Callable[[Trials], bool]:
        """What ends the system's turn before its grant does."""
        if round_.second:
            return own_ended(self._ground.specs[system])
        return own_over(self._ground, system, grant) if round_.number == 1 else _never

    def _begun(self, system: str, grant: Amount) -> Turn:
        search = self._ground.specs[system].search
        return Turn(grant=grant, limits=granted(search, grant, self.seen[system].used))

    def _nothing_to_do(self, system: str, turn: Turn, until: Callable[[Trials], bool]) -> bool:
        trials = self.seen[system].trials
        most = turn.limits.get("trials", self._ground.specs[system].search.trials)
        unfinished = trials.with_status("running") or trials.with_status("paused")
        return until(trials) or (len(trials.records) >= most and not unfinished)

    def _finish(self, winner: str) -> None:
        """All that is left is the winner's: more trials, then its final model."""
        turn, total = self.state.last_turn, dict(self._total)
        if turn is not None:
            total.pop("wall_s", None)  # another driver began it, and what that took is not known
        else:
            turn = self._begun(winner, left(self._total, self._accounts.used()))
            turn.limits["trials"] = self._most_trials(winner, turn.grant)
            self.state.last_turn = turn
            self._save()
        self._turn(None, winner, turn, {"final": self.state.final}, None)
        turn.done = True
        ended = self._folder.run(winner).info()["sessions"][-1].get("outcome", "")
        self.state.unspent = leftover(total, self._accounts.used(), ended)
        self._save()
        self._folder.link_best(winner)

    def _most_trials(self, winner: str, grant: Amount) -> int:
        """The number in its space is that of a search of its own; a race ends by its budget."""
        num_cpus = self._ground.slot_cpus * self._ground.num_slots
        return most_trials(grant, self.seen[winner].used, num_cpus)

    def _turn(
        self,
        round_: Round | None,
        system: str,
        turn: Turn,
        fields: dict[str, object],
        until: Callable[[Trials], bool] | None,
    ) -> None:
        ground, run = self._ground, self._folder.run(system)
        clock, own = Clock(ground.pool.num_open), ground.specs[system]
        expected = in_all_turns(own.search, self._total, len(self.state.systems))
        spec = replace(own, search=own.search.model_copy(update={**turn.limits, **fields}))
        try:
            with self._store.lease(run.root) as lease:
                run.open(_as_kept(spec, own, turn.grant), resume=True)
                note_data(run, ground.audited)
                files = kept_files(run, spec, ground.audited)
                with self._audience.turn(round_, system, spec, run) as told, files as kept:
                    told = replace(told, observers=(clock, *told.observers, *kept))
                    sitting = Sitting(spec, run, lease, self._store, ground.audited, told, expected)
                    final = FinalStage(run, spec, lease, ground.audited, told)
                    finish, bench = None if until else final, ground.bench(system)
                    search_part(sitting, ground.session, bench, until=until, finish=finish)
        finally:
            self._accounts.note(system, clock)
            self._save()
        self._audience.turn_over(system, self.seen[system])

    def _save(self) -> None:
        self._folder.save(self.state)
        self._sender.send()


def _as_kept(spec: SearchSpec, own: SearchSpec, grant: Amount) -> SearchSpec:
    """What the run's file has: where trials are no budget, its space's number of them."""
    if "trials" in grant:
        return spec
    fields = {"trials": own.search.trials}
    return replace(spec, search=spec.search.model_copy(update=fields))


def _never(trials: Trials) -> bool:
    return False
