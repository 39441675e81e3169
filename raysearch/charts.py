"""The figures of a run's page, one function each: for notebooks, and to be saved alone.

``charts.courses(Run("results/emo"))`` is what ``raysearch report`` draws, from the same options by
the same library: it asks no other computer for anything. A figure that there is nothing for yet
says so in its place.
"""

from collections.abc import Sequence
from dataclasses import replace

from raysearch.errors import RaysearchError
from raysearch.evaluation.compare import compare_all
from raysearch.evaluation.figures import Mode
from raysearch.evaluation.stored_evaluations import doubts_of, load_systems
from raysearch.page.comparison import Comparison, comparison_of
from raysearch.page.document import RunDocument
from raysearch.page.drawn_chart import Chart
from raysearch.page.followed_run import run_document
from raysearch.page.html import page_html
from raysearch.page.missing_figures import NO_VALUE, column_figure, why_missing
from raysearch.searching.results import Run
from raysearch.storage.replica import display_path, pasted

__all__ = [
    "Chart",
    "ablations",
    "axes",
    "best_so_far",
    "by_column",
    "calibration",
    "compared",
    "confusion",
    "courses",
    "durations",
    "importances",
    "mistakes",
    "noise",
    "on_test",
    "on_validation",
    "paired",
    "per_class",
    "per_corpus",
    "per_sex",
    "per_speaker",
    "searches",
    "slice_of",
    "slots",
    "speakers",
]

# Pixels: a figure with its caption; a longer one scrolls.
HEIGHT = 480


def best_so_far(run: Run, *, height: int = HEIGHT) -> Chart:
    """Draw the best validation value against core time, each time it rose."""
    return _of_run(run, "best-so-far", height)


def courses(run: Run, *, height: int = HEIGHT) -> Chart:
    """Draw every trial's validation values over its epochs."""
    return _of_run(run, "courses", height)


def slots(run: Run, *, height: int = HEIGHT) -> Chart:
    """Draw what each slot trained when."""
    return _of_run(run, "slots", height)


def axes(run: Run, *, height: int = HEIGHT) -> Chart:
    """Draw the trials' settings as parallel coordinates, which can be brushed."""
    return _of_run(run, "axes", height)


def importances(run: Run, *, height: int = HEIGHT) -> Chart:
    """Draw how much each setting told the better trials from the others."""
    return _of_run(run, "importances", height)


def slice_of(run: Run, *, height: int = HEIGHT) -> Chart:
    """Draw the trials' values by one setting, which the figure lets choose."""
    return _of_run(run, "slice", height)


def on_validation(run: Run, *, height: int = HEIGHT) -> Chart:
    """Draw what the search added to the published and to the space's own settings."""
    return _of_run(run, "validation-figures", height)


def speakers(run: Run, *, height: int = HEIGHT) -> Chart:
    """Draw how many utterances of each emotion each speaker has, by side."""
    return _of_run(run, "speakers", height)


def durations(run: Run, *, height: int = HEIGHT) -> Chart:
    """Draw how long the utterances are, by side."""
    return _of_run(run, "durations", height)


def on_test(run: Run, *, height: int = HEIGHT) -> Chart:
    """Draw the final model's UA on test rows, with what it is compared with."""
    return _of_run(run, "test-figures", height)


def confusion(run: Run, *, mode: Mode | None = None, height: int = HEIGHT) -> Chart:
    """Draw what was taken for what on test rows, of the evaluation of ``mode``.

    Args:
        run: the run.
        mode: the kind of evaluation: ``nested``, ``fold``, ``reuse-settings`` or ``paper``; None
            for the one that the page shows first.
        height: in a notebook, in pixels.
    """
    return _of_run(run, "confusion", height, mode)


def per_class(run: Run, *, mode: Mode | None = None, height: int = HEIGHT) -> Chart:
    """Draw the recall of each emotion; ``mode`` is that of ``confusion``."""
    return _of_run(run, "per-class", height, mode)


def per_speaker(run: Run, *, mode: Mode | None = None, height: int = HEIGHT) -> Chart:
    """Draw the UA of each test speaker; ``mode`` is that of ``confusion``."""
    return _of_run(run, "per-speaker", height, mode)


