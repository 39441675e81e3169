"""The Ray dashboard while a search runs: its list of tasks, and its page in a browser."""

import re
import time

import pytest
import ray
from chromium import browser, find_chromium
from ray.util.state import list_tasks
from ray_dashboard import open_job
from tiny_search import Hook, search, small_spec

from raysearch.ray_cluster.own_token import own_token

pytestmark = pytest.mark.ray


@pytest.fixture(scope="module")
def shown(cluster, storage, tmp_path_factory):
    """Names of tasks and a job's page, after trial 1 of a search that goes on."""
    address, found = f"http://{cluster.dashboard_url}", {}
    picture = tmp_path_factory.mktemp("dashboard") / "job.png"

    def look(event):
        # Workers tell of their tasks once a second.
        for _ in range(50):
            # Without an address the newest Ray of the machine would be asked, whosever it is.
            found["tasks"] = {task.name for task in list_tasks(address, limit=1000)}
            if any(name.startswith("trial 0001 emohrnet") for name in found["tasks"]):
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
    assert any(name.startswith("trial 0001 emohrnet lr=") for name in shown["tasks"])


@pytest.mark.skipif(find_chromium() is None, reason="there is no Chromium")
def test_the_page_of_the_job_lists_the_trials_by_name_and_state(shown):
    cells = shown["cells"]
    # The table's first page: the job is that of other tests, too, whose trials may fill it.
    rows = [i for i, text in enumerate(cells) if re.match(r"trial \d{4} \w+ lr=", text)]
    assert any("FINISHED" in cells[i : i + 10] for i in rows)
