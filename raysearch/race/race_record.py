"""A race's folder, and ``race.json``: what was asked, who runs, and how far it is.

race.json  leaderboard.csv  leaderboard.md  best/  logs/
SYSTEM/  an ordinary run's folder

What the systems found is in their own ledgers; the file holds what those cannot tell: who was let
go, when, and what each turn was granted. It is replaced whole before a turn begins and after it
ends, so a race that was killed goes on with the turn that was under way.
"""

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from raysearch.errors import UserError, first_line
from raysearch.files import write_json
from raysearch.race.budget_amounts import Amount
from raysearch.race.verdicts import CHANCE_SHARE, Verdict, round_share
from raysearch.run_folder import RACE, RunFolder

__all__ = ["Place", "RaceFolder", "RaceState", "Round", "Turn"]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Turn(_Part):
    """One system's part of a round, and whether it is over."""

    grant: dict[str, float] = Field(description="What it may spend, of each limited kind.")
    limits: dict[str, Any] = Field(description="That in its search section: budgets and trials.")
    done: bool = False


class Place(_Part):
    """How a system stood at the end of a round."""

    value: float | None = Field(description="Of its best trial, higher is better.")
    behind: float | None = Field(description="The best system's value less this one's.")
    error: float | None = Field(description="The standard error of that difference.")
    verdict: Verdict
    stays: bool


class Round(_Part):
    """One round of a race, under way or over."""

    number: int
    systems: list[str] = Field(description="In the order of their turns.")
    second: list[str] = Field(
        default_factory=list,
        description="Those that were not judged before and end their own settings here, after the "
        "round of this number; then nobody else has a turn.",
    )
    ends_at: dict[str, float] = Field(description="What all have spent when its part is spent.")
    turns: dict[str, Turn] = Field(default_factory=dict)
    places: dict[str, Place] = Field(default_factory=dict, description="Best first, at its end.")

    def taken_up(self, total: Amount, used: Amount, last: int) -> None:
        """Adapt the round to another driver, whose wall time counts from 0 again.

        Of a kind that nothing limited when it began it may spend its part of what is left now, and
        never more than the race may; the turn under way is then granted anew, by all kinds.

        Args:
            total: what the race may spend in all.
            used: what it has spent.
            last: the number of its last round.
        """
        share = CHANCE_SHARE if self.second else round_share(self.number, last)
        added = total.keys() - self.ends_at.keys()
        above = {kind for kind, most in total.items() if self.ends_at.get(kind, 0.0) > most}
        if added or above:
            self.turns = {system: turn for system, turn in self.turns.items() if turn.done}
        self.ends_at |= {kind: total[kind] for kind in above}
        for kind in {*added, "wall_s"} & total.keys():
            self.ends_at[kind] = used[kind] + share * max(0.0, total[kind] - used[kind])

    @property
    def with_turns(self) -> list[str]:
        """The systems that have a turn in this round."""
        return self.second or self.systems

    def is_done(self, system: str) -> bool:
        """Tell whether the system's turn is over."""
        turn = self.turns.get(system)
        return turn is not None and turn.done

    @property
    def spent(self) -> bool:
        """Whether all turns are over although the systems' places are not decided yet."""
        return not self.places and all(self.is_done(system) for system in self.with_turns)


class RaceState(_Part):
    """The content of ``race.json``: what was asked, who takes part, and how far it is."""

    systems: list[str] = Field(description="Who runs, the cheapest first.")
    left_out: dict[str, str] = Field(description="System to what it lacks.")
    asked: dict[str, Any] = Field(description="Of the search section: the race's budgets.")
    final: str = Field(description="What becomes of the winner's trials.")
    spent: dict[str, float] = Field(
        default_factory=dict, description="System to seconds of a CPU that its turns have taken."
    )
    rounds: list[Round] = Field(default_factory=list)
    asked_after: int = Field(0, description="Rounds that there were when other budgets were asked.")
    winner: str | None = None
    last_turn: Turn | None = Field(None, description="The winner's, with its final model.")
    unspent: str = Field("", description="What its end left of the budget, and why.")

    @property
    def over(self) -> bool:
        """Whether the winner has its final model."""
        return self.last_turn is not None and self.last_turn.done

    @property
    def playing(self) -> list[str]:
        """The systems that may still have a turn."""
        if self.winner is not None:
            return [self.winner]
        if not self.rounds:
            return list(self.systems)
        last = self.rounds[-1]
        return [s for s in last.systems if s not in last.places or last.places[s].stays]

    @property
    def unjudged(self) -> list[str]:
        """The systems that left as they were too dear to be judged, and may have another chance.

        Once the winner's last turn has begun, or somebody had one, only more budget gives another.
        """
        if self.last_turn is not None or any(r.second for r in self.rounds[self.asked_after :]):
            return []
        places = {s: place for round_ in self.rounds for s, place in round_.places.items()}
        out = [s for s in places if s not in self.playing]
        return [s for s in out if places[s].verdict == "not judged"]

    def go_on(
        self, asked: Mapping[str, object], final: str | None, *, made_otherwise: bool = False
    ) -> None:
        """Take over what is asked anew on resumption.

        What there is more of is the winner's, if there is one, but for second chances, and another
        ``final`` is made in a last turn of its own. A race that ended as nobody has a score goes on
        with everybody.

        Args:
            asked: of the search section, the budgets that are given again.
            final: what becomes of the winner's trials; None leaves it.
            made_otherwise: whether the final model is to be made in another way.
        """
        if asked or made_otherwise or final not in (None, self.final):
            self.last_turn = None
        if any(self.asked.get(key) != value for key, value in asked.items()):
            self.asked_after = len(self.rounds)
        self.asked |= asked
        self.final = final or self.final
        if asked and self.winner is None and self.rounds and self.rounds[-1].spent:
            self._open_again(self.rounds[-1])

    def _open_again(self, last: Round) -> None:
        if last.number == 1:
            # Own settings that failed would fail again: all search on beyond them.
            nobody = Place(value=None, behind=None, error=None, verdict="no score", stays=True)
            last.places = dict.fromkeys(last.systems, nobody)
        else:
            self.rounds.pop()


@dataclass(frozen=True, slots=True)
class RaceFolder:
    """The paths of a race."""

    root: Path

    @property
    def file(self) -> Path:
        """The path of ``race.json``."""
        return self.root / RACE

    def run(self, system: str) -> RunFolder:
        """Return the run folder of one system."""
        return RunFolder(self.root / system)

    def load(self) -> RaceState:
        """Read ``race.json``; raises UserError where it cannot be read."""
        try:
            return RaceState.model_validate(json.loads(self.file.read_text(encoding="utf-8")))
        except (OSError, ValueError, ValidationError) as error:
            reason = first_line(error)
            raise UserError(f"{self.file}: not a race's record: {reason}") from None

    def save(self, state: RaceState) -> None:
        """Replace ``race.json``, whole or not at all."""
        write_json(self.file, state.model_dump(mode="json"))

    def link_best(self, winner: str) -> None:
        """Link ``best`` to the winner's, where the disk has links and the name is free."""
        link = self.root / "best"
        with suppress(OSError):
            link.unlink(missing_ok=True)
            link.symlink_to(f"{winner}/best")
