"""``raysearch watch``: a run's page, live, on this machine alone."""

import time

from raysearch.cli.options import run_at
from raysearch.cli.page_options import WatchOptions
from raysearch.cli.terminal import plain_console
from raysearch.page.document import RunDocument, run_document
from raysearch.page.live_page import LivePage, served
from raysearch.searching.results import Run

__all__ = ["watch"]

# A run in a bucket is fetched for each look at it.
REMOTE_EVERY_S = 10.0


def watch(options: WatchOptions) -> int:
    """Carry the verb out: until it is interrupted."""

    def read() -> RunDocument:
        return run_document(Run(run_at(options.run).root))

    page = LivePage(read, REMOTE_EVERY_S) if "://" in options.run else LivePage(read)
    page.json()  # what is wrong with the run is told before anything is served
    with served(page, options.port) as address:
        plain_console().print(f"page: {address} (Ctrl-C ends it)", soft_wrap=True)
        try:
            while True:
                time.sleep(3600)
        except KeyboardInterrupt:
            return 0
