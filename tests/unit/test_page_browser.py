"""The page as a browser shows it: offline and live, of one run and of two, wide and narrow."""

import base64
import json
import urllib.error
import urllib.request
from dataclasses import replace
from pathlib import Path

import pytest
from chromium import browser, find_chromium
from paged_run import evaluated, recorded_run, with_data

from raysearch.evaluation.compare import compare_all
from raysearch.evaluation.stored_evaluations import load_systems
from raysearch.page.comparison import comparison_of
from raysearch.page.followed_run import run_document
from raysearch.page.html import page_html
from raysearch.page.live_page import TOKEN, LivePage, served
from raysearch.page.model_part import Variant
from raysearch.page.steered_run import page_of
from raysearch.run_folder import RunFolder
from raysearch.searching.results import Run
from raysearch.steering import commands_in

SIDEWAYS = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
UNDRAWN = "[...drawn.values()].filter(one => !one.chart).length"
EMPTY = "[...document.querySelectorAll('.chart')].filter(one => !one.querySelector('path')).length"
WORDLESS = (
    "[...document.querySelectorAll('.chart')].filter(one => one.ariaLabel.trim().length < 8).length"
)
ROWS = "[...document.querySelectorAll('#trial-table tbody tr')].map(row => row.id)"


@pytest.fixture(scope="module")
def look():
    if find_chromium() is None:
        pytest.skip("there is no Chromium")
    with browser() as page:
        yield page


@pytest.fixture
def complaints(look):
    """What a page complained of: nothing, when a test ends."""
    look.open("about:blank")  # a page of before asks its server, which is gone
    look.complaints.clear()
    look.requests.clear()
    yield look.complaints
    assert look.complaints == []


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return evaluated(with_data(recorded_run(tmp_path_factory.mktemp("page") / "run")))


@pytest.fixture(scope="module")
def report(run):
    path = run.root / "report.html"
    path.write_text(page_html([run_document(Run(run.root))]))
    return path.as_uri()


def many_trials(folder: Path, number: int) -> RunFolder:
    """A search of so many trials: one that was recorded, over and over with other numbers."""
    run = recorded_run(folder, "cnn")
    lines = [json.loads(line) for line in run.ledger_file.read_text().splitlines()]
    per_copy, last = 1 + max(line["number"] for line in lines), max(line["seq"] for line in lines)
    text, copy = [], 0
    while copy * per_copy < number:
        for line in lines:
            if line["number"] + copy * per_copy < number:
                own = {**line, "number": line["number"] + copy * per_copy}
                own |= {"seq": line["seq"] + copy * last, "trial": f"{own['number']:012x}"}
                own["time"] += copy * 10
                if line.get("copied_from") is not None:
                    own["copied_from"] = line["copied_from"] + copy * per_copy
                text.append(json.dumps(own))
        copy += 1
    run.ledger_file.write_text("\n".join(text) + "\n")
    return run


def test_five_hundred_trials_fit_into_two_megabytes(tmp_path):
    run = many_trials(tmp_path / "run", 500)
    document = run_document(Run(run.root))
    assert len(document.search.trials) == 500
    assert len(page_html([document]).encode()) < 2e6


def test_five_hundred_trials_are_shown_within_a_second_or_so(tmp_path, look, complaints):
    run = many_trials(tmp_path / "run", 500)
    page = tmp_path / "many.html"
    page.write_text(page_html([run_document(Run(run.root))]))
    look.open(page.as_uri())
    assert len(look.ask(ROWS)) == 500
    look.ask("drawAll()")
    assert look.ask(UNDRAWN) == 0


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (390, False), (1920, True)])
def test_every_figure_is_drawn_and_has_words(look, complaints, report, width, dark):
    look.open(report, width=width, dark=dark)
    look.ask("drawAll()")
    assert look.ask("document.querySelectorAll('.chart').length") >= 13
    assert (look.ask(UNDRAWN), look.ask(EMPTY), look.ask(WORDLESS)) == (0, 0, 0)
    assert look.ask(SIDEWAYS) <= 0
    axes = look.ask("drawn.get('axes-chart').chart.getOption().parallel[0].layout")
    assert axes == ("vertical" if width < 600 else "horizontal")
    assert [one for one in look.requests if not one.startswith("data:")] == [report]


