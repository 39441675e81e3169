"""Whether this machine, or a Ray cluster, is fit for a search: one finding a check."""

import importlib.metadata
import os
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import ray
from packaging.requirements import Requirement

from raysearch.ray_cluster.session import ClusterSession, cluster_session
from raysearch.ray_cluster.token_check import GCS_METHOD, RAYLET_METHOD, Answer, ask
from raysearch.service.doctor import all_reduce, torch_probe
from raysearch.service.doctor.cluster_findings import (
    assess_bandwidth,
    assess_lost,
    assess_nodes,
    assess_ports,
    assess_storage,
    assess_token,
)
from raysearch.service.doctor.facts import NodeFacts, RayNode, StoreFacts
from raysearch.service.doctor.findings import Finding
from raysearch.service.doctor.node_findings import (
    Offset,
    assess_clocks,
    assess_gpus,
    assess_pins,
    assess_processors,
    assess_room,
    assess_torch,
    assess_versions,
)
from raysearch.service.doctor.node_probe import NodeProbe
from raysearch.service.doctor.probes import Probes, named_nodes, probes_on
from raysearch.service.doctor.start_check import check_start
from raysearch.service.doctor.storage_probe import node_storage, opened
from raysearch.storage.objects import is_url

__all__ = ["check_cluster", "check_machine"]

THIS = "this machine"
GPU_BYTES, CPU_BYTES = 256 * 2**20, 64 * 2**20
# The store's clock is known to the second: S3 says no more.
STORE_CLOCK_S = 1.5


def check_machine(storage: str, timeout_s: float) -> Iterator[Finding]:
    """Check what a search on this machine alone needs; Ray is not started.

    Args:
        storage: folder or URL.
        timeout_s: for the import of torch and a sum on each GPU.
    """
    yield from check_start()
    facts = {THIS: _look_here(storage, timeout_s)}
    versions = facts[THIS].versions
    yield from assess_versions(facts)
    wanted = importlib.metadata.requires("raysearch") or []
    yield assess_pins(wanted, {**_installed(wanted), **versions})
    yield assess_torch(facts)
    yield from assess_gpus(facts)
    yield assess_processors(facts)
    yield from assess_room(facts)
    with opened(storage) as probe:
        yield from assess_storage(probe.facts, {})
        yield from _store_clock(probe.facts)


def check_cluster(address: str, storage: str, timeout_s: float) -> Iterator[Finding]:
    """Check what a search on the cluster needs, asked on every living node.

    Args:
        address: of the cluster.
        storage: folder or URL, the same for all nodes.
        timeout_s: a node that takes longer for one answer is lost.

    Raises:
        InfrastructureError: no cluster answers there, or it refuses this process.
    """
    with (
        tempfile.TemporaryDirectory(prefix="raysearch-doctor-") as logs,
        cluster_session(address, Path(logs)) as session,
    ):
        known = ray.nodes()
        nodes = named_nodes(known)
        yield assess_nodes(nodes, len(known) - len(nodes))
        with probes_on(nodes, timeout_s) as probes:
            yield from _check_nodes(probes, session, storage)
            yield from _check_storage(probes, storage)
            yield _check_bandwidth(probes)
            yield from assess_lost(probes.lost)
            yield assess_token(_without_token(session, list(probes.nodes.values())))


def _check_nodes(probes: Probes, session: ClusterSession, storage: str) -> Iterator[Finding]:
    folder = Path(session.log_folder).parent
    folders = [str(folder), *([] if is_url(storage) else [str(Path(storage).absolute())])]
    text = _text(torch_probe)
    # The torch import has to fit into the answer's time.
    limit_s = 0.8 * probes.timeout_s
    answers = probes.ask("look", lambda node: (folder.name, folders, text, limit_s))
    facts = {name: NodeFacts.from_plain(answer) for name, answer in answers.items()}
    if not facts:
        return
    yield from assess_versions({**facts, THIS: _look_here(storage, limit_s)})
    yield assess_torch(facts)
    yield from assess_gpus(facts, probes.nodes)
    yield assess_processors(facts)
    yield from assess_room(facts, probes.nodes)
    yield from assess_clocks(probes.clocks(), "the nodes'")
    yield from assess_ports({name: node.listeners for name, node in facts.items()})


def _check_storage(probes: Probes, storage: str) -> Iterator[Finding]:
    with opened(storage) as probe:
        facts = probe.facts
        answers: dict[str, Any] = {}
        if not facts.error:
            given = probe.folder, probe.token
            answers = probes.ask("exchange", lambda node: (facts.place, *given, node.id))
        seen = {
            name: node_storage(probe, probes.nodes[name].id, answer)
            for name, answer in answers.items()
        }
        yield from assess_storage(facts, seen)
        yield from _store_clock(facts)


def _check_bandwidth(probes: Probes) -> Finding:
    """An all-reduce between the nodes that would train, a rank each."""
    nodes = list(probes.nodes.values())
    ranks = [node for node in nodes if node.gpus] or [node for node in nodes if node.cpus]
    if len(ranks) < 2:
        return Finding("skipped", "bandwidth", "fewer than two nodes that can train answer")
    backend, size = ("nccl", GPU_BYTES) if ranks[0].gpus else ("gloo", CPU_BYTES)
    first = ranks[0]
    ports = probes.ask("free_port", among=[first.name])
    if first.name not in ports:
        return Finding("skipped", "bandwidth", f"{first.name} does not answer")
    limit_s = int(0.8 * probes.timeout_s)
    number = {node.name: rank for rank, node in enumerate(ranks)}
    common = map(str, (len(ranks), first.address, ports[first.name], backend, size, limit_s))
    told, text = list(common), _text(all_reduce)
    answers = probes.ask(
        "run", lambda node: (text, [str(number[node.name]), *told], limit_s), list(number)
    )
    missing = {name: {"error": probes.lost[name]} for name in number if name not in answers}
    return assess_bandwidth(backend, size, {**answers, **missing})


def _without_token(session: ClusterSession, nodes: Sequence[RayNode]) -> dict[str, Answer]:
    answers: dict[str, Answer] = {f"GCS {session.address}": ask(session.address, GCS_METHOD)}
    for node in nodes:
        port = f"{node.address}:{node.raylet_port}"
        answers[f"raylet {port}"] = ask(port, RAYLET_METHOD)
    if session.dashboard_url:
        answers[f"dashboard {session.dashboard_url}"] = _ask_dashboard(session.dashboard_url)
    return answers


def _ask_dashboard(url: str) -> Answer:
    try:
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with direct.open(f"http://{url}/api/jobs/", timeout=5):
            return "answered"
    except urllib.error.HTTPError as error:
        return "refused" if error.code in (401, 403) else "answered"
    except OSError:
        return "silent"


def _look_here(storage: str, timeout_s: float) -> NodeFacts:
    folders = [tempfile.gettempdir(), os.getcwd() if is_url(storage) else storage]
    return NodeFacts.from_plain(NodeProbe().look(None, folders, _text(torch_probe), timeout_s))


def _store_clock(facts: StoreFacts) -> Iterator[Finding]:
    if facts.clock_s is not None:
        yield from assess_clocks(
            {facts.place: Offset(facts.clock_s, STORE_CLOCK_S)}, "the storage's"
        )


def _installed(requirements: Sequence[str]) -> Mapping[str, str | None]:
    found: dict[str, str | None] = {}
    for name in {Requirement(text).name for text in requirements}:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = None
    return found


def _text(module: Any) -> str:
    return Path(module.__file__).read_text(encoding="utf-8")
