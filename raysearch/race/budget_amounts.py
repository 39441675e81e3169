"""What a race may spend, and has spent, of each kind that is limited.

An amount maps a kind to a number: ``core_s`` seconds of one CPU, ``wall_s`` seconds of wall time,
``epochs`` and ``trials``. A kind that nothing limits is not in it.
"""

import math
from collections.abc import Mapping
from dataclasses import replace

from raysearch.config.search import SearchConfig
from raysearch.spec import SearchSpec

__all__ = [
    "BUDGET_KEYS",
    "Amount",
    "granted",
    "in_all_turns",
    "in_words",
    "left",
    "most_trials",
    "of_race",
    "of_search",
    "part",
    "share_of",
]

Amount = Mapping[str, float]

_FIELDS = {
    "core_s": "search.core_budget",
    "wall_s": "search.time_budget",
    "epochs": "search.epoch_budget",
    "trials": "search.trials",
}
BUDGET_KEYS = frozenset(_FIELDS.values())
# No trial takes less, of one CPU.
LEAST_TRIAL_S = 1.0


def of_search(search: SearchConfig, given: frozenset[str]) -> dict[str, float]:
    """Return the budgets of ``search`` that are among the ``given`` settings."""
    found = {
        "core_s": search.core_budget_s,
        "wall_s": search.time_budget_s,
        "epochs": search.epoch_budget,
        "trials": search.trials,
    }
    return {
        kind: float(value)
        for kind, value in found.items()
        if value is not None and _FIELDS[kind] in given
    }


def of_race(specs: Mapping[str, SearchSpec], total: Amount) -> dict[str, SearchSpec]:
    """The systems' settings with the trials of the whole race, where they are limited.

    A run's own file has those of its last turn, which say nothing of how many slots are of use.
    """
    if "trials" not in total:
        return dict(specs)
    fields = {"trials": int(total["trials"])}
    return {
        system: replace(spec, search=spec.search.model_copy(update=fields))
        for system, spec in specs.items()
    }


def left(total: Amount, used: Amount) -> dict[str, float]:
    """Return what of ``total`` is not used yet; never below 0."""
    return {kind: max(0.0, value - used.get(kind, 0.0)) for kind, value in total.items()}


def part(amount: Amount, share: float) -> dict[str, float]:
    """Return ``share`` of each kind."""
    return {kind: share * value for kind, value in amount.items()}


def share_of(cost: Amount, amount: Amount) -> float:
    """Return the part of ``amount`` that ``cost`` takes, by the kind that it takes most of."""
    shares = [
        cost.get(kind, 0.0) / value if value > 0 else math.inf for kind, value in amount.items()
    ]
    return max(shares, default=0.0)


def granted(search: SearchConfig, grant: Amount, used: Amount) -> dict[str, object]:
    """Return the ``search`` fields that let a system spend ``grant`` beyond what it has ``used``.

    Core time, epochs and trials are counted over a search's whole life, wall time by each driver.
    An equal limit is a spent one. A search that has had nothing yet gets an epoch and a trial: it
    cannot be limited to less.
    """
    fields: dict[str, object] = {}
    if "core_s" in grant:
        fields["core_budget"] = _duration(used.get("core_s", 0.0) + grant["core_s"])
    if "wall_s" in grant:
        fields["time_budget"] = _duration(grant["wall_s"])
    if "epochs" in grant:
        fields["epoch_budget"] = _whole(used.get("epochs", 0.0), grant["epochs"])
    if "trials" in grant:
        fields["trials"] = _whole(used.get("trials", 0.0), grant["trials"])
    return fields


def in_all_turns(search: SearchConfig, total: Amount, num_systems: int) -> int:
    """Return how many trials a system may expect in all its turns together.

    That is its equal part of the race's trials, or else its space's own number.

    Args:
        search: its settings, of no single turn.
        total: what the race may spend.
        num_systems: that take part.
    """
    return max(1, int(total["trials"] / num_systems)) if "trials" in total else search.trials


def most_trials(grant: Amount, used: Amount, num_cpus: float) -> int:
    """Return the most trials of a search that ends by another budget than their number.

    An epoch or ``LEAST_TRIAL_S`` each: so settings that all fail at once, or that were all tried
    before, do not go on for ever.

    Args:
        grant: what it may spend.
        used: what it has had.
        num_cpus: of all slots.
    """
    room = {
        "core_s": grant.get("core_s", math.inf) / LEAST_TRIAL_S,
        "wall_s": grant.get("wall_s", math.inf) * num_cpus / LEAST_TRIAL_S,
        "epochs": grant.get("epochs", math.inf),
        "trials": grant.get("trials", math.inf),
    }
    return _whole(used.get("trials", 0.0), min(room.values()))


def in_words(amount: Amount) -> str:
    """Say the amounts in words: ``12.5 core-minutes, 40 trials``; empty if nothing is limited."""
    words = {
        "core_s": "{:.1f} core-minutes",
        "wall_s": "{:.1f} minutes",
        "epochs": "{:.0f} epochs",
        "trials": "{:.0f} trials",
    }
    return ", ".join(
        word.format(amount[kind] / (60 if kind.endswith("_s") else 1))
        for kind, word in words.items()
        if kind in amount
    )


def _whole(used: float, grant: float) -> int:
    return max(1, int(used) + int(grant + 1e-6))


def _duration(seconds: float) -> str:
    return f"{max(seconds, 0.001):.3f}s"
