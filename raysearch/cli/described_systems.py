"""What a shipped space amounts to, by building its features and network: slow, and the truth.

``system_facts.json`` holds it for the spaces as they are shipped.
"""

from collections.abc import Sequence

from raysearch.cli.system_facts import System, SystemFacts
from raysearch.errors import UserError
from raysearch.features.extractor_table import build_extractor
from raysearch.models.base import SolvedModel
from raysearch.models.model_table import build_model
from raysearch.models.resnet34 import HUB_NAMES
from raysearch.models.torch_hub import hub_folder
from raysearch.prerequisites import check_prerequisites
from raysearch.spec import SearchSpec

__all__ = ["NUM_CLASSES", "describe", "facts_of"]

NUM_CLASSES = 7


def describe(name: str, settings: Sequence[str]) -> System:
    """Return what the space ``name`` is with those of ``settings`` whose section it has."""
    spec = SearchSpec.load(name, _applicable(name, settings))
    needs, lacking = _weights(spec)
    return _facts(spec, needs=needs, lacking=lacking).system(lacking)


def facts_of(name: str) -> SystemFacts:
    """Return what is true of the space as it is shipped, on any machine.

    It is to be asked where torch hub's folder is empty.
    """
    spec = SearchSpec.load(name)
    needs, lacking = _weights(spec)
    return _facts(spec, needs=needs, lacking=lacking.replace(str(hub_folder()), SystemFacts.HUB))


def _facts(spec: SearchSpec, *, needs: bool, lacking: str) -> SystemFacts:
    base = spec.base
    shapes = {
        stream: build_extractor(feature).shape(spec.training.clip_s)
        for stream, feature in base.used_features.items()
    }
    model = build_model(base.model, shapes, NUM_CLASSES)
    paper = spec.published
    return SystemFacts(
        name=spec.name,
        inputs=[f"{s} ({c.extractor})" for s, c in base.used_features.items()],
        num_params=None if isinstance(model, SolvedModel) else model.num_params,
        paper=f"{paper.title}, arXiv {paper.arxiv}" if paper.arxiv else paper.title or "-",
        published=[
            f"{r.corpus} ({r.num_classes}{'?' * (r.classes_source == 'assumed')}) {r.value:g}"
            + ("" if r.metric == "accuracy" else f" {r.metric}")
            for r in paper.results
        ],
        protocol=paper.protocol_note,
        variant=spec.variant,
        needs=needs,
        lacking=lacking,
        hub=list(HUB_NAMES) if SystemFacts.HUB in lacking or "ImageNet" in lacking else [],
    )


def _applicable(name: str, settings: Sequence[str]) -> list[str]:
    """Those of ``settings`` whose section this space has: a weights' path belongs to one system."""
    known = SearchSpec.load(name).base.fields()
    return [text for text in settings if text.partition("=")[0] in known]


def _weights(spec: SearchSpec) -> tuple[bool, str]:
    """Whether it needs weights from outside, and what of that is lacking, if anything."""
    sections = [spec.model, *spec.base.features.values()]
    if not any("weights" in type(section).model_fields for section in sections):
        return False, ""
    try:
        check_prerequisites(spec)
    except UserError as error:
        return True, str(error)
    return True, ""
