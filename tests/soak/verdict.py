"""Whether a search came through: judged by its ledger, not by what it says of itself."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from injections import FAULTS, Injection
from memory import Growth

from raysearch.errors import DataError
from raysearch.ledger import TERMINAL, Event
from raysearch.trial_records import TrialRecord, Trials

__all__ = ["Check", "check_faults", "check_memory", "check_trials", "statuses"]

OBJECTIVE = "val_uar_mean3"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was to be so.

    Attributes:
        name: of it.
        good: whether it is; None if that cannot be told.
        seen: in a few words.
    """

    name: str
    good: bool | None
    seen: str


def statuses(events: Sequence[Event]) -> dict[str, int]:
    """How many trials ended how."""
    return dict(Counter(event.event for event in events if event.event in TERMINAL))


def check_trials(
    events: Sequence[Event],
    wanted: int,
    epochs: int,
    refused: Callable[[TrialRecord], bool],
    says: str,
) -> list[Check]:
    """Every trial is accounted for, and none failed but by its settings.

    Args:
        events: the ledger.
        wanted: trials in all.
        epochs: of a trial that is completed.
        refused: whether a trial's settings are of those that fail.
        says: what the reason then holds.
    """
    trials = Trials(OBJECTIVE)
    try:
        for event in events:
            trials.apply(event)
    except DataError as error:  # an end after an end, say
        return [Check("trials accounted for", False, str(error))]
    records = trials.records
    ends = Counter(event.number for event in events if event.event in TERMINAL)
    missing = [n for n in range(wanted) if ends[n] != 1]
    extra = sorted(set(records) - set(range(wanted)))
    failed = [r for r in records.values() if r.status == "failed"]
    hurt = [r for r in failed if not (refused(r) and says in (r.reason or ""))]
    spared = [r for r in records.values() if r.status != "failed" and refused(r)]
    whole = list(range(1, epochs + 1))
    done = [r for r in records.values() if r.status == "completed" and r.copied_from is None]
    torn = [r.number for r in done if sorted(r.epochs) != whole]
    bare = [r.number for r in done if not r.checkpoint]
    return [
        Check("trials accounted for", not missing and not extra, _numbers(missing + extra, wanted)),
        Check(
            "failed by its settings alone",
            not hurt,
            "; ".join(f"{r.number:04d}: {r.reason}" for r in hurt) or "so it is",
        ),
        Check("bad settings fail", not spared, _list([r.number for r in spared])),
        Check("each epoch of completed trials once", not torn, _list(torn)),
        Check("completed trials have weights", not bare, _list(bare)),
    ]


def check_faults(
    injections: Sequence[Injection], least: int, stopped: Sequence[int]
) -> list[Check]:
    """Enough was injected, of each kind if there was time for all, and no rank hangs still.

    Args:
        injections: what was.
        least: how many there had to be.
        stopped: of the ranks that were made to hang, those that nobody ended.
    """
    missing = set(FAULTS) - {one.kind for one in injections}
    due = least >= len(FAULTS)
    return [
        Check("faults injected", len(injections) >= least, f"{len(injections)}, at least {least}"),
        Check(
            "each kind of fault", not missing if due else None, ", ".join(sorted(missing)) or "all"
        ),
        Check("hung ranks were ended", not stopped, _list(list(stopped))),
    ]


def check_memory(grown: dict[str, Growth]) -> list[Check]:
    """What must not grow did not."""
    return [Check(f"memory flat: {name}", one.flat, _megabytes(one)) for name, one in grown.items()]


def _megabytes(one: Growth) -> str:
    change = "too short to tell" if one.grown is None else f"{one.grown / 1e6:+.0f} MB"
    return f"median {one.median / 1e6:.0f} MB, {change}"


def _numbers(wrong: list[int], wanted: int) -> str:
    return f"{wanted}" if not wrong else f"not so: {_list(wrong)}"


def _list(numbers: list[int]) -> str:
    shown = ", ".join(str(n) for n in numbers[:10])
    return f"{shown}{', ...' if len(numbers) > 10 else ''}" or "none"
