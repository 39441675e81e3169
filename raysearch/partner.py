"""The plain model that a search's final model is averaged with."""

from dataclasses import replace

from raysearch.spec import SearchSpec
from raysearch.trial_config import TrialConfig

__all__ = ["partner_config"]

SPACE = "logistic"
# An encoder's statistics are thousands of numbers: the fewer recordings each has, the more weights
# must be held back. Linear probes of Whisper's did best at this, on two corpora.
ENCODED_C = 0.01


def partner_config(spec: SearchSpec) -> TrialConfig | None:
    """The plain model, on functionals, that a search's final model is averaged with.

    Where the searched model reads a frozen encoder's statistics, so does the plain one. It is
    transductive if the search is.

    Returns:
        ``None`` if late fusion is switched off, or if the plain model itself is searched.
    """
    if not spec.search.fusion or spec.search.final == "single":
        return None
    partner = SearchSpec.load(SPACE).base
    if spec.model.name == partner.model.name:
        return None
    partner = _with_encoder(partner, spec.base)
    if spec.training.by_speaker:
        return partner.replace({"training.normalise": spec.training.normalise})
    return partner


def _with_encoder(partner: TrialConfig, searched: TrialConfig) -> TrialConfig:
    """``partner``, reading the encoder's statistics too if ``searched`` does."""
    from raysearch.features.extractor_table import build_extractor

    stream = searched.used_features.get("ssl")
    if stream is None or build_extractor(stream).kind != "vector":
        return partner
    whole = replace(partner, features={**partner.features, "ssl": stream})
    inputs = f"{partner.fields()['model.inputs']}+ssl"
    return whole.replace({"model.inputs": inputs, "model.c": ENCODED_C})
