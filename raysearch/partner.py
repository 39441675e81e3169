"""The plain model that a network's final model is averaged with."""

from raysearch.spec import SearchSpec
from raysearch.trial_config import TrialConfig

__all__ = ["partner_config"]

SPACE = "logistic"


def partner_config(spec: SearchSpec) -> TrialConfig | None:
    """The plain model on functionals that a network's final model is averaged with.

    ``None`` if that is switched off, or if the search is of such a model itself. It is
    transductive if the search is.
    """
    from raysearch.models.base import SolvedModel
    from raysearch.models.table import MODELS

    if not spec.search.fusion or spec.search.final == "single":
        return None
    if issubclass(MODELS.load(spec.model.name), SolvedModel):
        return None
    partner = SearchSpec.load(SPACE).base
    if spec.training.by_speaker:
        return partner.replace({"training.normalise": spec.training.normalise})
    return partner