def per_sex(run: Run, *, mode: Mode | None = None, height: int = HEIGHT) -> Chart:
    """Draw the UA by the speakers' sex; ``mode`` is that of ``confusion``."""
    return _of_run(run, "per-sex", height, mode)


def by_column(run: Run, column: str, *, mode: Mode | None = None, height: int = HEIGHT) -> Chart:
    """Draw the UA by a column's values, as ``raysearch evaluate --by`` compared them.

    Args:
        run: the run.
        column: ``sex``, or another that was asked for.
        mode: as that of ``confusion``.
        height: in a notebook, in pixels.
    """
    return _of_run(run, f"by {column}", height, mode, column)


def per_corpus(run: Run, *, mode: Mode | None = None, height: int = HEIGHT) -> Chart:
    """Draw the UA of each of several corpora; ``mode`` is that of ``confusion``."""
    return _of_run(run, "per-corpus", height, mode)


def calibration(run: Run, *, mode: Mode | None = None, height: int = HEIGHT) -> Chart:
    """Draw how often the model is right when it is how sure; ``mode`` is that of ``confusion``."""
    return _of_run(run, "calibration", height, mode)


def mistakes(run: Run, *, height: int = 720) -> Chart:
    """Show the worst mistakes, to be heard and seen where their recordings are."""
    return _of_run(run, "mistakes", height)


def noise(run: Run, *, height: int = HEIGHT) -> Chart:
    """Draw the UA on disturbed test recordings."""
    return _of_run(run, "noise", height)


def ablations(run: Run, *, height: int = HEIGHT) -> Chart:
    """Draw what each part of the winner adds."""
    return _of_run(run, "ablations", height)


def compared(*runs: Run, height: int = HEIGHT) -> Chart:
    """Draw the UA of evaluated runs beside each other, on the test rows that all of them have."""
    return _of_evaluated(runs, "compared", height)


def paired(*runs: Run, height: int = HEIGHT) -> Chart:
    """Draw how far each run is from the first one, speaker by speaker."""
    return _of_evaluated(runs, "paired", height)


def searches(*runs: Run, height: int = HEIGHT) -> Chart:
    """Draw the best value so far of several searches for the same objective."""
    documents = [run_document(run, audio=False) for run in runs]
    objectives = sorted({page.search.objective.name for page in documents})
    if len(objectives) > 1:
        missing = f"their objectives differ: {', '.join(objectives)}"
    else:
        missing = "" if all(page.search.steps for page in documents) else NO_VALUE
    return _drawn("both-searches", runs, documents, height, missing, Comparison("", [], [], []))


def _of_run(
    run: Run, figure: str, height: int, mode: Mode | None = None, column: str | None = None
) -> Chart:
    page = run_document(run, audio=figure == "mistakes")
    kinds = page.model.evaluations
    if mode is not None and kinds:
        if mode not in kinds:
            missing = f"no evaluation of mode {mode}: there is {', '.join(kinds)}"
            return _drawn(figure, [run], [], height, missing)
        page = replace(page, model=replace(page.model, evaluations={mode: kinds[mode]}))
    place = pasted(run.folder)
    if column is not None:
        figure, missing = column_figure(column, page, place)
        return _drawn(figure, [run], [page], height, missing, title=f"by {column}")
    return _drawn(figure, [run], [page], height, why_missing(figure, page, place))


def _of_evaluated(runs: Sequence[Run], figure: str, height: int) -> Chart:
    try:
        systems = load_systems([run.folder for run in runs])
        found = compare_all({one.name: one.table for one in systems})
    except RaysearchError as error:
        return _drawn(figure, runs, [], height, str(error))
    documents = [run_document(run, audio=False) for run in runs]
    comparison = comparison_of(systems, found, doubts_of(systems))
    return _drawn(figure, runs, documents, height, "", comparison)


def _drawn(
    figure: str,
    runs: Sequence[Run],
    documents: Sequence[RunDocument],
    height: int,
    missing: str,
    comparison: Comparison | None = None,
    title: str = "",
) -> Chart:
    """Make the chart of ``figure``, a name of the page; ``title`` is what else it is called."""
    if comparison is not None and len(runs) < 2:
        missing = "it takes two runs"
    page = "" if missing else page_html(documents, comparison, only=figure)
    names = " and ".join(display_path(run.folder) for run in runs)
    return Chart(f"{title or figure.replace('-', ' ')} of {names}", page, missing, height)
