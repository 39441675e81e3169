"""Says what a race leaves of its budget, and why."""

from raysearch.race.budget_amounts import Amount, in_words, left
from raysearch.tuning.budgets import BUDGETS, CORES, EPOCHS, TIME

__all__ = ["leftover"]

# Less than this part of a budget is not worth a word.
TOLD = 0.05
_KIND_OF = {CORES: "core_s", TIME: "wall_s", EPOCHS: "epochs"}


def leftover(total: Amount, used: Amount, ended: str) -> str:
    """Say what the race leaves of its budget, and why; empty where nothing is left.

    Args:
        total: what the race may spend.
        used: what it has spent.
        ended: how the winner's last search ended, as ``run.json`` says it; empty where a full disk
            kept it out.
    """
    rest = {kind: v for kind, v in left(total, used).items() if v > TOLD * total[kind]}
    if not rest:
        return ""
    each = (f"{in_words({k: v})} of {in_words({k: total[k]})}" for k, v in rest.items())
    why = f", as {_why(total, rest, ended)}" if ended else ""
    return ", ".join(each) + why


def _why(total: Amount, rest: Amount, ended: str) -> str:
    if ended in BUDGETS:
        spent = _KIND_OF[ended] not in rest
        return (
            f"the {ended} is spent" if spent else "the final model took less than was kept for it"
        )
    if "trials" in total:
        return "all trials are there"
    return "the winner's further trials failed at once or repeated others"
