"""A race whose storage is a URL: found, read and resumed from another machine."""

from dataclasses import replace

import pytest

from raysearch.cli.main import parsed
from raysearch.cli.race_asked import planned
from raysearch.errors import UserError
from raysearch.race.entrants import entrants
from raysearch.race.race_record import RaceFolder, RaceState
from raysearch.storage.replica import display_path, open_storage
from raysearch.storage.run_storage import existing_run, fetched_run
from raysearch.storage.two_kinds import storage_of

ASKED = {"search.core_budget": "30m"}


@pytest.fixture
def url(tmp_path, monkeypatch):
    """Where a race of two systems was begun from a machine that is gone."""
    url = f"file://{tmp_path}/objects"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "driver"))
    folder = RaceFolder(open_storage(url) / "auto-demo-1")
    specs = entrants(["cnn", "svm"], []).specs
    for system, spec in specs.items():
        folder.run(system).open(spec, resume=False)
    folder.save(RaceState(systems=list(specs), left_out={}, asked=ASKED, final="auto"))
    storage_of(folder.root).sync(folder.root).send()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "desk"))
    return url


def asked(url, *options):
    _, given = parsed(["run", f"--storage={url}", "--space=cnn,svm", *options])
    return planned(replace(given, storage=open_storage(url)), None)


def test_a_system_s_run_is_in_the_storage_of_its_race(url):
    run = existing_run(f"{url}/auto-demo-1/cnn")
    assert run.spec().name == "cnn"
    assert run.storage == open_storage(url)
    assert display_path(run.root) == f"{url}/auto-demo-1/cnn"
    assert fetched_run(f"{url}/auto-demo-1") == run.root.parent


def test_the_newest_race_of_these_settings_is_resumed_without_its_name(url):
    found = asked(url, "--resume")
    assert found.resumed
    assert display_path(found.folder.root) == f"{url}/auto-demo-1"
    assert found.state.systems == ["svm", "cnn"]
    with pytest.raises(UserError, match="no race has these settings"):
        asked(url, "--resume", "--seed=5")


def test_a_new_race_has_a_name_as_a_search_has(url):
    found = asked(url)
    assert display_path(found.folder.root).startswith(f"{url}/auto-demo-2")
    assert not found.resumed
