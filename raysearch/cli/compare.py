"""``raysearch compare``: evaluated runs side by side, and what may be claimed of them."""

import json
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from raysearch.cli.evaluation_options import CompareOptions
from raysearch.cli.tables import plain_table, print_table
from raysearch.cli.terminal import heading, plain_console
from raysearch.evaluation.compare import Compared, compare_all
from raysearch.evaluation.figures import method_of
from raysearch.evaluation.stored_evaluations import System, doubts_of, load_systems
from raysearch.files import write_text
from raysearch.page.comparison import comparison_of
from raysearch.page.followed_run import run_document
from raysearch.page.html import page_html
from raysearch.reporting.sentences import print_sentence
from raysearch.searching.results import Run

__all__ = ["compare_runs"]


def compare_runs(options: CompareOptions) -> int:
    """Carry the verb out."""
    systems = load_systems([run.root for run in options.runs], paper=options.paper)
    found = compare_all({system.name: system.table for system in systems})
    if options.html is not None:
        _draw(options.html, systems, found)
    if options.json:
        kind = {"transductive": systems[0].transductive}
        print(json.dumps([{**one.to_dict(), **kind} for one in found], indent=2))
    else:
        console = plain_console()
        _show(console, systems, found)
        if options.html is not None:
            console.print(f"page: {options.html}", soft_wrap=True)
    return 0


def _draw(path: Path, systems: Sequence[System], found: Sequence[Compared]) -> None:
    documents = [run_document(Run(system.name), audio=False) for system in systems]
    write_text(path, page_html(documents, comparison_of(systems, found, doubts_of(systems))))


def _show(console: Console, systems: Sequence[System], found: Sequence[Compared]) -> None:
    first = systems[0]
    heading(
        console,
        "test",
        f"{first.protocol}, {first.mode}, "
        f"{first.figures['num_speakers']} speakers; differences from {first.name}"
        f"{', transductive' if first.transductive else ''}",
    )
    # The protocol is that of all, and stands above. A name that is cut may be another's, too.
    table = plain_table("system")
    for head in ("UA", "difference", "p (Holm)", "verdict"):
        table.add_column(head, no_wrap=True)
    table.add_row(first.name, _ua(first), "-", "-", "-")
    for system, pair in zip(systems[1:], found, strict=True):
        result = pair.comparison
        p = "-" if result.p_holm is None else f"{result.p_holm:.3g}"
        gap = f"{100 * result.difference:+.1f}"
        table.add_row(system.name, _ua(system), gap, p, result.verdict)
    print_table(console, table)
    methods = [f"95% intervals of {names}: {how}" for how, names in _methods(systems).items()]
    for line in [*(pair.sentence() for pair in found), *methods, *doubts_of(systems)]:
        print_sentence(console, line)


def _methods(systems: Sequence[System]) -> dict[str, str]:
    """How intervals were made, and whose."""
    found: dict[str, list[str]] = {}
    for system in systems:
        if method := method_of(system.figures):
            found.setdefault(method, []).append(system.name)
    return {method: ", ".join(names) for method, names in found.items()}


def _ua(system: System) -> str:
    entry = system.figures["ua"]
    bounds = entry["interval"]
    span = f" [{100 * bounds[0]:.1f}, {100 * bounds[1]:.1f}]" if bounds else ""
    return f"{100 * entry['mean']:.1f}{span}"
