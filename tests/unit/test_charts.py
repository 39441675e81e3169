"""The figures of the page one by one: each has a function, and a notebook shows it offline."""

import base64
import html
import inspect
import re
from dataclasses import replace

import pytest
from chromium import browser, find_chromium
from paged_run import GROUPS, evaluated, recorded_run, with_data

from raysearch import charts
from raysearch.errors import UserError
from raysearch.page.followed_run import run_document
from raysearch.page.html import page_html
from raysearch.page.missing_figures import FIGURES, column_figure, why_missing
from raysearch.page.model_part import NoisePoint, Variant
from raysearch.searching.results import Run

# Those of several runs, and of a column.
OTHERS = ("compared", "paired", "searches", "by_column")
OF_ONE = {name: getattr(charts, name) for name in charts.__all__ if name[0].islower()}
OF_ONE = {name: draw for name, draw in OF_ONE.items() if name not in OTHERS}
ON_PAGE = "[...document.querySelectorAll('main figure, #mistakes')].map(one => one.id)"
DRAWN = "typeof drawn === 'object' && [...drawn.values()].filter(one => one.chart).length"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("charts") / '<b>"run"'
    return Run(evaluated(with_data(recorded_run(folder))).root)


@pytest.fixture(scope="module")
def bare(tmp_path_factory):
    return Run(recorded_run(tmp_path_factory.mktemp("charts") / "bare").root)


@pytest.fixture(scope="module")
def look():
    if find_chromium() is None:
        pytest.skip("there is no Chromium")
    with browser() as page:
        yield page


def source_of(chart):
    """What the chart's frame shows."""
    (source,) = re.findall(r'srcdoc="([^"]*)"', chart._repr_html_())
    return html.unescape(source)


def test_every_figure_has_a_function_with_words(bare):
    titles = {draw(bare).title.partition(" of ")[0] for draw in OF_ONE.values()}
    assert titles == {figure.replace("-", " ") for figure in FIGURES}
    for name in charts.__all__:
        assert inspect.getdoc(getattr(charts, name)), name


def test_what_has_a_function_is_what_the_page_draws(look, run, bare, tmp_path):
    whole = run_document(run)
    points = [NoisePoint("clean", "", 0.7, None)]
    ablated = [Variant("mixup", 0.6, 0.1, "better")]
    whole = replace(whole, model=replace(whole.model, noise=points, ablations=ablated))
    for name, document in (("whole", whole), ("bare", run_document(bare))):
        page = tmp_path / f"{name}.html"
        page.write_text(page_html([document]))
        look.open(page.as_uri())
        there = {figure for figure in FIGURES if not why_missing(figure, document, "x")}
        columns = {column_figure(column, document, "x") for column in GROUPS}
        there |= {figure for figure, missing in columns if not missing}
        assert set(look.ask(ON_PAGE)) == there
    assert not look.complaints


def test_a_column_that_was_compared_is_drawn_and_no_other(look, run, bare, tmp_path):
    for number, column in enumerate(GROUPS):
        chart = charts.by_column(run, column)
        assert chart.title.startswith(f"by {column} of ")
        look.open(chart.save(tmp_path / f"{number}.html").as_uri())
        look.wait(f"{DRAWN} === 1")
        assert look.ask(ON_PAGE) == [f"by-{number}"]
    assert not look.complaints
    assert "drawn by_column" in charts.per_sex(run).missing
    for other in (run, bare):
        missing = charts.by_column(other, "room").missing
        assert re.fullmatch(r"not compared yet: raysearch evaluate .+ --by room", missing)


def test_a_notebook_draws_them_and_asks_nobody(look, run, tmp_path):
    shown = [charts.courses(run), charts.confusion(run, height=600)]
    notebook = tmp_path / "notebook.html"
    notebook.write_text("<!doctype html>" + "".join(one._repr_html_() for one in shown))
    look.requests.clear()
    look.open(notebook.as_uri())
    assert look.ask("document.querySelectorAll('iframe[sandbox=allow-scripts]').length") == 2
    # A frame in a sandbox is another origin, and so is an address that holds its page.
    for chart in shown:
        page = base64.b64encode(source_of(chart).encode()).decode()
        look.open(f"data:text/html;base64,{page}")
        look.wait(f"{DRAWN} === 1")
        assert look.ask(ON_PAGE) == [chart.title.partition(" ")[0]]
    assert not look.complaints
    assert {one.partition(":")[0] for one in look.requests} == {"file", "data"}


def test_a_frame_holds_no_word_of_the_run_as_html(run):
    shown = charts.best_so_far(run)._repr_html_()
    assert "<b>" not in shown
    assert shown.count('"') == 12, "six attributes"


def test_a_frame_takes_half_of_what_its_page_takes(run):
    chart = charts.axes(run)
    assert len(chart._repr_html_()) < len(chart.page) / 2 < 1e6


def test_a_chart_is_saved_as_a_page_of_its_own(look, run, tmp_path):
    path = charts.slots(run).save(tmp_path / "slots.html")
    look.open(path.as_uri())
    look.wait(f"{DRAWN} === 1")
    assert look.ask(ON_PAGE) == ["slots"]
    assert not look.complaints
    with pytest.raises(UserError, match=r"saved as HTML: .*slots\.html"):
        charts.slots(run).save(tmp_path / "slots.png")


@pytest.mark.parametrize(
    ("draw", "why"),
    [
        (charts.confusion, r"not evaluated yet: raysearch evaluate .*bare"),
        (charts.noise, "not evaluated yet"),
        (charts.speakers, "not divided its data yet"),
    ],
)
def test_what_is_not_there_yet_says_so_in_a_line(bare, draw, why, tmp_path):
    chart = draw(bare)
    assert chart.page == ""
    assert re.fullmatch(rf"Chart\(\w+ of \S+/bare: .*{why}.*\)", repr(chart))
    assert re.fullmatch(rf"<p>[^<\n]*{why}[^<\n]*</p>", chart._repr_html_())
    with pytest.raises(UserError, match=why):
        chart.save(tmp_path / "x.html")


def test_another_evaluation_of_the_run_is_asked_for_by_its_mode(run):
    first, paper = charts.confusion(run), charts.confusion(run, mode="paper")
    assert charts.confusion(run, mode="fold").page != paper.page != first.page
    missing = charts.per_class(run, mode="nested").missing
    assert missing == "no evaluation of mode nested: there is fold, paper"


def test_runs_are_drawn_beside_each_other(look, run, bare, tmp_path):
    other = evaluated(with_data(recorded_run(tmp_path / "other", "emohrnet")), 1, 0.5)
    for draw, figure in ((charts.compared, "compared"), (charts.searches, "both-searches")):
        path = draw(run, Run(other.root)).save(tmp_path / f"{figure}.html")
        look.open(path.as_uri())
        look.wait(f"{DRAWN} === 1")
        assert look.ask(ON_PAGE) == [figure]
    assert not look.complaints
    assert "not evaluated yet" in charts.paired(run, bare).missing
    assert charts.searches(run).missing == "it takes two runs"
    assert charts.compared(run).missing == "it takes two runs"
