"""What the page says of several runs beside each other."""

from collections.abc import Sequence
from dataclasses import dataclass

from raysearch.evaluation.compare import Compared
from raysearch.evaluation.figures import ComparedFigures, method_of
from raysearch.evaluation.stored_evaluations import System

__all__ = ["ComparedSystem", "Comparison", "comparison_of"]


@dataclass(frozen=True, slots=True)
class ComparedSystem:
    """One run's UA on the test rows that all of them have, and how its interval was made."""

    name: str
    ua: float
    interval: list[float] | None
    method: str | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """The comparison of several runs, each with the first.

    Attributes:
        kind: of the evaluation, and its protocol.
        pairs: the differences, speaker by speaker, and what may be claimed.
        notes: why the figures may not be believed, if so.
    """

    kind: str
    systems: list[ComparedSystem]
    pairs: list[ComparedFigures]
    notes: list[str]


def comparison_of(
    systems: Sequence[System], found: Sequence[Compared], notes: Sequence[str]
) -> Comparison:
    """Gather it from what ``raysearch compare`` has found."""
    first = systems[0]
    return Comparison(
        kind=f"{first.protocol}, {first.mode}{', transductive' if first.transductive else ''}",
        systems=[
            ComparedSystem(
                one.name,
                one.figures["ua"]["mean"],
                one.figures["ua"]["interval"],
                method_of(one.figures),
            )
            for one in systems
        ],
        pairs=[one.to_dict() for one in found],
        notes=list(notes),
    )
