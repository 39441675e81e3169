"""``raysearch systems``: what is built in, where it was published, and what it needs."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from importlib import import_module

from rich.console import Console
from rich.table import Table
from rich.text import Text

from raysearch.cli.inspection_options import SystemsOptions
from raysearch.cli.system_facts import System, read_facts
from raysearch.cli.tables import plain_table, print_table
from raysearch.config.shipped_spaces import shipped_spaces

__all__ = ["papers_table", "printed_table", "show", "systems_table"]

_FINE = ("found", "not needed")
# Enough for the papers' titles beside the rest.
_WIDE = 80


def show(options: SystemsOptions) -> int:
    """Carry the verb out."""
    # A hyphen marks another space of the system that stands before it.
    names = [name for name in sorted(shipped_spaces()) if "-" not in name]
    systems = [*_systems(names, options.settings)]
    if options.json:
        print(json.dumps([asdict(system) for system in systems], indent=1))
        return 0
    console = Console()
    wide = not console.is_terminal or console.width >= _WIDE
    print_table(console, systems_table(systems, papers=wide))
    for names_of, lacking in _lacking(systems):
        console.print(Text.assemble(f"\nweights of {names_of}: ", (lacking, "yellow")))
    for system in systems:
        if system.variant:
            console.print(Text(f"\n{system.name} is a variant: {system.variant}"))
    print()
    if not wide:
        print_table(console, papers_table(systems))
        print()
    print_table(console, printed_table(systems))
    console.print(
        "printed: as published, emotions in brackets (?: the paper does not say how many), accuracy"
        " unless it says WA, UA or F1, under each paper's own split, which reproduce and evaluate"
        " --protocol paper repeat: not comparable with an honest figure; parameters: with a space's"
        " unsearched settings and 7 emotions",
        style="dim",
        highlight=False,
    )
    return 0


def systems_table(systems: Sequence[System], *, papers: bool = True) -> Table:
    """Draw the systems, one row each; ``papers`` says whether there is room for their titles."""
    table = plain_table()
    table.add_column("system", no_wrap=True)
    table.add_column("inputs", no_wrap=True)
    table.add_column("parameters", justify="right", no_wrap=True)
    table.add_column("weights", no_wrap=True)
    if papers:
        table.add_column("published in", overflow="fold")
    for system in systems:
        size = "fitted" if system.num_params is None else f"{system.num_params:,}"
        weights = system.weights if system.weights in _FINE else "lacking"
        style = "yellow" if weights == "lacking" else ""
        inputs = Text("\n".join(map(_short, system.inputs)))
        paper = [Text(system.paper)] if papers else []
        table.add_row(Text(system.name, "bold"), inputs, size, Text(weights, style), *paper)
    return table


def papers_table(systems: Sequence[System]) -> Table:
    """Draw where the systems were published."""
    table = plain_table("system", "published in")
    for system in systems:
        table.add_row(Text(system.name, "bold"), Text(system.paper))
    return table


def printed_table(systems: Sequence[System]) -> Table:
    """Draw what the papers print, and how that came to be."""
    table = plain_table("system")
    table.add_column("printed", no_wrap=True)
    table.add_column("the paper's split")
    for system in systems:
        if system.published:
            printed = Text("\n".join(system.published))
            table.add_row(Text(system.name, "bold"), printed, Text(system.protocol))
    return table


def _short(stream: str) -> str:
    """``mfcc (mfcc)`` as ``mfcc``."""
    name, _, extractor = stream.partition(" (")
    return name if extractor == f"{name})" else stream


def _lacking(systems: Sequence[System]) -> list[tuple[str, str]]:
    """What is lacking, once, and by which systems."""
    by_text: dict[str, list[str]] = {}
    for system in systems:
        if system.weights not in _FINE:
            by_text.setdefault(system.weights, []).append(system.name)
    return [(", ".join(names), text) for text, names in by_text.items()]


def _systems(names: Sequence[str], settings: Sequence[str]) -> Sequence[System]:
    """What the spaces are; where that is not known before, torch has to build them."""
    facts = read_facts()
    if not settings and facts.keys() >= set(names):
        return [facts[name].here() for name in names]
    describe = import_module("raysearch.cli.described_systems").describe
    return [describe(name, settings) for name in names]
