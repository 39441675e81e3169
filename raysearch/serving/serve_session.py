"""Ray Serve for the duration of a ``with``: a model's replicas behind one address."""

import logging
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import ray
from ray import serve
from ray.exceptions import RayError

from raysearch.errors import InfrastructureError, ResourceError, UserError, first_line
from raysearch.ray_cluster.ray_internals import SERVE_CONTROLLER, SERVE_NAMESPACE
from raysearch.ray_cluster.resources import Node
from raysearch.ray_cluster.session import ClusterSession
from raysearch.serving.model_replica import MAX_ONGOING, HeldModel, ModelReplica, held_model
from raysearch.serving.packed_model import packed
from raysearch.serving.web_app import ServerFacts

__all__ = ["Place", "check_port", "check_room", "serving"]

_NAME = "raysearch"
# Ray Serve's own lines, which go where the rest of Ray's go.
_LOGGER = "ray.serve"
# A request that takes longer is given up; its recording may be as long as the limit lets it.
_TIMEOUT_S = 600
# Before the replicas, at each of them; more are told to come again.
_MAX_QUEUED = 64


@dataclass(frozen=True, slots=True)
class Place:
    """Where a server listens."""

    host: str
    port: int


@contextmanager
def serving(
    session: ClusterSession,
    folder: Path,
    facts: ServerFacts,
    place: Place,
    replicas: int,
    say: Callable[[str], None],
) -> Iterator[None]:
    """Serve the model of ``folder``; at the end nothing of it runs any more.

    Args:
        session: the connected Ray.
        folder: the ``best/`` folder.
        facts: what the server tells of itself.
        place: where it listens; on a cluster, its head node does.
        replicas: processes with the model, each on a CPU.
        say: is told what a user waits for.

    Raises:
        UserError: Ray Serve already runs on the cluster.
        InfrastructureError: it did not start.
    """
    logger = logging.getLogger(_LOGGER)
    logger.handlers, logger.propagate = [], True
    _check_unserved()
    with ExitStack() as held:
        source: str | HeldModel = str(folder.absolute())
        if not session.local:
            _say_lack(replicas, say)
            source = held.enter_context(held_model(packed(folder)))
        try:
            _deploy(session, source, facts, place, replicas)
            yield
        finally:
            serve.shutdown()


def _deploy(
    session: ClusterSession,
    source: str | HeldModel,
    facts: ServerFacts,
    place: Place,
    replicas: int,
) -> None:
    deployment = serve.deployment(
        serve.ingress()(ModelReplica),
        name=_NAME,
        num_replicas=replicas,
        max_ongoing_requests=MAX_ONGOING,
        max_queued_requests=_MAX_QUEUED * replicas,
        ray_actor_options={"num_cpus": 1},
        max_constructor_retry_count=2,
        graceful_shutdown_wait_loop_s=0.2,
        graceful_shutdown_timeout_s=10,
    )
    options = {"host": place.host, "port": place.port, "request_timeout_s": _TIMEOUT_S}
    try:
        serve.start(proxy_location="HeadOnly", http_options=options)
        serve.run(deployment.bind(source, facts), name=_NAME, route_prefix="/")
    except (RayError, RuntimeError, TimeoutError, ValueError) as error:
        why = first_line(getattr(error, "cause", None) or error)  # what one of its actors met
        raise InfrastructureError(
            f"Ray Serve did not start: {why.rstrip('.')}; its logs: {session.log_folder}/serve"
        ) from error


def check_room(node: Node, replicas: int) -> None:
    """Refuse more replicas than a private Ray on ``node`` has CPUs.

    Raises:
        ResourceError: it has fewer.
    """
    if node.cpus < replicas:
        raise ResourceError(
            f"--replicas {replicas}: each takes a CPU, and this machine grants {node.cpus:g}"
        )


def _say_lack(replicas: int, say: Callable[[str], None]) -> None:
    """On a cluster they wait: others may end, or an autoscaler add nodes."""
    free = int(ray.available_resources().get("CPU", 0))
    if free < replicas:
        say(f"waiting for CPUs: each replica takes one, and {free} of the cluster's are free")


def _check_unserved() -> None:
    """Ray Serve is there once a cluster, and listens where it was first told to."""
    try:
        ray.get_actor(SERVE_CONTROLLER, namespace=SERVE_NAMESPACE)
    except ValueError:
        return
    raise UserError(
        "Ray Serve already runs on this cluster, where it can listen at one address only: end what"
        " it serves first (`serve shutdown` does, on a node of it)"
    )


def check_port(place: Place) -> None:
    """Refuse a port of this machine that is taken, or an address that it does not have.

    Raises:
        UserError: nothing can listen there.
    """
    family = socket.AF_INET6 if ":" in place.host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((place.host, place.port))
        except OSError as error:
            raise UserError(
                f"--host {place.host} --port {place.port}: {(error.strerror or str(error)).lower()}"
                "; give another --port, or 0 for any that is free"
            ) from None
