"""``raysearch report``: everything that is known of a run as one page, which opens offline."""

from pathlib import Path

from raysearch.cli.options import run_at
from raysearch.cli.page_options import ReportOptions
from raysearch.cli.terminal import plain_console
from raysearch.files import write_text
from raysearch.page.followed_run import run_document
from raysearch.page.html import page_html
from raysearch.searching.results import Run

__all__ = ["report"]


def report(options: ReportOptions) -> int:
    """Carry the verb out."""
    run = Run(run_at(options.run).root)
    output = options.output or _default(options.run, run)
    text = page_html([run_document(run, audio=options.audio)])
    write_text(output, text)
    size = len(text.encode()) / 2**20
    plain_console().print(f"report: {output} ({size:.1f} MiB)", soft_wrap=True)
    return 0


def _default(place: str, run: Run) -> Path:
    return Path(f"{run.name}.html") if "://" in place else run.folder / "report.html"
