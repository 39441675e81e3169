"""One Ray for all tests that need one: two CPUs, on loopback, gone at the end."""

import os
from pathlib import Path

import pytest
from final_models import run_with_finals

from raysearch.ray_cluster.session import cluster_session


@pytest.fixture(scope="session")
def cluster(tmp_path_factory):
    # Workers import this folder's model by its name, as they would a user's own.
    os.environ["PYTHONPATH"] = str(Path(__file__).parent)
    with cluster_session(None, tmp_path_factory.mktemp("logs"), num_cpus=2) as session:
        yield session
    del os.environ["PYTHONPATH"]


@pytest.fixture(scope="session")
def storage(tmp_path_factory):
    """Where the demo corpus and its features are made once for all tests."""
    return tmp_path_factory.mktemp("storage")


@pytest.fixture(scope="session")
def finals(cluster, storage):
    """A run that has a final model of each kind."""
    return run_with_finals(storage, cluster)
