"""What is proven on the hosts, step by step, from ``ray up`` to ``ray down``."""

import re
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from dashboard import Dashboard
from hosts import Host
from laptop import Laptop
from run_files import RunFiles
from steps import Steps
from world import RESULTS, SHARED

sys.path.append(str(Path(__file__).parents[1]))
from chromium import browser, find_chromium
from ray_dashboard import open_job

__all__ = ["prove"]

STORAGE = SHARED / "results"
SEARCH = (
    "--space=emohrnet",
    f"--storage={STORAGE}",
    "--set=search.scheduler=none",
    "--set=features.mel.n_mels=20",
    "--set=features.mel.hop_ms=20",
    "--set=training.clip_s=1",
    "--set=model.width=8",
    "--set=model.branches=2",
    "--set=model.blocks=1",
    "--set=model.stem_width=16",
    "--set=model.stem_stride=4",
)
# Trials of a minute or less, for as long as it takes to miss a host, take up its trial and have the
# host back, on a fast machine or a slow one.
LONG = ("--trials=500", "--max-epochs=60", "--time-budget=8m", "--set=search.checkpoint_every_s=5")
SHORT = ("--trials=2", "--max-epochs=2")
# Attempts at a trial.
FIRST, LATER = (1,), range(2, 100)
# Prints what the head's port for Ray's own calls says to one without a token.
ASK = "from raysearch.ray_cluster.token_check import *; print(ask('{}:6379', GCS_METHOD))"


def prove(steps: Steps, laptop: Laptop, hosts: Sequence[Host]) -> None:
    """All of it; the first that is not so raises AssertionError."""
    _up(steps, laptop, hosts)
    with laptop.tunnel():
        dashboard = Dashboard(laptop.address, laptop.token)
        everyone = {host.ip for host in hosts}
        steps.wait(
            "ray up: head and workers have joined, seen through the tunnel of `ray dashboard`",
            lambda: dashboard.living() == everyone,
            300,
        )
        _token_is_demanded(steps, laptop, hosts[0], dashboard)
        _search_loses_a_host(steps, laptop, hosts, dashboard)
        _two_at_once(steps, laptop, dashboard)
    laptop.ray("down", "-y", str(laptop.file))
    steps.say("ray down")
    steps.wait(
        "no process of Ray is left on any host",
        lambda: not any(host.processes() for host in hosts),
        180,
    )


def _up(steps: Steps, laptop: Laptop, hosts: Sequence[Host]) -> None:
    laptop.make_token()
    laptop.fill_in(hosts[0], hosts[1:])
    began = time.monotonic()
    laptop.ray("up", "-y", str(laptop.file))
    steps.say(f"ray up: the head is up after {time.monotonic() - began:.0f} s")
    modes = laptop.ssh(hosts[0], "stat -c %a ~/.ray ~/.ray/auth_token").split()
    assert modes == ["700", "600"], f"modes of the token: {modes}"
    said = laptop.ssh(hosts[0], "cat ~/.ray/auth_token")
    assert said.strip() == laptop.token, "the token was not copied"
    steps.say("the token is on the head, for its user alone")


def _token_is_demanded(steps: Steps, laptop: Laptop, head: Host, dashboard: Dashboard) -> None:
    for token, code, words in (
        (None, 401, "asks for its token"),
        ("f" * 64, 403, "refuses this token"),
    ):
        assert dashboard.status("/api/jobs/", token=token) == code
        told = laptop.raysearch("list", RAY_AUTH_TOKEN=token or "", RAY_AUTH_TOKEN_PATH="/nowhere")
        assert told.returncode == 2, told.stdout + told.stderr
        assert words in told.stderr, told.stderr
    assert dashboard.status("/api/jobs/", token=laptop.token) == 200
    assert laptop.python(ASK.format(head.ip)).strip() == "refused"
    assert not laptop.reaches(head, 8265), "the dashboard listens to more than loopback"
    steps.say("without the token nobody answers: 401 from the dashboard, refused by Ray's port")


