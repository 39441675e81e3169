"""What a page says first: how good the model is, by which protocol, and what it cost."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from raysearch.config.metric_table import metric_of
from raysearch.evaluation.figures import EvaluationFigures, Mode, PartFigures, method_of
from raysearch.evaluation.final_model import FinalModel
from raysearch.evaluation.stored_evaluations import is_honest
from raysearch.ledger import Event
from raysearch.page.agreement import AgreementFigure, agreement_of
from raysearch.page.followed_search import FollowedSearch
from raysearch.reporting.prospects import in_full
from raysearch.reporting.run_state import State, state_of
from raysearch.reporting.wording import age, counted
from raysearch.run_folder import RunFolder
from raysearch.run_lease import is_held, was_held_here
from raysearch.searching.results import Run
from raysearch.spec import SearchSpec
from raysearch.training.transductive import is_transductive, mark
from raysearch.trial_records import Trials

__all__ = [
    "Cost",
    "Headline",
    "TestFigure",
    "ValidationFigure",
    "headline",
    "is_searched_here",
    "page_state",
]

_KINDS: dict[Mode, str] = {
    "nested": "all folds, each searched on its own",
    "fold": "one fold",
    "reuse-settings": "all folds, settings of one",
    "paper": "the paper's own split",
}
# A driver on another machine, whose lock is not seen here, says something at least as often.
SILENT_S = 900.0


@dataclass(frozen=True, slots=True)
class TestFigure:
    """UA on test rows, of the final model or of what it is compared with.

    Attributes:
        label: whose.
        kind: on which rows, in words.
        method: how the interval was made.
        is_honest: whether no test row or speaker had a part in what is scored.
        is_current: whether it is of the model that the search ends with now.
        is_final: whether it is the final model's.
    """

    label: str
    kind: str
    protocol: str
    ua: float
    interval: list[float] | None
    method: str | None
    per_seed: list[float]
    num_speakers: int
    is_honest: bool
    is_current: bool
    is_final: bool
    notes: list[str]


@dataclass(frozen=True, slots=True)
class ValidationFigure:
    """The objective of one notable trial by validation, which flatters."""

    label: str
    number: int
    value: float


@dataclass(frozen=True, slots=True)
class Cost:
    """What the search took.

    Attributes:
        wall_s: from the command to its end, over all sittings.
        core_s: CPUs of the slots times the seconds for which they were held.
    """

    wall_s: float
    core_s: float
    trials: int
    epochs: int


@dataclass(frozen=True, slots=True)
class Headline:
    """The first part of the page.

    Attributes:
        state: how the search stands.
        state_note: what the word leaves out, such as which budget; empty if nothing.
        forecast: what more of the search would bring, in a sentence.
        agreement: in place of ``test`` where the search predicts dimensions.
    """

    name: str
    system: str
    corpus: str
    state: State
    state_note: str
    updated: float
    test: list[TestFigure]
    validation: list[ValidationFigure]
    cost: Cost
    forecast: str
    agreement: list[AgreementFigure]


def headline(
    run: Run,
    spec: SearchSpec,
    events: Sequence[Event],
    followed: FollowedSearch,
    final: FinalModel | None,
    stored: Mapping[Mode, EvaluationFigures],
) -> Headline:
    """Gather it.

    Args:
        run: whose page it is.
        spec: its settings.
        events: its ledger.
        followed: has followed all of that.
        final: the final model; None before it is made.
        stored: its evaluations.
    """
    trials, winner = followed.trials, final.winner if final else None
    words = metric_of(trials.objective).in_words + mark(is_transductive(spec))
    state = page_state(run, events, all_failed=trials.all_failed)
    return Headline(
        name=run.name,
        system=spec.name,
        corpus=spec.corpus.name,
        state=state,
        state_note=_note(run, events, state),
        updated=events[-1].time if events else time.time(),
        test=[figure for mode, one in stored.items() for figure in _test(mode, one, winner)],
        validation=_validation(spec, trials),
        cost=Cost(
            _wall_s(run, events),
            round(followed.progress.core_s, 1),
            len(trials.records),
            trials.num_epochs,
        ),
        forecast=in_full(followed.progress.outlook(trials), trials.objective, words),
        agreement=agreement_of(run.files, winner),
    )


def page_state(run: Run, events: Sequence[Event], *, all_failed: bool) -> State:
    """Say how the search stands, as far as this machine can tell.

    Args:
        run: the run.
        events: its ledger.
        all_failed: whether it has trials, and every one of them failed.
    """
    alive = is_held(run.folder)
    if run.outcome is None and not alive:
        alive = is_held(run.folder.parent) or (
            not was_held_here(run.folder) and _silent_s(run, events) < SILENT_S
        )
    return state_of(run.outcome, is_alive=alive, all_failed=all_failed)


def _note(run: Run, events: Sequence[Event], state: State) -> str:
    """What the word leaves out."""
    if state == "lost":
        silent = age(_silent_s(run, events))
        return f"not heard of for {silent}; resume it if its process is gone"
    return run.outcome if run.outcome not in (None, state) and state != "running" else ""


def _silent_s(run: Run, events: Sequence[Event]) -> float:
    return time.time() - (events[-1].time if events else _begun(run))


def is_searched_here(run: RunFolder) -> bool:
    """Whether a living process of this machine holds the run, or the race that it belongs to."""
    return is_held(run.root) or is_held(run.root.parent)


def _begun(run: Run) -> float:
    sessions = run.files.info().get("sessions", [])
    return float(sessions[-1]["started"]) if sessions else 0.0


def _wall_s(run: Run, events: Sequence[Event]) -> float:
    last: dict[int, float] = {}
    for event in events:
        last[event.fence] = event.time
    spans = (
        session.get("ended", last.get(session["fence"], session["started"])) - session["started"]
        for session in run.files.info().get("sessions", [])
    )
    return float(sum(spans))


def _test(mode: Mode, figures: EvaluationFigures, winner: str | None) -> list[TestFigure]:
    honest, current = is_honest(mode, figures), winner in (None, figures["trial"])
    kind = _KINDS[mode] + mark(figures.get("transductive", False))
    ua, speakers = figures["ua"], figures["num_speakers"]

    def figure(label: str, value: float, *, final: bool) -> TestFigure:
        return TestFigure(
            label,
            kind,
            figures["protocol"],
            value,
            ua["interval"] if final else None,
            method_of(figures) if final else None,
            ua["per_seed"] if final else [],
            speakers,
            honest,
            current,
            final,
            figures["notes"] if final else [],
        )

    parts: Mapping[str, PartFigures] = figures.get("parts", {})
    return [
        figure(_whose(mode, current), ua["mean"], final=True),
        *(figure(name, part["ua"], final=False) for name, part in parts.items()),
    ]


def _whose(mode: Mode, current: bool) -> str:
    if not current:
        return "an earlier winner"
    return "the final model" if mode in ("nested", "fold") else "the winner"


def _validation(spec: SearchSpec, trials: Trials) -> list[ValidationFigure]:
    ranked = trials.ranked()

    planned = f" of {spec.published.epochs}" if spec.published.epochs else ""
    published = [record for record in ranked if record.published]
    notable = {
        f"published settings, our data, {{}}{planned} epochs": published,
        "the space's own settings, {} epochs": [r for r in ranked if r.is_own],
        "the best trial, {} epochs": ranked,
    }
    found = [
        ValidationFigure(label.format(records[0].last_epoch), records[0].number, value)
        for label, records in notable.items()
        if records and (value := records[0].best_metric) is not None
    ]
    # Who trained longer had more chances: beside print stands what as many epochs gave.
    if published and (epochs := published[0].last_epoch) < ranked[0].last_epoch:
        value = ranked[0].best_within(epochs, trials.objective)
        if value is not None:
            label = f"the best trial's first {counted(epochs, 'epoch')}"
            found.insert(1, ValidationFigure(label, ranked[0].number, value))
    return found
