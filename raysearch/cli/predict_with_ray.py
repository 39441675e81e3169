"""Prediction with Ray's help, loaded where there are many recordings or a cluster is named."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from raysearch.features.audio import AudioError
from raysearch.inference.recognition import Features
from raysearch.inference.recordings import Recording
from raysearch.ray_cluster.session import cluster_session
from raysearch.serving.spread_features import spread_features

__all__ = ["features_from_ray"]


@contextmanager
def features_from_ray(
    address: str | None, folder: Path, recordings: Sequence[Recording]
) -> Iterator[Iterator[Features | AudioError]]:
    """Each recording's features as a Ray computes them, for the duration of a ``with``.

    Args:
        address: of a cluster; None for a private Ray on this machine's CPUs, whatever
            ``RAY_ADDRESS`` is: its nodes may not see the recordings.
        folder: the model's ``best/``.
        recordings: the files.
    """
    with (
        tempfile.TemporaryDirectory(prefix="raysearch-") as logs,
        cluster_session(address or "local", Path(logs)) as session,
        closing(spread_features(session, folder, recordings)) as features,
    ):
        yield features
