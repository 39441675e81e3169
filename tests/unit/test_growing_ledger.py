"""A ledger that grows is read on, and a page made of it is what reading it at once would give."""

import os

import pytest
from paged_run import evaluated, recorded_run, with_data

from raysearch.errors import DataError
from raysearch.ledger import read
from raysearch.page.document import to_json
from raysearch.page.followed_run import FollowedRun, run_document
from raysearch.searching.results import Run
from raysearch.storage.growing_ledger import GrowingLedger


@pytest.fixture
def run(tmp_path):
    return recorded_run(tmp_path / "run")


def test_only_whole_lines_that_are_new_are_read(run):
    path, content = run.ledger_file, run.ledger_file.read_bytes()
    ledger, half = GrowingLedger(path), len(content) // 2
    path.write_bytes(content[:half])
    assert not ledger.read_on()
    first = list(ledger.events)
    assert first == read(path)
    with path.open("ab") as file:
        file.write(content[half:])
    assert ledger.read_on()
    assert ledger.events == read(path)
    assert all(a is b for a, b in zip(first, ledger.events, strict=False))
    assert ledger.read_on()
    assert ledger.events == read(path)


def test_another_file_in_its_place_is_read_on_if_it_has_the_same_lines(run, tmp_path):
    """So a run in a bucket is fetched."""
    path, content = run.ledger_file, run.ledger_file.read_bytes()
    lines = content.splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:9]))
    ledger = GrowingLedger(path)
    ledger.read_on()
    (tmp_path / "fetched").write_bytes(content)
    os.replace(tmp_path / "fetched", path)
    assert ledger.read_on()
    assert len(ledger.events) == len(lines)


@pytest.mark.parametrize("ending", ["fewer", "other", "none"])
def test_what_was_cut_or_replaced_is_read_from_the_beginning(run, ending, tmp_path):
    ledger = GrowingLedger(run.ledger_file)
    ledger.read_on()
    if ending == "none":
        run.ledger_file.unlink()
    elif ending == "fewer":
        lines = run.ledger_file.read_bytes().splitlines(keepends=True)
        run.ledger_file.write_bytes(b"".join(lines[:5]))
    else:
        other = recorded_run(tmp_path / "other", "emohrnet")
        run.ledger_file.write_bytes(other.ledger_file.read_bytes())
    assert not ledger.read_on()
    assert ledger.events == run.events()


def test_a_damaged_line_is_told_each_time_and_forgotten_when_it_is_mended(run):
    content = run.ledger_file.read_bytes()
    lines = content.splitlines(keepends=True)
    ledger = GrowingLedger(run.ledger_file)
    run.ledger_file.write_bytes(b"".join(lines[:3]))
    ledger.read_on()
    run.ledger_file.write_bytes(b"".join([*lines[:3], b"{}\n"]))
    for _ in range(2):
        with pytest.raises(DataError, match=r"trials\.jsonl:4"):
            ledger.read_on()
    run.ledger_file.write_bytes(content)
    assert not ledger.read_on()
    assert len(ledger.events) == len(lines)


def test_a_page_that_follows_is_a_page_made_at_once(run):
    lines = run.ledger_file.read_bytes().splitlines(keepends=True)
    run.ledger_file.write_bytes(b"")
    followed = FollowedRun(Run(run.root))
    for number in range(0, len(lines) + 1, max(1, len(lines) // 7)):
        run.ledger_file.write_bytes(b"".join(lines[:number]))
        once = run_document(Run(run.root))
        here = followed.document()
        assert here.search == once.search
        assert here.headline.forecast == once.headline.forecast
        assert here.headline.cost == once.headline.cost


def test_what_has_changed_beside_the_ledger_is_seen(run):
    followed = FollowedRun(Run(run.root))
    assert followed.document().data is None
    with_data(run)
    assert followed.document().data is not None
    evaluated(run)
    first = followed.document()
    assert first.model.evaluations
    assert followed.document().model is first.model
    evaluated(run, seed=1)
    assert to_json([followed.document()]) != to_json([first])
