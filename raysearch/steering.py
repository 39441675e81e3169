"""What somebody asks of a search while it runs: how it is checked, left for it, and taken.

A command is a file in the run's folder until the search has written it into its ledger. So it may
come from any process of the machine, and none is lost with the process that it is meant for.
"""

import json
import secrets
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from raysearch.config.space import Space
from raysearch.errors import ConfigError, UserError
from raysearch.files import write_json
from raysearch.ledger_events import Steered, line_of, read_data
from raysearch.run_folder import RunFolder
from raysearch.spec import SearchSpec
from raysearch.trial_records import Trials

__all__ = ["checked_command", "commands_in", "in_words", "leave_command"]

MOST_TRIALS = 10_000
MOST_SECONDS = 30 * 24 * 3600.0
_UNDER_WAY = ("running", "paused")


def checked_command(asked: Mapping[str, object], spec: SearchSpec, trials: Trials) -> Steered:
    """Read a command, and give it an id of its own.

    Args:
        asked: ``action``, and what that needs of ``target``, ``amount`` and ``values``.
        spec: the search.
        trials: those that it has.

    Raises:
        UserError: it cannot be done; the message says why.
    """
    action, name = asked.get("action"), secrets.token_hex(6)
    match action:
        case "stop":
            return Steered(name, "stop")
        case "stop-trial":
            return Steered(name, "stop-trial", target=_target(asked, trials))
        case "more-trials":
            amount = _amount(asked, MOST_TRIALS)
            if amount != int(amount):
                raise UserError(f"amount {amount:g}: a whole number of trials")
            return Steered(name, "more-trials", amount=amount)
        case "more-time":
            if spec.search.time_budget_s is None and spec.search.core_budget_s is None:
                raise UserError("this search has no budget of time; add trials instead")
            return Steered(name, "more-time", amount=_amount(asked, MOST_SECONDS))
        case "try":
            return Steered(name, "try", values=_values(asked, spec))
    raise UserError(f"action {action!r}: one of stop, stop-trial, more-trials, more-time, try")


def in_words(command: Steered) -> str:
    """Say what was asked for, for a line in the terminal."""
    return {
        "stop": "stop the search",
        "stop-trial": f"stop trial {command.target or 0:04d}",
        "more-trials": f"{command.amount or 0:g} more trials",
        "more-time": f"{(command.amount or 0) / 60:g} more minutes",
        "try": "try settings",
    }.get(command.action, command.action)


def leave_command(run: RunFolder, command: Steered) -> None:
    """Leave it for the search of ``run``, which takes it at its next epoch's end."""
    run.steering.mkdir(exist_ok=True)
    write_json(run.steering / f"{time.time_ns()}-{command.id}.json", line_of(command))


def commands_in(folder: Path) -> Iterator[Steered]:
    """What was left in ``folder``, the oldest first; each is removed once the next is asked for."""
    for path in sorted(folder.glob("*.json")):
        if command := _read(path):
            yield command
        path.unlink(missing_ok=True)


def _read(path: Path) -> Steered | None:
    """Return the command; None for a file that is none of ours."""
    try:
        return read_data(Steered, json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError, AttributeError):
        return None


def _target(asked: Mapping[str, object], trials: Trials) -> int:
    number = asked.get("target")
    record = trials.records.get(number) if isinstance(number, int) else None
    if record is None:
        raise UserError(f"target {number!r}: no trial has this number")
    if record.status not in _UNDER_WAY:
        raise UserError(f"trial {record.number:04d} has ended: {record.status}")
    return record.number


def _amount(asked: Mapping[str, object], most: float) -> float:
    amount = asked.get("amount")
    number = isinstance(amount, int | float) and not isinstance(amount, bool)
    if not number or not 0 < float(str(amount)) <= most:
        raise UserError(f"amount {amount!r}: a number above 0 and up to {most:g}")
    return float(str(amount))


def _values(asked: Mapping[str, object], spec: SearchSpec) -> dict[str, object]:
    """The settings of a trial: those that are not named are the space's own.

    Raises:
        UserError: one is not searched, or out of what is searched.
    """
    given = asked.get("values")
    if not isinstance(given, Mapping):
        raise UserError("values: searched fields and their values")
    base, space = spec.base.fields(), spec.space
    for name in given:
        if name not in space.fields:
            raise UserError(f"{name}: not searched; searched are {', '.join(space.fields)}")
    values = {name: given.get(name, base[name]) for name in space.fields}
    _check_within(space, values)
    try:
        spec.resolve(values)
    except ConfigError as error:
        raise UserError(str(error)) from None
    return values


def _check_within(space: Space, values: Mapping[str, object]) -> None:
    known: dict[str, object] = {}
    for name in space.fields:
        parameter = space.parameter(name, known)
        if parameter is None:
            continue
        if not parameter[1].contains(values[name]):
            raise UserError(f"{name} {values[name]!r}: not in {parameter[1].to_dict()}")
        known[name] = values[name]
