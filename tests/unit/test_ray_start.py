"""A Ray that does not start is told in one line."""

import os

import pytest
import ray

from raysearch.errors import InfrastructureError
from raysearch.ray_cluster.session import cluster_session


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (Exception("\nERROR: the port is taken\nmore of a log"), "ERROR: the port is taken"),
        (Exception("Failed to start a dashboard."), "Failed to start a dashboard."),
        (RuntimeError("no shared memory"), "no shared memory"),
        (Exception(), "Exception"),
    ],
)
def test_whatever_ray_raises_is_told_in_one_line(monkeypatch, tmp_path, error, told):
    def fails(**options):
        raise error

    monkeypatch.setattr(os, "environ", os.environ.copy())
    monkeypatch.setattr(ray, "init", fails)
    with (
        pytest.raises(InfrastructureError) as raised,
        cluster_session(None, tmp_path),
    ):
        pass
    assert str(raised.value) == f"Ray did not start: {told}"
