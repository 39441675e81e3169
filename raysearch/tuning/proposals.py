"""Which settings come next, and the identity they have."""

from collections.abc import Mapping
from dataclasses import dataclass

from raysearch.trial_records import TrialRecord
from raysearch.tuning.problem import OWN, PUBLISHED, Problem
from raysearch.tuning.study import Study

__all__ = ["Proposal", "Proposals"]


ASKED = "settings that were asked for"


@dataclass(frozen=True, slots=True)
class Proposal:
    """Settings to try, and whose they are.

    Attributes:
        values: dotted field to value.
        trial: the identity.
        published: whether they are the published settings.
        never_pruned: whether they train all their epochs whatever the stop rule says: the published
            ones and the space's own defaults.
        asked: the id of the command that asked for them, if one did.
    """

    values: dict[str, object]
    trial: str
    published: bool
    never_pruned: bool = False
    asked: str | None = None


class Proposals:
    """Proposes the settings that ``problem`` gives, then those that the sampler chooses.

    Args:
        problem: what is searched.
        study: the sampler; trials are asked of it, or taken up, in order of their numbers.
    """

    def __init__(self, problem: Problem, study: Study) -> None:
        self._problem, self._study = problem, study
        self._given = problem.given()

    def next(
        self, number: int, held: Mapping[int, int], asked: Mapping[str, Mapping[str, object]]
    ) -> Proposal:
        """Propose the settings of trial ``number``.

        Args:
            number: the trial's.
            held: as :meth:`raysearch.tuning.study.Study.propose` takes it.
            asked: settings that somebody asked for, by the ids of the commands; they come after
                the given ones, the oldest first.
        """
        problem = self._problem
        if number >= len(self._given) and asked:
            command, wanted = next(iter(asked.items()))
            self._study.enqueue(number, problem.searched(wanted), label=ASKED)
            values = problem.proposed(wanted)
            return Proposal(values, problem.identity(values), published=False, asked=command)
        if number >= len(self._given):
            values = problem.proposed(self._study.propose(number, held))
            return Proposal(values, problem.identity(values), published=False)
        label, values = self._given[number].label, self._given[number].values
        self._study.enqueue(number, problem.searched(values), label=label)
        never_pruned = label in (PUBLISHED, OWN)
        return Proposal(values, problem.identity(values), label == PUBLISHED, never_pruned)

    def take_up(self, record: TrialRecord, curve: Mapping[int, float]) -> None:
        """Take over a trial that an earlier driver proposed, and its ``curve`` unless it runs."""
        label = OWN if record.never_pruned else None
        label = PUBLISHED if record.published else label
        label = ASKED if record.details.get("asked") else label
        values = self._problem.searched(record.config)
        if record.status == "running":
            self._study.enqueue(record.number, values, label=label)
        else:
            self._study.add(record.number, values, record.status, curve, label)
