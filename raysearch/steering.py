"""What somebody asks of a search while it runs: how it is checked, left for it, and taken.

A command is a file in a folder of the run until the search has written it into its ledger. So it
may come from any process of the machine, and none is lost with the process that it is meant for.
The folder is there while the search takes commands: from its first trial to its last.
"""

import contextlib
import json
import secrets
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from raysearch.config.distributions import Choice, Distribution, RandInt, Scalar, same_value
from raysearch.config.space import Space
from raysearch.errors import ConfigError, UserError
from raysearch.files import write_json
from raysearch.ledger_events import Steered, line_of, read_data
from raysearch.run_folder import RunFolder
from raysearch.spec import SearchSpec
from raysearch.trial_records import Trials

__all__ = ["checked_command", "commands_in", "commands_taken", "in_words", "leave_command"]

MOST_TRIALS = 10_000
MOST_SECONDS = 30 * 24 * 3600.0
_UNDER_WAY = ("running", "paused")
_ACTIONS = ("stop", "stop-trial", "more-trials", "more-time", "more-core-time", "try")


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
        case "more-time" if spec.search.time_budget_s is not None:
            return Steered(name, "more-time", amount=_amount(asked, MOST_SECONDS))
        case "more-core-time" if spec.search.core_budget_s is not None:
            return Steered(name, "more-core-time", amount=_amount(asked, MOST_SECONDS))
        case "more-time" | "more-core-time":
            raise UserError("this search has no such budget; add trials instead")
        case "try":
            return Steered(name, "try", values=_values(asked, spec))
    raise UserError(f"action {action!r}: one of {', '.join(_ACTIONS)}")


def in_words(command: Steered) -> str:
    """Say what was asked for, for a line in the terminal."""
    return {
        "stop": "stop the search",
        "stop-trial": f"stop trial {command.target or 0:04d}",
        "more-trials": f"{command.amount or 0:g} more trials",
        "more-time": f"{(command.amount or 0) / 60:g} more minutes",
        "more-core-time": f"{(command.amount or 0) / 60:g} more core-minutes",
        "try": "try settings",
    }.get(command.action, command.action)


def leave_command(run: RunFolder, command: Steered) -> None:
    """Leave it for the search of ``run``, which takes it at its next epoch's end.

    Raises:
        UserError: the search takes no commands now.
    """
    try:
        write_json(run.steering / f"{time.time_ns()}-{command.id}.json", line_of(command))
    except FileNotFoundError:
        raise UserError(
            "the search takes no commands now: it is about to begin, or its trials are over"
        ) from None


@contextlib.contextmanager
def commands_taken(run: RunFolder) -> Iterator[Callable[[], Iterable[Steered]]]:
    """Take commands for the duration of a ``with``, as long as the trials of a sitting last.

    What was left for a driver that died is taken too, but that the search shall stop: who resumes
    it wants it to go on.

    Returns:
        What gives the commands since the last time, as ``commands_in``.
    """
    run.steering.mkdir(exist_ok=True)
    for path in run.steering.glob("*.json"):
        left = _read(path)
        if left is None or left.action == "stop":
            path.unlink()
    try:
        yield lambda: commands_in(run.steering)
    finally:
        shutil.rmtree(run.steering, ignore_errors=True)


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
    values = _searched(space, base, given)
    try:
        spec.resolve(values)
    except ConfigError as error:
        raise UserError(str(error)) from None
    return values


def _searched(
    space: Space, base: Mapping[str, object], given: Mapping[str, object]
) -> dict[str, object]:
    """Each searched field's value; one that does not apply beside the others has the space's own.

    Raises:
        UserError: a value is out of what is searched.
    """
    known, values = dict[str, object](), dict[str, object]()
    for name in space.fields:
        parameter, value = space.parameter(name, known), given.get(name, base[name])
        if parameter is None:
            values[name] = base[name]
            continue
        if not parameter[1].contains(value):
            raise UserError(f"{name} {value!r}: not in {parameter[1].to_dict()}")
        values[name] = known[name] = _as_searched(parameter[1], value)
    return values


def _as_searched(distribution: Distribution, value: object) -> Scalar:
    """The value as a sampler would give it: a page's script knows no difference of 2 and 2.0."""
    if isinstance(distribution, Choice):
        return next(one for one in distribution.options if same_value(one, value))
    number = float(str(value))
    return int(number) if isinstance(distribution, RandInt) else number
