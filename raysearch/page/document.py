"""Everything that the page of a run says, as plain data: the page's script only draws it."""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

from raysearch.evaluation.stored_evaluations import stored_evaluations
from raysearch.page.audio_clips import with_audio
from raysearch.page.comparison import Comparison
from raysearch.page.data_part import DataPart, data_part, paths_of
from raysearch.page.headline import Headline, headline
from raysearch.page.model_part import ModelPart, model_part
from raysearch.page.search_part import SearchPart, search_part
from raysearch.searching.results import Run
from raysearch.storage.replica import pasted

__all__ = ["Live", "Reproduction", "RunDocument", "run_document", "to_json"]


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


def run_document(run: Run, *, audio: bool = True) -> RunDocument:
    """Read everything of ``run`` as it is now.

    Args:
        run: whose page it is.
        audio: whether the worst mistakes bring their recordings, where these are at hand.

    Raises:
        UserError: a file of the run is damaged.
        DataError: the ledger is.
    """
    files = run.files
    spec, events = files.spec(), files.events()
    trials, final = files.trials(), run.final
    search = search_part(spec, events, trials, final.members if final else {})
    model = model_part(files, final.describe() if final else None, final.reason if final else "")
    if audio:
        model = _heard(run, model)
    return RunDocument(
        headline(run, spec, events, trials, search.core_s, stored_evaluations(files)),
        search,
        model,
        data_part(files),
        _reproduction(run),
    )


def to_json(
    documents: Sequence[RunDocument],
    comparison: Comparison | None = None,
    live: Live | None = None,
) -> str:
    """Write what the page's script reads, so that it may stand inside a script element.

    Values that are not finite become null, and no ``<`` is left that could end the element.

    Args:
        documents: the runs.
        comparison: of several.
        live: how the page is served; None where nobody would answer it.
    """
    whole = {
        "runs": [asdict(one) for one in documents],
        "comparison": None if comparison is None else asdict(comparison),
        "live": None if live is None else asdict(live),
    }
    text = json.dumps(_finite(whole), separators=(",", ":"), ensure_ascii=False)
    return text.replace("<", "\\u003c")


def _finite(value: object) -> object:
    if isinstance(value, dict):
        return {key: _finite(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _heard(run: Run, model: ModelPart) -> ModelPart:
    """The first evaluation's mistakes with their audio: the others' are mostly the same ones."""
    evaluations = dict(model.evaluations)
    for mode, one in evaluations.items():
        mistakes = with_audio(one.mistakes, paths_of(run.files))
        evaluations[mode] = replace(one, mistakes=mistakes)
        break
    return replace(model, evaluations=evaluations)


def _reproduction(run: Run) -> Reproduction:
    info = run.files.info()
    versions = {f"version of {name}": text for name, text in info.get("versions", {}).items()}
    hardware = info.get("hardware", {})
    nodes = [f"{one['cpus']:g} CPUs, {one['gpus']:g} GPUs" for one in hardware.get("nodes", [])]
    facts = {
        "commit": info.get("commit"),
        "seed": info.get("seed"),
        "data fingerprint": info.get("data_fingerprint"),
        "machine": hardware.get("machine"),
        "nodes": "; ".join(nodes) or None,
        "sittings": len(info.get("sessions", [])) or None,
        **versions,
    }
    return Reproduction(
        command=f"raysearch run --space {pasted(run.files.spec_file)}",
        spec=run.files.spec_file.read_text(encoding="utf-8"),
        facts=[(name, str(value)) for name, value in facts.items() if value is not None],
    )
