"""What a search prints first: where its run is, and where its page is served."""

import io
import urllib.request

from paged_run import recorded_run
from rich.console import Console

from raysearch.cli.search_view import SearchView
from raysearch.cli.terminal import ProgressLine
from raysearch.searching.observers import Underway


def test_the_pages_address_follows_the_runs_line(tmp_path):
    run, out = recorded_run(tmp_path / "run"), io.StringIO()
    console = Console(file=out, width=80)
    with ProgressLine(console) as progress:
        view = SearchView(console, progress, quiet=False, job=None)
        with view.watch(Underway(run, run.spec(), None)):
            for line in ("run: results/one", "corpus: demo", "audit: clean"):
                view.say(line)
            lines = out.getvalue().splitlines()
            with urllib.request.urlopen(lines[1].split()[1]) as answer:
                assert answer.status == 200
    words = [line.partition(" ")[0] for line in lines if not line.startswith(" ")]
    assert words == ["run:", "page:", "corpus:", "audit:"]
    assert str(run.root) in "".join(out.getvalue().split())
