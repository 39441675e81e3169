"""The plain model that a search's final model is averaged with."""

from dataclasses import replace

from raysearch.config.search import SearchConfig
from raysearch.features.extractor_table import build_extractor
from raysearch.spec import SearchSpec
from raysearch.trial_config import TrialConfig

__all__ = ["partner_config", "partner_of"]

SPACE = "logistic"
# An encoder's statistics are thousands of numbers: the fewer recordings each has, the more weights
# must be held back. Linear probes of Whisper's did best at this, on two corpora.
ENCODED_C = 0.01


def partner_config(spec: SearchSpec) -> TrialConfig | None:
    """The plain model, on functionals, that a search's final model is averaged with.

    Where the searched model reads a frozen encoder's statistics, so does the plain one. It is
    transductive if the search is.

    Returns:
        ``None`` if late fusion is switched off, if the plain model itself is searched, or if
        dimensions are predicted, which it is not solved for.
    """
    return partner_of(spec.search, spec.base)


def partner_of(search: SearchConfig, config: TrialConfig) -> TrialConfig | None:
    """The partner, as ``partner_config`` gives it, of a model of the settings ``config``."""
    if not search.fusion or search.final == "single" or config.training.by_dimensions:
        return None
    partner = SearchSpec.load(SPACE).base
    if config.model.name == partner.model.name:
        return None
    partner = _with_encoder(partner, config)
    if config.training.by_speaker:
        return partner.replace({"training.normalise": config.training.normalise})
    return partner


def _with_encoder(partner: TrialConfig, searched: TrialConfig) -> TrialConfig:
    """``partner``, reading the encoder's statistics too if ``searched`` does."""
    stream = searched.used_features.get("ssl")
    if stream is None or build_extractor(stream).kind != "vector":
        return partner
    whole = replace(partner, features={**partner.features, "ssl": stream})
    inputs = f"{partner.fields()['model.inputs']}+ssl"
    return whole.replace({"model.inputs": inputs, "model.c": ENCODED_C})