def test_the_pages_time_has_its_zone(look, complaints, report):
    look.call("Emulation.setTimezoneOverride", timezoneId="Asia/Kolkata")
    look.open(report)
    assert look.ask("document.querySelector('#top p').textContent").endswith(" GMT+5:30")
    look.call("Emulation.setTimezoneOverride", timezoneId="")


def attended(rows):
    """The run's page with attention over time, or over so many frequencies, in its pictures."""

    def with_attention(document):
        def seen(one):
            weights = bytes(n % 256 for n in range(rows * one.picture.num_columns))
            text = base64.b64encode(weights).decode()
            picture = replace(one.picture, num_rows=rows, attention=text)
            return replace(one, picture=picture)

        shown = document.model.evaluations["fold"]
        shown = replace(shown, mistakes=[seen(m) for m in shown.mistakes], right=seen(shown.right))
        evaluations = {**document.model.evaluations, "fold": shown}
        return replace(document, model=replace(document.model, evaluations=evaluations))

    return with_attention


@pytest.mark.parametrize(
    ("rows", "canvases", "hills", "width", "dark"),
    [(0, 1, 0, 1280, False), (1, 1, 1, 390, False), (8, 2, 0, 1280, True)],
)
def test_answers_are_seen(look, complaints, run, tmp_path, rows, canvases, hills, width, dark):
    document = run_document(Run(run.root))
    if rows:
        document = attended(rows)(document)
    page = tmp_path / "seen.html"
    page.write_text(page_html([document]))
    look.open(page.as_uri(), width=width, dark=dark)
    count = len(document.model.evaluations["fold"].mistakes) + 1
    pictures = "document.querySelectorAll('.picture')"
    assert look.ask(f"{pictures}.length") == count
    assert look.ask("document.querySelectorAll('.picture canvas').length") == canvases * count
    assert look.ask("document.querySelectorAll('.picture svg').length") == hills * count
    words = look.ask(f"[...{pictures}].map(one => one.ariaLabel)")
    assert all("Spectrogram of" in one for one in words)
    assert all(("most attention at" in one) == bool(rows) for one in words)
    said = look.ask("document.getElementById('mistakes').textContent")
    assert ("put its weight" in said) == bool(rows)
    assert "A right answer beside them" in said
    assert look.ask(SIDEWAYS) <= 0


def test_a_part_that_helps_has_points_above_zero(look, complaints, run, tmp_path):
    document = run_document(Run(run.root))
    without = [Variant("idle", 0.6, 0.1, "better"), Variant("useful", 0.3, -0.2, "worse")]
    document = replace(document, model=replace(document.model, ablations=without))
    page = tmp_path / "ablated.html"
    page.write_text(page_html([document]))
    look.open(page.as_uri())
    look.ask("drawAll()")
    option = look.ask("drawn.get('ablations-chart').chart.getOption()")
    assert option["yAxis"][0]["data"] == ["useful", "idle"]
    assert [one["value"] for one in option["series"][0]["data"]] == [20, -10]


def test_groups_that_were_asked_for_are_compared(look, complaints, report):
    look.open(report)
    look.ask("drawAll()")
    assert not look.ask("Boolean(document.getElementById('per-sex'))")
    said = [look.ask(f"document.getElementById('by-{n}').textContent") for n in range(2)]
    assert "By sex" in said[0]
    assert "Welch's t over 4 and 4 speakers of one fold" in said[0]
    assert "accent 0 and accent" in said[1]
    assert "cannot be tested" in said[1]
    assert "3 other pairs are in evaluation.json" in said[1]
    option = look.ask("drawn.get('by-1-chart').chart.getOption()")
    assert sorted(option["yAxis"][0]["data"]) == [f"accent {n}" for n in range(4)]


