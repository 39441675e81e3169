"""From facts of a whole cluster to findings: nodes, storage, bandwidth, exposure."""

import ipaddress
from collections.abc import Iterator, Mapping, Sequence

from raysearch.ray_cluster.token_check import Answer
from raysearch.service.doctor.all_reduce import bus_bandwidth
from raysearch.service.doctor.facts import Listener, NodeStorage, RayNode, StoreFacts
from raysearch.service.doctor.findings import Finding, listed

__all__ = [
    "assess_bandwidth",
    "assess_lost",
    "assess_nodes",
    "assess_ports",
    "assess_storage",
    "assess_token",
    "is_open",
]

SLOW_GB_S = 0.125  # 1 Gbit/s


def assess_nodes(nodes: Sequence[RayNode], num_dead: int) -> Finding:
    """Report which nodes live, and whether anything can be trained on them."""
    cpus, gpus = sum(node.cpus for node in nodes), sum(node.gpus for node in nodes)
    number = f"{len(nodes)} living node" + ("s" if len(nodes) != 1 else "")
    gone = f", {num_dead} dead" if num_dead else ""
    text = f"{number}{gone}: {cpus:g} CPUs, {gpus:g} GPUs"
    if cpus or gpus:
        return Finding("ok", "nodes", text)
    return Finding(
        "warning",
        "nodes",
        text + ": no node that can train is up, and what an autoscaler would add is not checked",
        "check again while a search runs, or ask for nodes with min_workers",
    )


def assess_lost(lost: Mapping[str, str]) -> Iterator[Finding]:
    """Report the nodes that stopped answering."""
    for name, why in lost.items():
        advice = "see `ray status`; restart Ray there, or take the node out of the cluster"
        yield Finding("failed", "nodes", f"{name}: {why}", advice)


def assess_storage(store: StoreFacts, nodes: Mapping[str, NodeStorage]) -> Iterator[Finding]:
    """Whether the driver and every node write and read the same storage."""
    if store.error:
        advice = "check that it exists, and may be written by this user and these credentials"
        yield Finding("failed", "storage", f"{store.place}: {store.error}", advice)
        return
    broken = [name for name, node in nodes.items() if node.error]
    if broken:
        text = f"{store.place}: {listed(broken)}: {nodes[broken[0]].error}"
        advice = "the node itself needs the mount or the credentials"
        yield Finding("failed", "storage", text, advice)
    apart = [n for n, node in nodes.items() if not node.error and not _shared(node)]
    if apart:
        text = f"{store.place}: {listed(apart)} and this machine do not see each other's files"
        advice = "give --storage a folder that all nodes mount at this path, s3:// or gs://"
        yield Finding("failed", "storage", text, advice)
    unlocked = [n for n, node in nodes.items() if node.locked_out is False and n not in apart]
    if unlocked:
        text = f"{store.place}: a lock held here does not keep {listed(unlocked)} out"
        advice = "mount with locks (NFS 4, no nolock), or start a run from one machine alone"
        yield Finding("warning", "storage", text, advice)
    if store.conditional is False:
        text = f"{store.place}: an object that is there can be created again: leases do not hold"
        yield Finding("failed", "storage", text, "use a store with conditional writes")
    elif not (broken or apart or unlocked):
        yield Finding("ok", "storage", _storage_told(store, len(nodes)))


def _shared(node: NodeStorage) -> bool:
    return node.seen and node.came_back


def _storage_told(store: StoreFacts, num_nodes: int) -> str:
    who = f"this machine and {num_nodes} node" + ("s" if num_nodes != 1 else "")
    text = f"{store.place}: {'writable' if not num_nodes else f'shared and writable by {who}'}"
    text += ", creates conditionally" if store.conditional else ""
    return text + (f", {store.free_gib:.0f} GiB free" if store.free_gib is not None else "")


def assess_bandwidth(
    backend: str, num_bytes: int, answers: Mapping[str, Mapping[str, object]]
) -> Finding:
    """Report how fast gradients can be summed between the nodes that gave ``answers``."""
    for name, answer in answers.items():
        if answer.get("error"):
            advice = "open all ports between nodes; set NCCL_SOCKET_IFNAME or GLOO_SOCKET_IFNAME"
            text = f"{backend} all-reduce, {name}: {answer['error']}"
            return Finding("failed", "bandwidth", text, advice)
    seconds = max(float(str(answer["seconds"])) for answer in answers.values())
    speed = bus_bandwidth(num_bytes, seconds, len(answers))
    text = (
        f"{backend} all-reduce of {num_bytes / 2**20:.0f} MiB over {len(answers)} nodes:"
        f" {1000 * seconds:.0f} ms, bus {speed:.3g} GB/s ({8 * speed:.3g} Gbit/s)"
    )
    if speed < SLOW_GB_S:
        advice = "keep a trial's workers on one node (--workers 1), or mend the network"
        return Finding("warning", "bandwidth", text, advice)
    return Finding("ok", "bandwidth", text)


def assess_token(answers: Mapping[str, Answer]) -> Finding:
    """Report how each port answers a call without a token."""
    open_ports = [port for port, answer in answers.items() if answer == "answered"]
    if open_ports:
        text = f"{listed(open_ports)} answered without a token: whoever reaches a port of this"
        text += " cluster can run any code on every node, as the user Ray runs as"
        advice = "restart Ray with RAY_AUTH_MODE=token on every node; until then let nobody near"
        return Finding("warning", "token", text, advice)
    refused = [port for port, answer in answers.items() if answer == "refused"]
    if refused:
        return Finding("ok", "token", f"{listed(refused)} refuse a call without it")
    return Finding("skipped", "token", "no port answers in the clear")


def assess_ports(listeners: Mapping[str, Sequence[Listener]]) -> Iterator[Finding]:
    """Report which of Ray's ports can be reached from other machines."""
    for name, found in listeners.items():
        if ports := _ports(found, "dashboard"):
            text = f"{name}: the dashboard listens beyond loopback ({listed(ports)})"
            advice = "start the head with --dashboard-host=127.0.0.1; reach it by `ray dashboard`"
            yield Finding("warning", "ports", text, advice)
    counts = {
        name: sum(is_open(one) for one in found) for name, found in listeners.items() if found
    }
    if not counts:
        yield Finding("skipped", "ports", "processes of Ray are another user's: nothing to see")
    elif not any(counts.values()):
        yield Finding("ok", "ports", "all of Ray's ports are on loopback alone")
    else:
        most = max(counts, key=lambda name: counts[name])
        roles = sorted({one.process for one in listeners[most] if is_open(one)})
        told = (f"{role} {listed(_ports(listeners[most], role))}" for role in roles)
        text = f"beyond loopback, {most}: {'; '.join(told)}"
        text += f" (of {len(counts)} nodes)" if len(counts) > 1 else ""
        yield Finding(
            "ok",
            "ports",
            text + "; nothing of it is encrypted: keep them within a closed network",
        )


def _ports(listeners: Sequence[Listener], process: str) -> list[str]:
    ports = {one.port for one in listeners if one.process == process and is_open(one)}
    return [str(port) for port in sorted(ports)]


def is_open(listener: Listener) -> bool:
    """Whether another machine may reach it, firewalls aside."""
    return not ipaddress.ip_address(listener.address.partition("%")[0]).is_loopback
