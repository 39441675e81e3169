"""Which features a search, or a training of its own, asks for."""

from collections.abc import Sequence
from dataclasses import dataclass

from raysearch.config.search import SearchConfig
from raysearch.features.extractor import FeatureConfig
from raysearch.partner import partner_config, partner_of
from raysearch.prerequisites import feature_sets
from raysearch.spec import SearchSpec
from raysearch.trial_config import TrialConfig

__all__ = ["WantedFeatures"]


@dataclass(frozen=True)
class WantedFeatures:
    """The feature sets to compute.

    Attributes:
        sets: each the streams that one trial reads together, by name.
        cells: augmentations of which each recording is wanted as well.
        plain: further streams, of the recordings as they are: those of a partner on functionals.
    """

    sets: Sequence[dict[str, FeatureConfig]]
    cells: Sequence[str] = ()
    plain: Sequence[tuple[str, FeatureConfig]] = ()

    @classmethod
    def of_search(cls, spec: SearchSpec) -> "WantedFeatures":
        """All that a trial of ``spec``, or its final model, can ask for."""
        cells = spec.base.waveform_augment.bank
        return cls(feature_sets(spec), cells, _streams(partner_config(spec)))

    @classmethod
    def of_trial(cls, config: TrialConfig, search: SearchConfig | None = None) -> "WantedFeatures":
        """What one training reads, and the partner that ``search`` may give it."""
        partner = partner_of(search, config) if search else None
        return cls([config.used_features], config.waveform_augment.bank, _streams(partner))

    def streams(self) -> list[tuple[str, FeatureConfig, Sequence[str]]]:
        """Every stream with its augmentations, those of the sets first."""
        of_sets = [(*item, self.cells) for streams in self.sets for item in streams.items()]
        return [*of_sets, *((name, config, ()) for name, config in self.plain)]


def _streams(config: TrialConfig | None) -> list[tuple[str, FeatureConfig]]:
    return [] if config is None else list(config.used_features.items())
