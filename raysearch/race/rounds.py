"""Plans the rounds of a race: who has a turn, and what it may spend."""

from collections.abc import Mapping

from raysearch.race.budget_amounts import Amount, left, part, share_of
from raysearch.race.race_record import RaceState, Round
from raysearch.race.verdicts import CHANCE_SHARE, MOST_PARTS, chances, num_rounds, round_share

__all__ = ["next_grant", "next_round", "second_chance"]


def next_round(
    state: RaceState, total: Amount, used: Amount, lacking: Mapping[str, Amount]
) -> Round:
    """Make the round after those of ``state``; before the last one come second chances.

    Args:
        state: of the race.
        total: what it may spend in all.
        used: what it has spent.
        lacking: system to what it would take until its own settings have ended.
    """
    systems, last = state.playing, num_rounds(len(state.systems))
    before = state.rounds[-1].number if state.rounds else 0
    number = last if len(systems) == 1 else min(before + 1, last)
    if number == last and (chance := second_chance(state, total, used, lacking)):
        return chance
    ends_at = _after(used, part(left(total, used), round_share(number, last)))
    return Round(number=number, systems=list(systems), ends_at=ends_at)


def second_chance(
    state: RaceState, total: Amount, used: Amount, lacking: Mapping[str, Amount]
) -> Round | None:
    """Make a round in which systems that were too dear to be judged end their own settings.

    There is one for each budget that is asked for, for those that are within their share of what
    is left. The arguments are those of ``next_round``, but ``lacking`` may leave out who cannot be
    judged, whatever it has.
    """
    rest = left(total, used)
    able = [system for system in state.unjudged if system in lacking]
    second = chances({system: share_of(lacking[system], rest) for system in able})
    if not second:
        return None
    ends_at = _after(used, part(rest, CHANCE_SHARE))
    systems = [*state.playing, *second]
    return Round(number=state.rounds[-1].number, systems=systems, second=second, ends_at=ends_at)


def next_grant(round_: Round, used: Amount) -> dict[str, float]:
    """Return what the round's next system may spend; what it leaves goes to those after it.

    Of a second chance, whatever the round may: each ends with its own settings.
    """
    waiting = [system for system in round_.with_turns if not round_.is_done(system)]
    parts = MOST_PARTS if round_.number == 1 else 1.0
    share = 1.0 if round_.second else min(1.0, parts / len(waiting))
    return part(left(round_.ends_at, used), share)


def _after(used: Amount, more: Amount) -> dict[str, float]:
    return {kind: used[kind] + value for kind, value in more.items()}
