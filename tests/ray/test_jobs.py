"""Searches as jobs of a cluster: sent, watched, stopped, resumed, refused; a head of our own."""

import os
import time

import pytest
from own_head import own_head, raysearch
from small_command import SMALL

from raysearch.ledger import read
from raysearch.service.job_record import records
from raysearch.storage.objects import ObjectStore
from raysearch.storage.segments import fetch_ledger

pytestmark = [pytest.mark.ray, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def head(tmp_path_factory):
    """The environment that names a head of two CPUs with a token."""
    with own_head(tmp_path_factory.mktemp("head")) as environment:
        yield environment


def one_line(result, code, words):
    assert result.returncode == code, result.stdout + result.stderr
    assert words in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1, result.stderr


@pytest.mark.slow
def test_two_searches_share_the_cluster_and_outlive_it(head, tmp_path):
    storage = tmp_path / "storage"
    both = [*SMALL, "--trials=2", f"--storage={storage}", "--cpus-per-worker=2"]
    for name in ("one", "two"):
        sent = raysearch("submit", *both, f"--name={name}", env=head)
        assert sent.returncode == 0, sent.stdout + sent.stderr
        assert f"run: {storage}/{name}" in sent.stdout
        assert records(storage / name)[0].accepted
        assert sent.stderr == ""
    logs = {name: raysearch("logs", name, "--follow", env=head).stdout for name in ("one", "two")}
    for log in logs.values():
        assert "2 trials: " in log
        assert "Traceback" not in log
        assert "job_manager" not in log
    assert "waiting in the queue, place 1" in logs["two"]
    assert "no longer waiting" in logs["two"]
    known = raysearch("status", "one", env=head)
    assert known.stdout.startswith(f"{storage}/one: finished")
    assert "trials: 2 of 2 ended; best: trial" in known.stdout
    # A name that is taken is refused there, told here, and leaves no job.
    again = raysearch("submit", *SMALL, "--name=one", f"--storage={storage}", env=head)
    one_line(again, 2, "a run of this name exists")
    assert raysearch("list", env=head).stdout.count(f"{storage}/one") == 1
    # Without the cluster its run still tells.
    gone = {**head, "RAY_API_SERVER_ADDRESS": "http://127.0.0.1:1"}
    kept = raysearch("status", storage / "one", env=gone)
    assert kept.stdout.startswith(f"{storage}/one: finished"), kept.stderr
    assert raysearch("logs", storage / "one", env=gone).stdout == logs["one"]
    assert (storage / "one" / "best" / "weights.safetensors").exists()


@pytest.mark.slow
def test_a_stopped_search_in_a_bucket_goes_on_in_another_job(head, bucket, tmp_path):
    run = f"{bucket}/results/long"
    known = {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
    head = {**head, **known, "XDG_CACHE_HOME": str(tmp_path / "laptop")}
    here = {**known, "XDG_CACHE_HOME": str(tmp_path / "cluster")}
    told = [f"--env={name}={value}" for name, value in here.items()]
    long = [*SMALL, "--trials=1", "--max-epochs=400", "--slots=1", "--set=search.scheduler=none"]
    long += [f"--storage={bucket}/results", "--name=long", *told]
    sent = raysearch("submit", *long, env=head)
    assert sent.returncode == 0, sent.stdout + sent.stderr
    one_line(raysearch("resume", "long", env=head), 2, "nothing to resume")
    while not epochs_of(run, tmp_path):
        time.sleep(0.5)
    stopped = raysearch("stop", "long", env=head)
    assert stopped.returncode == 0, stopped.stderr
    assert f"raysearch resume {run}" in stopped.stdout
    trained = epochs_of(run, tmp_path)
    assert 0 < len(trained) < 400
    assert f"{run}: stopped" in raysearch("status", "long", env=head).stdout
    resumed = raysearch("resume", run, *told, env=head)
    assert resumed.returncode == 0, resumed.stdout + resumed.stderr
    while len(epochs := epochs_of(run, tmp_path)) <= len(trained):
        time.sleep(0.5)
    assert epochs == list(range(1, len(epochs) + 1)), "nothing was lost or done twice"
    assert raysearch("stop", "long", env=head).returncode == 0


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["submit", "--space=emohrnet", "--storage=/proc/nowhere"], 4, "/proc/nowhere"),
        (["status", "never"], 2, "no such job"),
        (["stop", "never"], 2, "no such job"),
    ],
)
def test_a_mistake_is_one_line_and_an_exit_code(head, arguments, code, words):
    one_line(raysearch(*arguments, env=head), code, words)


def test_a_wrong_token_is_one_line(head, tmp_path):
    one_line(raysearch("list", env={**head, "RAY_AUTH_TOKEN": "a" * 64}), 2, "refuses this token")
    wrong = {**head, "RAY_AUTH_TOKEN_PATH": str(tmp_path / "none")}
    one_line(raysearch("list", env=wrong), 2, "no such token file")
    without = {**head, "RAY_AUTH_TOKEN_PATH": "", "HOME": str(tmp_path)}
    one_line(raysearch("list", env=without), 2, "asks for its token")


def epochs_of(run, folder):
    """The epochs that the ledger in the bucket tells of."""
    store, _, name = run.rpartition("/")
    ledger = folder / "ledger.jsonl"
    fetch_ledger(ObjectStore(store), name, ledger)
    if not ledger.exists():
        return []  # nothing is told yet
    return [event.data["epoch"] for event in read(ledger) if event.event == "epoch"]
