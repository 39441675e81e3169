"""The pages of docs/ are true: their commands run, and print what is shown."""

import re

import pytest
from click import ClickException
from page_blocks import DOCS, Page, pattern_of
from page_runs import check_options, run_page

INDEX = DOCS / "README.md"
LINKS = re.findall(r"\]\(([\w-]+\.md)\)", INDEX.read_text(encoding="utf-8"))
PAGES = [Page(DOCS / name) for name in LINKS]


@pytest.fixture(scope="session")
def folder_of(tmp_path_factory):
    """Runs a page once, after the one that it goes on from; gives its folder."""
    folders = {}

    def run(page):
        if page not in folders:
            before = page.goes_on_from
            folders[page] = run(before) if before else tmp_path_factory.mktemp(page.path.stem)
            run_page(page, folders[page])
        return folders[page]

    return run


def _marked(page):
    before = page.goes_on_from
    starts = page.starts_ray or (before is not None and before.starts_ray)
    marks = [pytest.mark.ray] if starts else []
    marks += [pytest.mark.slow] if starts and before is not None else []  # `make fault` runs it
    return pytest.param(page, marks=marks, id=page.path.stem)


@pytest.mark.parametrize("page", [_marked(page) for page in PAGES])
def test_a_page_does_what_it_says(page, folder_of):
    assert folder_of(page).is_dir()


def test_the_index_has_every_page():
    assert sorted(LINKS) == sorted(path.name for path in DOCS.glob("*.md") if path != INDEX)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.path.stem)
def test_links_lead_somewhere(page):
    links = re.findall(r"\]\((?!https?:)([^)#]+)", page.path.read_text(encoding="utf-8"))
    assert [link for link in links if not (DOCS / link).exists()] == []


def test_numbers_and_omissions_are_all_that_may_differ():
    shown = pattern_of("fold  12  34.5%\n...\nend of ... here\n")
    assert shown.fullmatch("fold 7  1.25e-3%\n" + "a line\n" * 3 + "end of it all here\n")
    assert shown.fullmatch("fold 7 1%\nend of it here\n")
    assert not shown.fullmatch("folds 7 1%\nend of it here\n")
    assert not shown.fullmatch("fold 7 1%\nend of it there\n")


@pytest.mark.parametrize(
    "command",
    [
        "raysearch submit --storage results --no-such-option",
        "raysearch no-such-verb",
        "ray up --no-such-option cluster/gpu.yaml",
        "ray up cluster/no_such_file.yaml",
        "sbatch cluster/slurm.sbatch --no-such-option",
    ],
)
def test_a_command_that_could_not_be_run_is_refused(command, capsys):
    with pytest.raises((SystemExit, AssertionError, ClickException)) as caught:
        check_options(command)
    assert "no" in f"{caught.value}{capsys.readouterr().err}"