def test_figures_are_drawn_when_they_come_near(look, complaints, report):
    look.open(report)
    assert look.ask(UNDRAWN) > 0
    look.ask("document.getElementById('again').scrollIntoView()")
    look.wait("Boolean(drawn.get('durations-chart').chart)")


def test_the_table_sorts_filters_and_says_so_in_its_address(look, complaints, report, run):
    look.open(report)
    ranked = [f"trial-{record.number}" for record in run.trials().ranked()]
    assert look.ask(ROWS)[: len(ranked)] == ranked
    look.ask("document.querySelector('#trial-table th[data-key=number] button').click()")
    look.ask("document.querySelector('#trial-table th[data-key=number] button').click()")
    numbers = [int(name.removeprefix("trial-")) for name in look.ask(ROWS)]
    assert numbers == sorted(numbers)
    look.ask(
        "(() => {const words = document.querySelector('input[type=search]');"
        "words.value = 'published'; words.dispatchEvent(new Event('input'))})()"
    )
    assert look.ask(ROWS) == ["trial-0"]
    address = look.ask("location.href")
    assert "sort=number" in address
    assert "words=published" in address
    look.open("about:blank")
    look.open(address)
    assert look.ask(ROWS) == ["trial-0"]


def test_a_trial_has_an_address(look, complaints, report):
    look.open(report + "#trial-3")
    look.wait("document.getElementById('trial-3').classList.contains('picked')")


def test_the_keyboard_reaches_the_figures_first(look, complaints, report):
    look.open(report)
    look.press("Tab", 9)
    assert look.ask("document.activeElement.textContent") == "Skip to the figures"


def test_two_runs_are_compared(look, complaints, run, tmp_path):
    other = evaluated(with_data(recorded_run(tmp_path / "other", "emohrnet")), 1, 0.5)
    systems = load_systems([run.root, other.root])
    found = compare_all({one.name: one.table for one in systems})
    page = tmp_path / "both.html"
    documents = [run_document(Run(one.root)) for one in (run, other)]
    page.write_text(page_html(documents, comparison_of(systems, found, [])))
    look.open(page.as_uri())
    look.ask("drawAll()")
    assert (look.ask(UNDRAWN), look.ask(EMPTY)) == (0, 0)
    assert found[0].comparison.verdict in look.ask("document.getElementById('compare').textContent")
    look.ask(
        "(() => {const choice = document.querySelector('nav select'); choice.value = '1';"
        "choice.dispatchEvent(new Event('change'))})()"
    )
    assert look.ask("document.querySelector('h1').textContent") == "other"


def test_a_served_page_follows_its_run_without_reloading(look, complaints, tmp_path):
    run = recorded_run(tmp_path / "run")
    lines = run.ledger_file.read_text().splitlines(keepends=True)
    run.ledger_file.write_text("".join(lines[:4]))
    page = LivePage(lambda: run_document(Run(run.root)), every_s=0.2)
    with served(page) as address:
        look.open(address)
        before = len(look.ask(ROWS))
        look.ask("window.stayed = true")
        run.ledger_file.write_text("".join(lines))
        look.wait(f"document.querySelectorAll('#trial-table tbody tr').length > {before}")
        assert look.ask("window.stayed")
        assert all(one.startswith(address.partition("?")[0]) for one in look.requests)


def test_only_the_page_is_served_and_only_to_whom_it_was_told(tmp_path):
    run = recorded_run(tmp_path / "run")
    page = LivePage(lambda: run_document(Run(run.root)))
    with served(page) as address:
        bare, known = address.partition("?")[0], {TOKEN: page.token}
        with urllib.request.urlopen(
            urllib.request.Request(bare + "document.json", headers=known)
        ) as answer:
            tag = answer.headers["ETag"]
            assert len(json.loads(answer.read())["runs"]) == 1
        refused = [
            (404, "spec.yaml", known),
            (403, "", {}),
            (403, "?token=guess", {}),
            (403, "document.json", {}),
            (403, "", {**known, "Host": "evil.example:80"}),
            (304, "document.json", {**known, "If-None-Match": tag}),
        ]
        for code, path, headers in refused:
            with pytest.raises(urllib.error.HTTPError) as error:
                urllib.request.urlopen(urllib.request.Request(bare + path, headers=headers))
            with error.value:
                assert error.value.code == code


