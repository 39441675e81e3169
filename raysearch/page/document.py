"""Everything that the page of a run says, as plain data: the page's script only draws it."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import cast

from raysearch.page.comparison import Comparison
from raysearch.page.data_part import DataPart
from raysearch.page.headline import Headline
from raysearch.page.model_part import ModelPart
from raysearch.page.search_part import SearchPart
from raysearch.reporting.energy_used import energy_in_words
from raysearch.searching.results import Run
from raysearch.storage.replica import pasted

__all__ = ["Live", "Reproduction", "RunDocument", "reproduction_of", "to_json"]


@dataclass(frozen=True, slots=True)
class Reproduction:
    """How to run the search again.

    Attributes:
        command: for a shell.
        spec: the settings as YAML.
        facts: versions, commit, seed, data and machines, as pairs of a name and a value.
    """

    command: str
    spec: str
    facts: list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class RunDocument:
    """One run."""

    headline: Headline
    search: SearchPart
    model: ModelPart
    data: DataPart | None
    reproduction: Reproduction


@dataclass(frozen=True, slots=True)
class Live:
    """How a page is served.

    Attributes:
        every_s: seconds from one question for newer values to the next.
        steers: whether the search can be steered from it.
    """

    every_s: float
    steers: bool


def to_json(
    documents: Sequence[RunDocument],
    comparison: Comparison | None = None,
    live: Live | None = None,
    only: str | None = None,
) -> str:
    """Write what the page's script reads, so that it may stand inside a script element.

    Values that are not finite become null, and no ``<`` is left that could end the element.

    Args:
        documents: the runs.
        comparison: of several.
        live: how the page is served; None where nobody would answer it.
        only: the one figure that is drawn, by its name on the page; None for all of them.
    """
    whole = {"runs": documents, "comparison": comparison, "live": live, "only": only}
    try:
        text = _written(whole)
    except ValueError:  # a value that is not finite, which is seldom
        text = _written(_finite(whole))
    return text.replace("<", "\\u003c")


def _written(value: object) -> str:
    return json.dumps(
        value, default=_fields, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )


def _fields(value: object) -> object:
    """What JSON has no word for: a dataclass, or another kind of mapping or sequence."""
    if is_dataclass(value):
        return {field.name: getattr(value, field.name) for field in fields(value)}
    return dict(value) if isinstance(value, Mapping) else list(cast("Sequence[object]", value))


def _finite(value: object) -> object:
    if is_dataclass(value):
        value = _fields(value)
    if isinstance(value, dict):
        return {key: _finite(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def reproduction_of(run: Run) -> Reproduction:
    """Gather how to run the search again."""
    info = run.files.info()
    versions = {f"version of {name}": text for name, text in info.get("versions", {}).items()}
    hardware, sessions = info.get("hardware", {}), info.get("sessions", [])
    nodes = [f"{one['cpus']:g} CPUs, {one['gpus']:g} GPUs" for one in hardware.get("nodes", [])]
    facts = {
        "commit": info.get("commit"),
        "seed": info.get("seed"),
        "data fingerprint": info.get("data_fingerprint"),
        "machine": hardware.get("machine"),
        "nodes": "; ".join(nodes) or None,
        "sittings": len(sessions) or None,
        "energy": energy_in_words(sessions) or None,
        **versions,
    }
    return Reproduction(
        command=f"raysearch run --space {pasted(run.files.spec_file)}",
        spec=run.files.spec_file.read_text(encoding="utf-8"),
        facts=[(name, str(value)) for name, value in facts.items() if value is not None],
    )
