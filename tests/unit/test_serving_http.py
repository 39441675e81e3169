"""What a server answers: what the model says, to the bit; and a sentence to whatever is amiss."""

import io
import socket
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import requests
import soundfile
from finished_run import LABELS, finished_run
from served_model import TOKEN, served

import raysearch
from raysearch.features.audio import AudioError, Waveform, read_waveform
from raysearch.inference.recognition import timeline
from raysearch.serving.answer import Question, in_turn
from raysearch.serving.bearer import ServerToken
from raysearch.serving.limits import Limits


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    return finished_run(tmp_path_factory.mktemp("finished"))


@pytest.fixture(scope="module")
def model(finished):
    return raysearch.load(finished[0].root)


@pytest.fixture(scope="module")
def url(model):
    with served(model, limits=Limits(max_mib=1, max_s=9)) as address:
        yield address


def noise(seconds, rate=8000):
    return np.random.default_rng(0).normal(0, 0.1, round(seconds * rate)).astype(np.float32)


def encoded(wave, rate=8000, kind="WAV", subtype=None):
    file = io.BytesIO()
    soundfile.write(file, wave, rate, format=kind, subtype=subtype)
    return file.getvalue()


def refused(answer, status):
    assert answer.status_code == status
    assert set(answer.json()) == {"error"}
    (message,) = answer.json().values()
    assert "\n" not in message
    assert "Traceback" not in message
    assert message.endswith(".")
    return message


def test_it_answers_what_the_model_says_to_the_bit(url, model, finished):
    for path in finished[1]:
        answer = requests.post(f"{url}/predict", data=path.read_bytes())
        expected = model.predict(*soundfile.read(path, dtype="float32"))
        found = answer.json()
        assert answer.status_code == 200
        assert found["label"] == expected.label
        assert found["probabilities"] == dict(expected.probabilities)
        assert list(found["probabilities"]) == list(LABELS)
        assert found["duration_s"] == soundfile.info(path).duration
        assert "timeline" not in found


@pytest.mark.parametrize("kind", ["FLAC", "OGG", "MP3", "AIFF", "AU", "CAF"])
def test_any_format_and_rate_will_do(url, model, tmp_path, kind):
    content = encoded(noise(0.7, 22050), 22050, kind)
    (tmp_path / "x").write_bytes(content)
    (expected,) = model.predict_many([read_waveform(tmp_path / "x")])
    answer = requests.post(f"{url}/predict", data=content)
    assert answer.json()["probabilities"] == dict(expected.probabilities)


@pytest.mark.parametrize(
    ("query", "given"), [("timeline", True), ("timeline=true", True), ("timeline=0", False)]
)
def test_a_timeline_is_given_when_it_is_asked_for(url, query, given):
    answer = requests.post(f"{url}/predict?{query}", data=encoded(noise(0.3))).json()
    assert ("timeline" in answer) == given


def test_the_windows_are_those_of_a_timeline(url, model, tmp_path):
    content = encoded(noise(8))
    (tmp_path / "x.wav").write_bytes(content)
    answer = requests.post(f"{url}/predict?timeline=1", data=content).json()
    expected = timeline(model, read_waveform(tmp_path / "x.wav"), 3.0, 1.5)
    assert len(answer["timeline"]) == len(expected) == 5
    for found, (span, prediction) in zip(answer["timeline"], expected, strict=True):
        assert (found["start_s"], found["end_s"]) == (span.start_s, span.end_s)
        assert found["label"] == prediction.label
        assert found["probabilities"] == dict(prediction.probabilities)


def test_several_at_once_get_each_their_own(url, model, finished):
    paths = finished[1] * 4
    with ThreadPoolExecutor(8) as pool:
        answers = pool.map(
            lambda path: requests.post(f"{url}/predict?timeline=0", data=path.read_bytes()), paths
        )
        for path, answer in zip(paths, answers, strict=True):
            expected = model.predict(*soundfile.read(path, dtype="float32"))
            assert answer.json()["probabilities"] == dict(expected.probabilities)


def test_one_that_fails_leaves_the_others_of_its_batch(model, finished):
    waves = [read_waveform(path) for path in finished[1][:2]]
    odd = Waveform("odd", np.zeros((2, 2, 2), np.float32), 16000)
    first, failed, short, last = in_turn(
        model,
        [Question(wave) for wave in (waves[0], odd, Waveform("x", odd.samples[0, 0], 384000))]
        + [Question(waves[1])],
    )
    assert isinstance(failed, Exception)
    assert isinstance(short, AudioError)
    for found, wave in ((first, waves[0]), (last, waves[1])):
        (expected,) = model.predict_many([wave])
        assert found["probabilities"] == dict(expected.probabilities)


