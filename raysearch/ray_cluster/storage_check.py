"""Whether every node of a cluster sees the storage of a search, before anything is computed."""

import uuid
from pathlib import Path

import ray
from ray.exceptions import GetTimeoutError, RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from raysearch.errors import InfrastructureError, RaysearchError, first_line
from raysearch.ray_cluster.slot_broker import living_nodes
from raysearch.storage.replica import check_writable, open_storage, replica_of

__all__ = ["check_shared"]

TIMEOUT_S = 120.0


def check_shared(storage: Path) -> None:
    """Check that each living node sees what is written to ``storage``, and can write there.

    Raises:
        InfrastructureError: one does not; the message names it and says what to do.
    """
    replica = replica_of(storage)
    url = replica.objects.url if replica else ""
    probe = storage.absolute() / f".probe-{uuid.uuid4().hex}"
    probe.touch()
    look = ray.remote(num_cpus=0, max_retries=0)(_look)
    try:
        asked = {
            node["NodeManagerAddress"]: look.options(
                scheduling_strategy=NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
            ).remote(str(probe), url)
            for node in living_nodes()
        }
        for address, answer in asked.items():
            if said := _answer(answer):
                raise InfrastructureError(f"node {address}: {said}")
    finally:
        probe.unlink(missing_ok=True)


def _answer(answer: "ray.ObjectRef[str]") -> str:
    try:
        said: str = ray.get(answer, timeout=TIMEOUT_S)
        return said
    except GetTimeoutError:
        return f"no answer within {TIMEOUT_S:g} s; see ray status"
    except RayError as error:
        return f"cannot be asked: {first_line(error)}"


def _look(probe: str, url: str) -> str:
    """What is wrong with the storage on this node; empty if nothing is."""
    path = Path(probe)
    try:
        if url:
            check_writable(open_storage(url))
        elif not path.exists():
            return (
                f"does not see what the driver writes to {path.parent}; give a --storage that all "
                "nodes share: a mounted folder, s3://BUCKET/PREFIX or gs://BUCKET/PREFIX"
            )
        else:
            check_writable(path.parent)
    except RaysearchError as error:
        return str(error)
    return ""