def _search_loses_a_host(
    steps: Steps, laptop: Laptop, hosts: Sequence[Host], dashboard: Dashboard
) -> None:
    run = RunFiles(STORAGE / "one")
    said = laptop.ok("submit", *SEARCH, *LONG, "--name=one")
    assert f"run: {run.folder}" in said, said
    (job,) = dashboard.jobs()
    steps.say(f"submitted: {job}")
    everyone = {host.ip for host in hosts}
    steps.wait(
        "running on three hosts: " + ", ".join(sorted(everyone)),
        lambda: dashboard.training() == everyone and run.num_trials_begun() >= 3,
        400,
    )
    assert ": running" in laptop.ok("status", "one")
    _shown_in_the_dashboard(steps, laptop, dashboard, job)
    _host_leaves_and_returns(steps, hosts, dashboard, run)
    steps.wait("the search has ended", lambda: dashboard.jobs()[job]["end_time"], 600)
    assert dashboard.jobs()[job]["status"] == "SUCCEEDED", laptop.ok("logs", "one")
    _results_are_fetched(steps, laptop, hosts[0], run)


def _shown_in_the_dashboard(steps: Steps, laptop: Laptop, dashboard: Dashboard, job: str) -> None:
    names = steps.wait("the dashboard's task list names the trials", dashboard.trials, 60)
    steps.say(f"  {len(names)} of them, as {min(names)!r}")
    if find_chromium() is None:
        steps.say("NOT SHOWN in a browser: there is no Chromium here")
        return
    picture = RESULTS / "dashboard.png"
    with browser() as look:
        open_job(look, laptop.address, laptop.token, job)
        look.picture(picture)
    steps.say(f"a browser shows the job's page and its trials: {picture.name}")


def _host_leaves_and_returns(
    steps: Steps, hosts: Sequence[Host], dashboard: Dashboard, run: RunFiles
) -> None:
    cut, others = hosts[2], {host.ip for host in hosts[:2]}
    assert run.events("resumed") == [], "a trial was interrupted before any host was cut"
    in_flight, cut_at = run.in_flight(), time.time()
    cut.set_link("down")
    steps.say(f"{cut.ip}: link down; trials in flight: {sorted(in_flight)}")
    steps.wait("Ray misses the host", lambda: dashboard.living() == others, 120)
    # What was on its way when the cable was pulled may still have been written.
    lost = {n for n in in_flight if not run.epochs_since(cut_at + 5, n, FIRST)}
    lost -= run.ended()
    assert lost, f"no trial was interrupted: {in_flight}"
    steps.say(f"trials that stand still since: {sorted(lost)}")
    steps.wait(
        "they were taken up elsewhere, and train",
        lambda: all(run.epochs_since(cut_at, n, LATER) for n in lost),
        240,
    )
    for event in run.events("resumed"):
        steps.say(f"  trial {event['number']}: attempt {event['attempt']} from {event['epoch']}")
    assert run.epochs_since(cut_at + 5, None, FIRST), "no other trial went on"
    assert dashboard.training() <= others
    cut.set_link("up")
    steps.say(f"{cut.ip}: link up")
    steps.wait("the host is back in the cluster", lambda: cut.ip in dashboard.living(), 300)
    steps.wait("a trial runs on it again", lambda: cut.ip in dashboard.training(), 240)


def _results_are_fetched(steps: Steps, laptop: Laptop, head: Host, run: RunFiles) -> None:
    assert ": finished" in laptop.ok("status", "one")
    log = laptop.ok("logs", "one")
    assert re.search(r"^\d+ trials: \d+ completed", log, re.MULTILINE), log
    assert "Traceback" not in log, log
    target = RESULTS / "fetched"
    laptop.fetch(head, str(run.folder), target)
    for name in ("best/weights.safetensors", "leaderboard.md", "summary.json"):
        assert (target / name).stat().st_size > 0, f"{name}: not there"
    (target / "printed.log").write_text(log)
    steps.say(f"results fetched: best model and leaderboard of {run.num_trials_begun()} trials")


def _two_at_once(steps: Steps, laptop: Laptop, dashboard: Dashboard) -> None:
    names = ("first", "second")
    for name in names:
        laptop.ok("submit", *SEARCH, *SHORT, f"--name={name}", "--wait=5")
    steps.say("two searches submitted at once")
    steps.wait(
        "both have ended",
        lambda: {"SUCCEEDED"} == {job["status"] for job in dashboard.jobs().values()},
        400,
    )
    first, second = (
        next(job for id_, job in dashboard.jobs().items() if id_.startswith(f"{name}."))
        for name in names
    )
    assert second["start_time"] < first["end_time"], "they ran one after the other"
    for name in names:
        assert ": finished" in laptop.ok("status", name), laptop.ok("logs", name)
        assert (STORAGE / name / "best/weights.safetensors").exists()
    assert laptop.ok("list").count("finished") == 3
    steps.say("both finished, each with its best model")
