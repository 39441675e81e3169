"""The plain model that a network's final model is averaged with."""

from dataclasses import replace

from raysearch.spec import SearchSpec
from raysearch.trial_config import TrialConfig

__all__ = ["partner_config"]

SPACE = "logistic"
# An encoder's statistics are thousands of numbers: the fewer recordings each has, the more weights
# must be held back. Linear probes of Whisper's did best at this, on two corpora.
ENCODED_C = 0.01


def partner_config(spec: SearchSpec) -> TrialConfig | None:
    """The plain model, on functionals, that a network's final model is averaged with.

    Where the network reads a frozen encoder's statistics, so does the plain model. ``None`` if
    late fusion is switched off, or if the search is of such a model itself. It is transductive if
    the search is.
    """
    from raysearch.models.base import SolvedModel
    from raysearch.models.table import MODELS

    if not spec.search.fusion or spec.search.final == "single":
        return None
    if issubclass(MODELS.load(spec.model.name), SolvedModel):
        return None
    partner = _with_encoder(SearchSpec.load(SPACE).base, spec.base)
    if spec.training.by_speaker:
        return partner.replace({"training.normalise": spec.training.normalise})
    return partner


def _with_encoder(partner: TrialConfig, network: TrialConfig) -> TrialConfig:
    """``partner``, reading the encoder's statistics too if ``network`` does."""
    from raysearch.features.table import build_extractor

    stream = network.used_features.get("ssl")
    if stream is None or build_extractor(stream).kind != "vector":
        return partner
    whole = replace(partner, features={**partner.features, "ssl": stream})
    inputs = f"{partner.fields()['model.inputs']}+ssl"
    return whole.replace({"model.inputs": inputs, "model.c": ENCODED_C})
