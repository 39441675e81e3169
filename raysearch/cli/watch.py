"""``raysearch watch``: a run's page, live, on this machine alone."""

import time

from raysearch.cli.options import run_at
from raysearch.cli.page_options import WatchOptions
from raysearch.cli.terminal import plain_console
from raysearch.page.document import RunDocument
from raysearch.page.followed_run import FollowedRun
from raysearch.page.live_page import LivePage, served
from raysearch.page.steered_run import page_of
from raysearch.run_folder import RunFolder
from raysearch.searching.results import Run

__all__ = ["watch"]

# A run in a bucket is fetched for each look at it, and its search is on another machine.
REMOTE_EVERY_S = 10.0


def watch(options: WatchOptions) -> int:
    """Carry the verb out: until it is interrupted."""
    run = run_at(options.run)
    page = _remote_page(options.run, run) if "://" in options.run else page_of(run)
    page.json()  # what is wrong with the run is told before anything is served
    with served(page, options.port) as address:
        plain_console().print(f"page: {address} (Ctrl-C ends it)", soft_wrap=True)
        try:
            while True:
                time.sleep(3600)
        except KeyboardInterrupt:
            return 0


def _remote_page(place: str, run: RunFolder) -> LivePage:
    followed = FollowedRun(Run(run.root))

    def read() -> RunDocument:
        run_at(place)  # fetches what is new
        return followed.document()

    return LivePage(read, REMOTE_EVERY_S)