def test_a_search_is_steered_from_its_page(look, complaints, tmp_path, monkeypatch):
    run = recorded_run(tmp_path / "run")
    lines = run.ledger_file.read_text().splitlines(keepends=True)
    run.ledger_file.write_text("".join(lines[:6]))
    run.steering.mkdir()
    monkeypatch.setattr("raysearch.page.headline.is_held", lambda folder: True)
    with served(page_of(run)) as address:
        look.open(address)
        look.ask("document.querySelector('[aria-label=\"stop trial 0000\"]').click()")
        look.wait("document.getElementById('steered').textContent.includes('stop trial 0000')")
        look.ask("document.querySelector('[aria-label*=\"of trial 0001 changed\"]').click()")
        rate = 'dialog input[name="training.learning_rate"]'
        look.ask(f"document.querySelector('{rate}').value = 0.003")
        look.ask("document.querySelector('dialog button[value=try]').click()")
        look.wait("document.getElementById('steered').textContent.includes('try settings')")
        look.ask("document.querySelector('[aria-label=\"how many\"]').value = -1")
        look.ask("document.querySelectorAll('#steering button')[0].click()")
        look.wait("document.getElementById('steered').textContent.includes('amount -1')")
        look.complaints.clear()  # the browser's own word of an answer 400
    first, second = commands_in(run.steering)
    assert (first.action, first.target) == ("stop-trial", 0)
    assert second.values["training.learning_rate"] == 0.003
    assert second.values["model.modules"] == run.trials().records[1].config["model.modules"]


def test_recorded_words_are_no_html(look, complaints, tmp_path):
    """A speaker may be called anything; a tooltip is HTML."""
    run = evaluated(with_data(recorded_run(tmp_path / "run")))
    text, evil = run.splits_file.read_text(), "<img src=x onerror=window.harmed=1>"
    run.splits_file.write_text(text.replace(",s03,", f',"{evil}",'))
    page = tmp_path / "evil.html"
    page.write_text(page_html([run_document(Run(run.root))]))
    look.open(page.as_uri())
    look.ask("drawAll()")
    index = look.ask(f"current().data.speakers.findIndex(one => one.speaker === '{evil}')")
    look.ask(
        "drawn.get('speakers-chart').chart.dispatchAction("
        f"{{type: 'showTip', seriesIndex: 0, dataIndex: {index} * 4}})"
    )
    look.wait("document.querySelector('#speakers').textContent.includes('onerror')")
    assert look.ask("document.querySelectorAll('#speakers img').length") == 0
    assert not look.ask("window.harmed")


def test_a_run_elsewhere_is_watched_and_not_steered(look, complaints, tmp_path, monkeypatch):
    run = recorded_run(tmp_path / "run")
    monkeypatch.setattr("raysearch.page.headline.is_held", lambda folder: True)
    with served(LivePage(lambda: run_document(Run(run.root)))) as address:
        look.open(address)
        assert look.ask("document.querySelector('.state').textContent") == "running"
        assert look.ask("document.getElementById('steering')") is None


def test_who_is_typing_goes_on_typing_when_the_page_is_drawn_again(look, complaints, report):
    look.open(report)
    look.ask("document.querySelector('input[type=search]').focus()")
    look.call("Input.insertText", text="publi")
    look.ask("draw()")
    look.call("Input.insertText", text="shed")
    assert look.ask("document.querySelector('input[type=search]').value") == "published"
    assert look.ask(ROWS) == ["trial-0"]
