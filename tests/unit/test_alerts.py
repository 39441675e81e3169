"""Who asked to be told of a search is told, in order; who cannot be reached hurts nothing."""

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from types import SimpleNamespace

import pytest
from paged_run import recorded_run

from raysearch.errors import InfrastructureError, UserError
from raysearch.searching.alerts import Alerts, checked_url
from raysearch.searching.observers import Underway
from raysearch.searching.results import Run
from raysearch.trial_records import Trials


@pytest.fixture
def heard():
    """A server, and what it was told."""
    told = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            told.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(500 if self.path == "/broken" else 200)
            self.end_headers()

        def log_message(self, *values):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield SimpleNamespace(url=f"http://127.0.0.1:{server.server_port}", told=told)
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def run(tmp_path):
    return recorded_run(tmp_path / "a-run")


def underway(run):
    return Underway(run, run.spec(), None)


def replayed(alerts, run):
    """The recorded search, told event by event."""
    trials = Trials(run.spec().search.objective)
    for event in run.events():
        trials.apply(event)
        alerts.changed(trials, event)


def test_each_new_best_is_told_and_the_end(heard, run, monkeypatch):
    monkeypatch.setattr("raysearch.searching.alerts.BEST_EVERY_S", 0)
    alerts = Alerts(heard.url, print)
    with alerts.watch(underway(run)):
        replayed(alerts, run)
        alerts.say("a line of no slot")
        alerts.say("slot 1 rests for 30 s: No space left on device")
        alerts.ended(Run(run.root))
    events = [one["event"] for one in heard.told]
    assert events == ["best"] * events.count("best") + ["slot", "end"]
    assert events.count("best") > 2
    best = run.trials().ranked()[0]
    assert f"trial {best.number:04d} is the best so far" in heard.told[-3]["text"]
    assert all(one["text"] == one["content"] and one["run"] == "a-run" for one in heard.told)
    assert "No space left" in heard.told[-2]["text"]


def test_a_search_that_gets_better_all_the_time_is_told_of_once_a_minute(heard, run):
    alerts = Alerts(heard.url, print)
    with alerts.watch(underway(run)):
        replayed(alerts, run)
    assert [one["event"] for one in heard.told] == ["best"]


def test_an_error_that_ends_the_search_is_told_and_raised(heard, run):
    with pytest.raises(InfrastructureError), Alerts(heard.url, print).watch(underway(run)):
        raise InfrastructureError("no slot is left\nand more")
    assert [one["text"] for one in heard.told] == ["a-run: ended: no slot is left"]


@pytest.mark.parametrize("path", ["/broken", None])
def test_who_cannot_be_told_is_named_once_and_the_search_goes_on(heard, run, path):
    said = []
    url = heard.url + path if path else "http://127.0.0.1:9"
    alerts = Alerts(url, said.append)
    with alerts.watch(underway(run)):
        for _ in range(3):
            alerts.say("slot 0 rests")
    (line,) = said
    assert line.startswith("--notify: could not be told")


def test_what_is_no_web_address_is_refused():
    assert checked_url("https://example.org/hook") == "https://example.org/hook"
    with pytest.raises(UserError, match=r"--notify me@example\.org: a web address"):
        checked_url("me@example.org")
