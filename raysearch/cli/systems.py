"""``raysearch systems``: what is built in, where it was published, and what it needs."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from rich.console import Console
from rich.markup import escape
from rich.padding import Padding

from raysearch.cli.inspection_options import SystemsOptions
from raysearch.config.base import Config
from raysearch.config.shipped_spaces import shipped_spaces
from raysearch.errors import UserError
from raysearch.features.extractor_table import build_extractor
from raysearch.models.base import SolvedModel
from raysearch.models.model_table import build_model
from raysearch.prerequisites import check_prerequisites
from raysearch.spec import SearchSpec

__all__ = ["show"]

NUM_CLASSES = 7
_FINE = ("found", "not needed")


@dataclass(frozen=True, slots=True)
class _System:
    """One shipped space; ``weights`` is ``not needed``, ``found`` or what is lacking.

    ``variant`` says what is otherwise than published.
    """

    name: str
    inputs: list[str]
    num_params: int | None
    paper: str
    published: list[str]
    protocol: str
    weights: str
    variant: str


def show(options: SystemsOptions) -> int:
    """Carry the verb out."""
    # A hyphen marks another space of the system that stands before it.
    names = [name for name in sorted(shipped_spaces()) if "-" not in name]
    systems = [_describe(name, options.settings) for name in names]
    if options.json:
        print(json.dumps([asdict(system) for system in systems], indent=1))
        return 0
    _show(Console(), systems)
    return 0


def _show(console: Console, systems: list[_System]) -> None:
    for system in systems:
        size = "fitted" if system.num_params is None else f"{system.num_params:,} parameters"
        weights = system.weights if system.weights in _FINE else "lacking"
        inputs = ", ".join(system.inputs)
        console.print(f"[bold]{system.name}[/bold]  {inputs}; {size}; weights {weights}")
        lines = [system.paper]
        lines += [f"variant: {system.variant}"] if system.variant else []
        if system.published:
            lines += [f"printed: {', '.join(system.published)}"]
            lines += [f"evaluate --protocol paper: {system.protocol}"]
        lines += [f"[yellow]{escape(system.weights)}[/yellow]"] if weights == "lacking" else []
        for line in lines:
            console.print(Padding(line, (0, 0, 0, 2)), highlight=False)
    console.print(
        f"\nparameters: with a space's unsearched settings and {NUM_CLASSES} emotions; printed: as"
        " published, emotions in brackets, under each paper's own split: not comparable with an"
        " honest figure",
        style="dim",
    )


def _describe(name: str, settings: Sequence[str]) -> _System:
    spec = SearchSpec.load(name, _applicable(name, settings))
    base = spec.base
    shapes = {
        stream: build_extractor(feature).shape(spec.training.clip_s)
        for stream, feature in base.used_features.items()
    }
    model = build_model(base.model, shapes, NUM_CLASSES)
    paper = spec.published
    return _System(
        name=name,
        inputs=[f"{s} ({c.extractor})" for s, c in base.used_features.items()],
        num_params=None if isinstance(model, SolvedModel) else model.num_params,
        paper=f"{paper.title}, arXiv {paper.arxiv}" if paper.arxiv else paper.title or "-",
        published=[
            f"{r.corpus} ({r.num_classes}) {r.value:g}"
            + ("" if r.metric == "accuracy" else f" {r.metric}")
            for r in paper.results
        ],
        protocol=paper.protocol_note,
        weights=_weights(spec),
        variant=spec.variant,
    )


def _applicable(name: str, settings: Sequence[str]) -> list[str]:
    """Those of ``settings`` whose section this space has: a weights' path belongs to one system."""
    known = SearchSpec.load(name).base.fields()
    return [text for text in settings if text.partition("=")[0] in known]


def _weights(spec: SearchSpec) -> str:
    sections: list[Config] = [spec.model, *spec.base.features.values()]
    if all(
        type(section).check_external_files is Config.check_external_files for section in sections
    ):
        return "not needed"
    try:
        check_prerequisites(spec)
    except UserError as error:
        return str(error)
    return "found"
