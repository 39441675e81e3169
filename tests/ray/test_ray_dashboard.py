"""The Ray dashboard while a search runs: its list of tasks, and its page in a browser."""

import time

import pytest
import ray
from chromium import browser, find_chromium
from ray.util.state import list_tasks
from ray_dashboard import TRIALS, open_job
from tiny_search import Hook, search, small_spec

from raysearch.ray_cluster.own_token import own_token

pytestmark = pytest.mark.ray

TRIAL = "trial 0001 emohrnet lr="


@pytest.fixture(scope="module")
def shown(cluster, storage, tmp_path_factory):
    """Tasks of trial 1, and its job's page, while the search goes on."""
    address, found = f"http://{cluster.dashboard_url}", {}
    picture = tmp_path_factory.mktemp("dashboard") / "job.png"

    def trials():
        # Without an address the newest Ray of the machine would be asked, whosever it is.
        listed = list_tasks(address, filters=[("func_or_class_name", "=", TRIALS)], limit=1000)
        return {one.task_id: (one.name, one.state) for one in listed if one.name.startswith(TRIAL)}

    before = trials()  # the job is that of other tests, too

    def look(event):
        deadline = time.monotonic() + 10  # workers tell of their tasks once a second
        while time.monotonic() < deadline:
            found["tasks"] = [task for key, task in trials().items() if key not in before]
            if any(state == "FINISHED" for _, state in found["tasks"]):
                break
            time.sleep(0.2)
        if find_chromium() is not None:
            job = ray.get_runtime_context().get_job_id()
            with browser() as page:
                found["cells"] = open_job(page, address, own_token(), job)
                page.picture(picture)

    hook = Hook(lambda e: e.event == "completed" and e.number == 1, look)
    search(small_spec(search__slots=1), storage, "named", cluster, observers=[hook])
    return found


def test_trials_are_named_tasks(shown):
    assert "FINISHED" in [state for _, state in shown["tasks"]]


@pytest.mark.skipif(find_chromium() is None, reason="there is no Chromium")
def test_the_page_of_the_job_lists_the_trials_by_name_and_state(shown):
    cells = shown["cells"]
    # A trial that paused is a task for each time that it trained.
    rows = [i for i, text in enumerate(cells) if text.startswith(TRIAL)]
    assert any("FINISHED" in cells[i : i + 10] for i in rows)
