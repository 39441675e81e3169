"""Does what somebody asks of a search while it runs, each once it is in the ledger."""

from collections.abc import Callable, Iterable

from raysearch.ledger_events import BY_HAND, Steered
from raysearch.trial_records import Trials
from raysearch.tuning.budgets import Budgets
from raysearch.tuning.chronicle import Chronicle

__all__ = ["heed"]


def heed(
    commands: Iterable[Steered],
    chronicle: Chronicle,
    trials: Trials,
    budgets: Budgets,
    stop: Callable[[str], None],
) -> bool:
    """Write down what was asked for, and do what is not done by whoever reads the ledger.

    Trials that are added, asked for or to be stopped are in ``trials`` once it is written.

    Args:
        commands: what was asked for; each is done with once the next one is taken.
        chronicle: writes it.
        trials: of the search.
        budgets: of the search.
        stop: ends it.

    Returns:
        Whether anything was asked for.
    """
    before = len(trials.steered)
    for command in commands:
        if command.id in trials.steered:
            continue  # a driver wrote it, and died before it was done with
        chronicle.steered(command)
        if command.action == "stop":
            stop(BY_HAND)
        budgets.add(command)
    return len(trials.steered) > before
