"""Of a server: its token, its batches, its model on other nodes, and the options of the verb."""

import socket

import numpy as np
import pytest
from finished_run import finished_run
from tiny_encoder import write_file

import raysearch
from raysearch.__main__ import main
from raysearch.cli import serve_options
from raysearch.cli.serve import directions
from raysearch.errors import DataError, UserError
from raysearch.features.audio import Waveform, read_waveform
from raysearch.ray_cluster.session import ClusterSession
from raysearch.serving.answer import Question
from raysearch.serving.bearer import VARIABLE, ServerToken, given_token, is_loopback, may_enter
from raysearch.serving.model_replica import batch_size
from raysearch.serving.packed_model import packed, unpacked
from raysearch.serving.serve_session import Place

LONG = "0123456789abcdef"
OPEN = ServerToken("")


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch):
    for name in (VARIABLE, "RAY_ADDRESS"):
        monkeypatch.delenv(name, raising=False)


def test_a_server_for_this_machine_alone_needs_no_token():
    for host in ("127.0.0.1", "127.9.9.9", "::1", "localhost"):
        assert is_loopback(host)
        assert given_token(None, host).text == ""
        assert given_token(None, host).digest == ""
    assert may_enter(None, "")


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "localhost.example", ""])
def test_any_other_server_has_one(host):
    first, second = given_token(None, host), given_token(None, host)
    assert first.made_here
    assert len(first.text) == 64
    assert first.text != second.text
    assert may_enter(f"Bearer {first.text}", first.digest)
    assert not may_enter(f"Bearer {second.text}", first.digest)
    assert not may_enter(f"Bearer {first.digest}", first.digest)


def test_a_given_token_is_needed_everywhere(tmp_path, monkeypatch):
    file = tmp_path / "token"
    file.write_text(f"{LONG}\n")
    assert given_token(file, "127.0.0.1").text == LONG
    monkeypatch.setenv(VARIABLE, f"{LONG}{LONG}")
    assert given_token(None, "127.0.0.1").text == LONG * 2
    assert given_token(file, "0.0.0.0").text == LONG
    assert not given_token(file, "0.0.0.0").made_here


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("short", "fewer than 16"),
        ("", "fewer than 16"),
        ("a\nb", "one line"),
        ("ä" * 16, "letters"),
    ],
)
def test_what_is_no_token_is_refused(tmp_path, content, said):
    file = tmp_path / "token"
    file.write_text(content)
    with pytest.raises(UserError, match=f"token: .*{said}"):
        given_token(file, "127.0.0.1")
    with pytest.raises(UserError, match="cannot be read"):
        given_token(tmp_path / "none", "127.0.0.1")


def of_length(*seconds):
    return [Question(Waveform("x", np.zeros(round(100 * one), np.float32), 100)) for one in seconds]


def test_a_batch_holds_fewer_long_recordings():
    assert batch_size(of_length(1)) == 1
    assert batch_size(of_length(0.5, 10)) == 2
    assert batch_size(of_length(10.5, 10)) == 3
    assert batch_size(of_length(1000)) == 8, "alone it is never too much"
    assert batch_size(of_length(1000, 1)) == 101


def test_a_packed_model_says_the_same(tmp_path):
    (tmp_path / "encoder").mkdir()
    weights = write_file(tmp_path / "encoder")
    settings = {"features.ssl.weights": str(weights), "model.pooling": "mean_std"}
    run, test, _ = finished_run(tmp_path, models=[("ssl", settings)])
    waves = [read_waveform(path) for path in test[:2]]
    expected = raysearch.load(run.best).predict_many(waves)
    with unpacked(packed(run.best)) as folder:
        model = raysearch.load(folder)
        assert model.predict_many(waves) == expected
    assert not folder.exists()
    assert model.predict_many(waves) == expected, "nothing is read once it was used"


def test_no_file_is_unpacked_elsewhere():
    with pytest.raises(DataError, match="no name of"), unpacked({"../x": b""}):
        pass


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("--replicas=0", "--replicas 0: from 1 to"),
        ("--replicas=1000", "--replicas 1000: each takes a CPU, and this machine grants"),
        ("--port=70000", "--port 70000: from 0 to 65535"),
        ("--max-mib=999", "--max-mib 999: from 1 to 512"),
        ("--max-seconds=0", "--max-seconds 0"),
        ("--host=no.such.host.invalid", "--host no.such.host.invalid --port 8000: "),
        ("--token-file=nowhere", "--token-file nowhere: cannot be read"),
    ],
)
def test_what_cannot_be_meant_is_told(tmp_path, capsys, option, said):
    assert main(["serve", str(tmp_path), option]) == 2
    assert said in capsys.readouterr().err


def test_a_missing_package_names_the_extra(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(serve_options, "NEEDED", ("starlette", "no_such_package"))
    assert main(["serve", str(tmp_path)]) == 2
    said = capsys.readouterr().err
    assert said == "raysearch: serve needs no_such_package: pip install 'raysearch[serve]'\n"


def test_a_taken_port_is_told_before_anything_starts(tmp_path, capsys):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert main(["serve", str(tmp_path), f"--port={port}"]) == 2
    said = capsys.readouterr().err
    assert f"--host 127.0.0.1 --port {port}: address already in use; give another" in said
    assert main(["serve", str(tmp_path), "--host=192.0.2.99"]) == 2
    assert "--host 192.0.2.99 --port 8000: cannot assign" in capsys.readouterr().err


def test_no_model_is_told(tmp_path, capsys):
    assert main(["serve", str(tmp_path / "none"), "--port=0"]) == 2
    assert "no such folder" in capsys.readouterr().err


def test_a_model_that_normalises_by_speaker_is_not_served(tmp_path, capsys):
    run, _, _ = finished_run(tmp_path, normalise="speaker")
    assert main(["serve", str(run.root), "--port=0"]) == 2
    assert "and a request brings one" in capsys.readouterr().err


def directions_of(host, token=OPEN, *, local=True):
    session = ClusterSession("10.0.0.7:6379", None, local, "/tmp/ray/logs")
    return "\n".join(directions(session, Place(host, 8000), token))


def test_it_tells_where_it_is():
    told = directions_of("127.0.0.1")
    assert "page:    http://127.0.0.1:8000/\n" in told
    assert "ask:     curl --data-binary @speech.wav http://127.0.0.1:8000/predict\n" in told
    assert "token" not in told
    assert "http://[::1]:8000/health" in directions_of("::1")


def test_a_token_that_was_made_is_told_and_a_given_one_is_not():
    made = directions_of("10.0.0.7", ServerToken(LONG, made_here=True))
    assert f"page:    http://10.0.0.7:8000/#token={LONG}\n" in made
    assert f"token:   {LONG} (made" in made
    given = directions_of("10.0.0.7", ServerToken(LONG))
    assert LONG not in given
    assert '-H "Authorization: Bearer $TOKEN"' in given


def test_on_a_cluster_its_head_listens():
    assert "page:    http://10.0.0.7:8000/" in directions_of("0.0.0.0", local=False)
    assert "ssh -L 8000:127.0.0.1:8000 HEAD" in directions_of("127.0.0.1", local=False)
    assert "ssh" not in directions_of("127.0.0.1")
