"""What a private Ray needs of this machine, found before it is started; and who is spoken to."""

import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from raysearch.errors import InfrastructureError, UserError
from raysearch.proxies import speak_directly
from raysearch.ray_cluster import local_ray
from raysearch.ray_cluster.local_ray import local_environment, shadowed_names, short_folder
from raysearch.ray_cluster.own_token import own_token
from raysearch.ray_cluster.token_check import GCS_METHOD, ask
from raysearch.service.doctor.start_check import check_start
from raysearch.service.jobs import Jobs

TOKEN = "0123456789abcdef" * 4


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    for name in ("RAY_TMPDIR", "TMPDIR", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH", "RAY_AUTH_MODE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def levels():
    return {finding.check: finding.level for finding in check_start()}


@pytest.mark.parametrize("variable", ["TMPDIR", "RAY_TMPDIR"])
@pytest.mark.parametrize("kind", ["long", "missing"])
def test_a_folder_that_will_not_do_is_gone_round_and_told(home, monkeypatch, variable, kind):
    folder = home / ("x" * 90 if kind == "long" else "no/such")
    if kind == "long":
        folder.mkdir()
    monkeypatch.setenv(variable, str(folder))
    chosen = short_folder()
    assert chosen.path is not None
    assert len(chosen.path) < 44
    assert variable in chosen.reason
    assert levels() == {"sockets": "warning"}
    with local_environment() as path:
        assert path == chosen.path
        assert os.environ["TMPDIR"] == str(Path(chosen.path).parent)
    assert os.environ.get(variable) == str(folder)


def test_no_folder_at_all_names_the_variable(monkeypatch, home):
    monkeypatch.setattr(local_ray, "_OTHERS", ())
    monkeypatch.setenv("TMPDIR", str(home / "none" / "there"))
    with pytest.raises(InfrastructureError, match="set RAY_TMPDIR"):
        short_folder()
    assert levels() == {"sockets": "failed"}


def test_a_usual_machine_is_left_alone():
    assert short_folder().path is None
    assert levels() == {}
    with local_environment() as path:
        assert path is None
        assert "RAY_AUTH_TOKEN" not in os.environ


@pytest.mark.parametrize("before", ["", "local", "192.0.2.1:6379"])
def test_the_private_rays_processes_inherit_its_address(monkeypatch, before):
    monkeypatch.setenv("RAY_ADDRESS", before)
    with local_environment():
        assert os.environ["RAY_ADDRESS"] == f"127.0.0.1:{os.environ['RAY_GCS_SERVER_PORT']}"
    assert os.environ["RAY_ADDRESS"] == before
    assert "RAY_GCS_SERVER_PORT" not in os.environ


def test_a_home_that_cannot_be_written_costs_a_token_of_ones_own(monkeypatch):
    monkeypatch.setattr(local_ray.os, "access", _unwritable(os.environ["HOME"]))
    monkeypatch.setenv("RAY_AUTH_TOKEN", "")
    assert levels() == {"token": "warning"}
    with local_environment():
        assert len(own_token()) == 64


def _unwritable(home):
    real = os.access

    def access(path, mode):
        return not (str(path).startswith(home) and mode & os.W_OK) and real(path, mode)

    return access


def test_a_broken_token_is_found_beforehand(monkeypatch):
    monkeypatch.setenv("RAY_AUTH_TOKEN", "abc…")
    assert levels() == {"token": "failed"}
    with pytest.raises(UserError, match="RAY_AUTH_TOKEN"), local_environment():
        pytest.fail("a broken token was taken")


def test_a_token_file_may_end_in_a_line_and_begin_with_a_mark(home, monkeypatch):
    (home / ".ray").mkdir()
    (home / ".ray" / "auth_token").write_bytes(b"\xef\xbb\xbf" + TOKEN.encode() + b"\r\n")
    assert own_token() == TOKEN
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(home / "none"))
    with pytest.raises(UserError, match="no such token file"):
        own_token()


def test_names_that_hide_pythons_own_are_told(home):
    (home / "random.py").touch()
    (home / "speech.py").touch()
    (home / "email").mkdir()  # a folder of mail, no package
    assert shadowed_names() == ["random"]
    assert levels() == {"folder": "warning"}
    with local_environment():
        assert os.environ["PYTHONSAFEPATH"] == "1"
    assert "PYTHONSAFEPATH" not in os.environ


class _Heard(BaseHTTPRequestHandler):
    """A proxy that answers everything, and remembers what it was told."""

    heard: list[str]

    def do_GET(self) -> None:
        self.heard.append(f"{self.command} {self.path} {self.headers}")
        self.send_response(404)
        self.end_headers()

    do_CONNECT = do_POST = do_GET  # noqa: N815 (what http.server looks for)

    def log_message(self, *args: object) -> None:
        del args


@pytest.fixture
def proxy(monkeypatch) -> Iterator[list[str]]:
    handler = type("Handler", (_Heard,), {"heard": []})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy", "grpc_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{server.server_port}")
        for name in ("no_proxy", "NO_PROXY", "RAYSEARCH_USE_PROXY"):
            monkeypatch.setenv(name, "")
        monkeypatch.setenv("RAY_AUTH_TOKEN", TOKEN)
        yield handler.heard
        server.shutdown()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "127.0.0.2"])
def test_loopback_and_a_clusters_own_address_go_through_no_proxy(proxy, host):
    with pytest.raises(InfrastructureError, match="no cluster answers"):
        Jobs(f"http://{host}:1")
    assert ask(f"{host}:1", GCS_METHOD, {"authorization": TOKEN}) == "silent"
    assert proxy == []


def test_a_proxy_is_used_where_it_is_asked_for(proxy, monkeypatch):
    monkeypatch.setenv("RAYSEARCH_USE_PROXY", "1")
    with pytest.raises(InfrastructureError, match="no Ray dashboard"):
        Jobs("http://head.example:8265")
    assert len(proxy) == 1


def test_what_is_excepted_already_stays(monkeypatch):
    monkeypatch.setenv("RAYSEARCH_USE_PROXY", "0")
    monkeypatch.setenv("NO_PROXY", "intra.example")
    monkeypatch.delenv("no_proxy", raising=False)
    speak_directly("10.0.0.7")
    speak_directly("10.0.0.7")
    for name in ("no_proxy", "NO_PROXY"):
        hosts = os.environ[name].split(",")
        assert hosts[0] == "intra.example"
        assert hosts.count("10.0.0.7") == hosts.count("127.0.0.1") == 1
