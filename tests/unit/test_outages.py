"""A store that fails by itself, or is away: whoever has work waits, whoever asks is told soon."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from raysearch.__main__ import main
from raysearch.errors import InfrastructureError
from raysearch.storage import objects as objects_module
from raysearch.storage.objects import ObjectStore

# The client by itself gives up after 10, with some two seconds behind it.
FAILURES = 14


@pytest.fixture
def failing_server(monkeypatch):
    """An S3 server that answers with 500 for a while, then with an empty object."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            seen.append(self.path)
            self.send_response(200 if len(seen) > FAILURES else 500)
            self.send_header("Content-Length", "0")
            self.send_header("Last-Modified", "Thu, 26 Nov 2026 00:00:00 GMT")
            self.end_headers()

        def do_HEAD(self):
            self.do_GET()

        def log_message(self, *_):
            pass

    seen = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    credentials(monkeypatch, server.server_port)
    yield seen
    server.shutdown()
    server.server_close()


def credentials(monkeypatch, port):
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"):
        monkeypatch.setenv(name, "testing")


def test_an_outage_is_waited_out(failing_server):
    assert ObjectStore("s3://bucket/results").read("one").data == b""
    assert len(failing_server) == FAILURES + 1


def test_an_outage_without_end_is_told(failing_server, monkeypatch):
    monkeypatch.setattr(objects_module, "PATIENCE_S", 0.5)
    with pytest.raises(InfrastructureError, match="cannot be read"):
        ObjectStore("s3://bucket/results").read("one")


@pytest.mark.parametrize("verb", ["status", "resume"])
def test_a_store_that_is_away_is_told_within_seconds(verb, monkeypatch, tmp_path, capsys):
    credentials(monkeypatch, 1)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(objects_module, "HURRY_S", 0.5)
    monkeypatch.setattr(objects_module, "PATIENCE_S", 3600.0)
    assert main([verb, "s3://bucket/results/one"]) == 4
    assert "s3://bucket/results: cannot be reached" in capsys.readouterr().err
