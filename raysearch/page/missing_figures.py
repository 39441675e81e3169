"""Why a figure of a run's page is not there, where it is not: the page leaves it out unsaid."""

from collections.abc import Callable, Mapping

from raysearch.page.document import RunDocument
from raysearch.page.importance import MIN_TRIALS
from raysearch.page.model_part import Evaluated
from raysearch.page.search_part import TrialRow

__all__ = ["FIGURES", "column_figure", "why_missing"]

NO_VALUE = "no trial has a value yet"
UNDIVIDED = "the search has not divided its data yet"
NOT_KEPT = "the run is of an earlier version, which did not keep it"
NO_PREDICTIONS = "the evaluation's predictions are not kept"

_OfRun = Callable[[RunDocument], str]
_OfModel = Callable[[RunDocument, Evaluated], str]


def _scored(page: RunDocument) -> list[TrialRow]:
    return [row for row in page.search.trials if row.copied_from is None and row.best is not None]


def _unless(is_there: object, why: str) -> str:
    return "" if is_there else why


def _axes(page: RunDocument) -> str:
    several = len(_scored(page)) > 1 and page.search.fields
    return _unless(several, "it takes two trials with a value, and a searched field")


def _kept(page: RunDocument, rows: Callable[[RunDocument], object]) -> str:
    return _unless(rows(page), NOT_KEPT) if page.data else UNDIVIDED


def _groups(values: Mapping[str, object], what: str) -> str:
    return _unless(len(values) > 1, f"it takes several {what}")


def _per_sex(page: RunDocument, shown: Evaluated) -> str:
    del page
    if "sex" in shown.figures.get("by", {}):
        return "the column sex was compared, and is drawn by_column"
    return _groups(shown.figures["per_sex_ua"], "known sexes")


_RUN: dict[str, _OfRun] = {
    "best-so-far": lambda page: _unless(page.search.steps, NO_VALUE),
    "courses": lambda page: _unless(page.search.trials, "no trial has begun yet"),
    "slots": lambda page: _unless(page.search.spans, "no slot has trained yet"),
    "axes": _axes,
    "importances": lambda page: _unless(
        page.search.importances, f"it takes {MIN_TRIALS} trials with a value"
    ),
    "slice": lambda page: _unless(_scored(page) and page.search.fields, NO_VALUE),
    "validation-figures": lambda page: _unless(page.headline.validation, NO_VALUE),
    "speakers": lambda page: _kept(page, lambda p: p.data and p.data.emotions),
    "durations": lambda page: _kept(page, lambda p: p.data and p.data.durations),
}
_MODEL: dict[str, _OfModel] = {
    "test-figures": lambda page, shown: "",
    "confusion": lambda page, shown: "",
    "per-class": lambda page, shown: "",
    "per-speaker": lambda page, shown: _groups(shown.figures["per_speaker_ua"], "test speakers"),
    "per-sex": _per_sex,
    "per-corpus": lambda page, shown: _groups(shown.per_corpus_ua, "corpora"),
    "calibration": lambda page, shown: _unless(shown.calibration, NO_PREDICTIONS),
    "mistakes": lambda page, shown: _unless(shown.mistakes or shown.right, NO_PREDICTIONS),
    "noise": lambda page, shown: _unless(
        page.model.noise, "not scored under noise yet: raysearch evaluate {run} --noise"
    ),
    "ablations": lambda page, shown: _unless(
        page.model.ablations, "not ablated yet: raysearch ablate {run}"
    ),
}
# By their names on the page.
FIGURES = (*_RUN, *_MODEL)


def why_missing(figure: str, page: RunDocument, place: str) -> str:
    """Say in a line why a figure is not on the page; empty if it is.

    Args:
        figure: one of ``FIGURES``.
        page: of the run.
        place: the run, as a command names it.
    """
    if figure in _RUN:
        return _RUN[figure](page)
    shown = next(iter(page.model.evaluations.values()), None)
    if shown is None:
        return f"not evaluated yet: raysearch evaluate {place}"
    return _MODEL[figure](page, shown).format(run=place)


def column_figure(column: str, page: RunDocument, place: str) -> tuple[str, str]:
    """The figure of a column of ``evaluate --by``, and why it is not on the page.

    Args:
        column: its name.
        page: of the run.
        place: the run, as a command names it.

    Returns:
        The figure's name on the page, and a line; that is empty if the figure is there.
    """
    shown = next(iter(page.model.evaluations.values()), None)
    by = shown.figures.get("by", {}) if shown else {}
    if column not in by:
        return f"by {column}", f"not compared yet: raysearch evaluate {place} --by {column}"
    figure = f"by-{list(by).index(column)}"
    return figure, _groups(by[column]["groups"], "values of the column")
