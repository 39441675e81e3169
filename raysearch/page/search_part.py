"""What the page says of the search itself: its trials, its slots, what it reached and when."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from raysearch.config.distributions import Choice, LogUniform, Scalar
from raysearch.config.metric_table import metric_of
from raysearch.ledger import Event
from raysearch.page.followed_search import DIGITS, FollowedSearch, Step
from raysearch.page.importance import Importance, Importances
from raysearch.page.slot_timeline import Span, spans_of
from raysearch.spec import SearchSpec
from raysearch.trial_records import TrialRecord

__all__ = ["Field", "Objective", "SearchPart", "TrialRow", "search_part"]


@dataclass(frozen=True, slots=True)
class Objective:
    """The metric by which trials are compared.

    Attributes:
        name: as a search's settings name it.
        heading: as a column's heading.
        is_share: whether it is shown in percent.
        lower_is_better: which way is up.
    """

    name: str
    heading: str
    is_share: bool
    lower_is_better: bool


@dataclass(frozen=True, slots=True)
class Field:
    """A searched field: what it may be.

    Attributes:
        name: its dotted name.
        is_log: whether its values are spread by their logarithm.
        low, high: its bounds; None where it is a choice.
        choices: its values; none where it is a number.
    """

    name: str
    is_log: bool
    low: float | None
    high: float | None
    choices: tuple[Scalar, ...]


@dataclass(frozen=True, slots=True)
class TrialRow:
    """One trial.

    Attributes:
        kind: ``published``, ``own`` (the space's own settings) or ``searched``.
        status: how it stands, in a reader's words; ``running`` while it is under way.
        best: its best value of the objective.
        curve: the objective after each epoch, as pairs of epoch and value.
        losses: the training loss after each epoch, as such pairs.
        share: of the final model's decision; None if it has none.
        core_s: core-seconds of training.
    """

    number: int
    kind: str
    status: str
    best: float | None
    best_epoch: int | None
    epochs: int
    curve: list[tuple[int, float]]
    losses: list[tuple[int, float]]
    pauses: int
    attempts: int
    reason: str | None
    copied_from: int | None
    share: float | None
    params: int | None
    core_s: float
    config: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class SearchPart:
    """Everything that the page draws of the search.

    Attributes:
        best_first: numbers of the trials that have a value.
        steps: the best value so far, at each rise; the last one repeated at the search's end.
    """

    objective: Objective
    max_epochs: int
    planned_trials: int
    has_time_budget: bool
    has_core_budget: bool
    rule: str
    core_s: float
    fields: list[Field]
    trials: list[TrialRow]
    best_first: list[int]
    spans: list[Span]
    steps: list[Step]
    importances: list[Importance]


def search_part(
    spec: SearchSpec,
    events: Sequence[Event],
    followed: FollowedSearch,
    shares: Mapping[int, float],
    told: Importances,
) -> SearchPart:
    """Gather what the ledger says of the search of ``spec``.

    Args:
        spec: the search.
        events: its ledger.
        followed: has followed all of that.
        shares: of each trial in the final model, by number.
        told: finds how much each field mattered.
    """
    trials = followed.trials
    slot_cpus = spec.search.workers * spec.search.cpus_per_worker
    return SearchPart(
        objective=_objective(trials.objective),
        max_epochs=spec.training.epochs,
        planned_trials=spec.search.trials + trials.num_added,
        has_time_budget=spec.search.time_budget_s is not None,
        has_core_budget=spec.search.core_budget_s is not None,
        rule=spec.search.scheduler,
        core_s=round(followed.progress.core_s, 1),
        fields=[_field(spec, name) for name in spec.space.fields],
        trials=[
            _row(record, trials.objective, shares.get(number), slot_cpus)
            for number, record in sorted(trials.records.items())
        ],
        best_first=[record.number for record in trials.ranked()],
        spans=spans_of(events),
        steps=followed.steps(),
        importances=told.of(trials),
    )


def _objective(name: str) -> Objective:
    metric = metric_of(name)
    return Objective(name, metric.heading, metric.text(0.5).endswith("%"), metric.lower_is_better)


def _field(spec: SearchSpec, name: str) -> Field:
    """The field over all its alternatives: a choice if any of them is one."""
    forms = [one.distribution for one in spec.space.fields[name]]
    bounds = [(one.low, one.high) for one in forms if not isinstance(one, Choice)]
    if len(bounds) < len(forms):
        values = [value for one in forms for value in one.probes()]
        return Field(name, False, None, None, tuple({repr(one): one for one in values}.values()))
    is_log = all(isinstance(one, LogUniform) for one in forms)
    return Field(name, is_log, min(low for low, _ in bounds), max(high for _, high in bounds), ())


def _row(record: TrialRecord, objective: str, share: float | None, cpus: float) -> TrialRow:
    best = record.epochs.get(record.best_epoch or 0)
    kind = "published" if record.published else "own" if record.is_own else "searched"
    copied = record.copied_from is not None
    return TrialRow(
        number=record.number,
        kind=kind,
        status=record.standing,
        best=_rounded(record.best_metric),
        best_epoch=record.best_epoch,
        epochs=record.last_epoch,
        curve=[] if copied else _curve(record, objective),
        losses=[] if copied else _curve(record, "train_loss"),
        pauses=record.pauses,
        attempts=record.attempts,
        reason=record.reason,
        copied_from=record.copied_from,
        share=_rounded(share),
        params=best.num_params if best else None,
        core_s=0.0 if copied else round(record.train_s * cpus, 1),
        config=record.config,
    )


def _curve(record: TrialRecord, metric: str) -> list[tuple[int, float]]:
    told = ((epoch, one.metrics.get(metric)) for epoch, one in sorted(record.epochs.items()))
    return [(epoch, round(value, DIGITS)) for epoch, value in told if value is not None]


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, DIGITS)