BAD_AUDIO = {
    "text": (b"not audio at all, but a letter", "but text"),
    "a page": (b"<!doctype html><p>not found", "but a web page"),
    "no samples": (encoded(np.zeros(0)), "no samples"),
    "no number": (encoded(np.array([0.1, np.nan] * 999), subtype="FLOAT"), "NaN or infinite"),
    "a cut header": (encoded(noise(1))[:40], "without a data chunk"),
    "a damaged FLAC": (encoded(noise(1), kind="FLAC")[:200], "cannot be decoded"),
    "too short": (encoded(np.zeros(1), 384000), "shorter than one sample"),
}


@pytest.mark.parametrize("bad", BAD_AUDIO)
def test_bad_audio_is_told_why(url, bad):
    content, reason = BAD_AUDIO[bad]
    message = refused(requests.post(f"{url}/predict", data=content), 422)
    assert message.startswith("This recording cannot be used: ")
    assert reason in message
    assert "/tmp" not in message


def test_what_is_too_large_or_too_long_is_refused(url):
    large = encoded(noise(8, 96000), 96000)
    declared = requests.post(f"{url}/predict", data=large)
    in_chunks = requests.post(f"{url}/predict", data=iter([large[:900_000], large[900_000:]]))
    for answer in (declared, in_chunks):
        assert "larger than the 1 MiB" in refused(answer, 413)
    message = refused(requests.post(f"{url}/predict", data=encoded(noise(9.2))), 422)
    assert message == "The recording is 9.2 s long, and this server takes 9 s."


def test_other_requests_are_told_what_to_send(url):
    assert "no body" in refused(requests.post(f"{url}/predict"), 400)
    form = requests.post(f"{url}/predict", files={"file": b"x"})
    assert "--data-binary" in refused(form, 415)
    for query in ("timline=1", "timeline=maybe", "timeline=1&timeline=0"):
        refused(requests.post(f"{url}/predict?{query}", data=b"x"), 400)
    assert "POST a recording" in refused(requests.get(f"{url}/predict"), 405)
    assert "There is no GET /nowhere" in refused(requests.get(f"{url}/nowhere"), 404)


def test_a_sender_who_goes_away_harms_nobody(url, finished):
    host, port = url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as gone:
        gone.sendall(b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 9999\r\n\r\nRIFF")
    assert requests.post(f"{url}/predict", data=finished[1][0].read_bytes()).ok


def test_what_nobody_foresaw_is_one_sentence_too(model, finished):
    async def failing(question):
        return ZeroDivisionError(question)

    with served(model, answering=failing) as url:
        answer = requests.post(f"{url}/predict", data=finished[1][0].read_bytes())
        assert "its log says why" in refused(answer, 500)


def test_health_tells_what_may_be_sent(url):
    assert requests.get(f"{url}/health").json() == {
        "status": "ok",
        "model": "a-run",
        "labels": list(LABELS),
        "token": False,
        "max_mib": 1,
        "max_s": 9,
    }


def test_a_token_is_needed_where_there_is_one(model, finished):
    content = finished[1][0].read_bytes()
    with served(model, digest=ServerToken(TOKEN).digest) as url:
        for shown in (None, "", "Bearer", f"Basic {TOKEN}", f"Bearer {TOKEN}x", TOKEN):
            headers = {} if shown is None else {"Authorization": shown}
            answer = requests.post(f"{url}/predict", data=content, headers=headers)
            assert "Bearer TOKEN" in refused(answer, 401)
            assert answer.headers["WWW-Authenticate"] == "Bearer"
        right = {"Authorization": f"bearer {TOKEN}"}
        assert requests.post(f"{url}/predict", data=content, headers=right).ok
        assert requests.get(f"{url}/health").json()["token"] is True
        assert requests.get(url).ok


def test_the_page_asks_nobody_else(url):
    answer = requests.get(url)
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; ")
    assert "connect-src 'self'" in policy
    assert "unsafe" not in policy
    for outside in ("http://", "https://", "src=", "@import", "url("):
        assert outside not in answer.text
    assert "{style}" not in answer.text
    assert "{script}" not in answer.text
