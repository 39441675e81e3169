"""What all tests share: who runs beside whom, no time limits on examples, and an S3 server."""

import pytest
from hypothesis import HealthCheck, settings

# A busy machine makes any example late. The examples are the same in every run, so that a check
# fails for what was changed.
settings.register_profile(
    "untimed", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("untimed")

# The dear fixture of several files: one process makes it for all of them.
SHARED = "finals"


def pytest_collection_modifyitems(items):
    """Group tests for ``--dist loadgroup``: a file's share its fixtures, a page of docs none."""
    for item in items:
        if SHARED in item.fixturenames:
            item.add_marker(pytest.mark.xdist_group(SHARED))
        elif item.path.parent.name != "docs":
            item.add_marker(pytest.mark.xdist_group(item.path.name))


@pytest.fixture(scope="session")
def s3_server():
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def bucket(s3_server, monkeypatch):
    """The URL of a bucket on it."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3_server)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    import boto3

    boto3.client("s3", region_name="us-east-1").create_bucket(Bucket="raysearch")
    return "s3://raysearch"
