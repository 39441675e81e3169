"""What opens the data of a trial."""

from collections.abc import Mapping
from dataclasses import dataclass

from ray import ObjectRef

from raysearch.streaming.store import FeatureSource
from raysearch.streaming.tiers import Tier

__all__ = ["TrialFeatures"]


@dataclass(frozen=True, slots=True)
class TrialFeatures:
    """The features that a trial's settings read.

    Attributes:
        rows: a reference to a list of :class:`~raysearch.streaming.split_rows.SplitRows`, one for
            each inner split.
        sources: each stream's store.
        tier: where a worker holds the features.
    """

    rows: ObjectRef
    sources: Mapping[str, FeatureSource]
    tier: Tier
