"""From facts of machines to findings: versions, torch, GPUs, room, clocks."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from packaging.requirements import Requirement

from raysearch.service.doctor.facts import NodeFacts, RayNode
from raysearch.service.doctor.findings import Finding, Level, grouped, listed

__all__ = [
    "Offset",
    "assess_clocks",
    "assess_gpus",
    "assess_pins",
    "assess_processors",
    "assess_room",
    "assess_torch",
    "assess_versions",
]

# A lease lasts 60 s: raysearch.storage.object_lease.
CLOCK_WARN_S, CLOCK_FAIL_S = 1.0, 30.0
MEMORY_WARN_GIB = 4.0
SHM_WARN_GIB = 1.0
DISK_WARN_GIB, DISK_FAIL_GIB = 10.0, 1.0
FILES_WARN, FILES_FAIL = 8192, 1024


@dataclass(frozen=True, slots=True)
class Offset:
    """A clock less ours, and what of it the way there and back may explain."""

    seconds: float
    uncertainty_s: float

    @property
    def certain_s(self) -> float:
        """The least by which the clock is off."""
        return max(0.0, abs(self.seconds) - self.uncertainty_s)


def assess_versions(facts: Mapping[str, NodeFacts]) -> Iterator[Finding]:
    """Whether all machines have the same ones; every difference is a line."""
    first = next(iter(facts.values())).versions
    alike = True
    for package in first:
        groups = grouped({name: node.versions.get(package) for name, node in facts.items()})
        if len(groups) == 1:
            continue
        alike = False
        what = "raysearch's sources" if package == "sources" else package
        told = "; ".join(f"{value or 'none'} on {listed(who)}" for value, who in groups.items())
        yield Finding(
            "failed",
            "versions",
            f"{what} differs: {told}",
            "install the same package and constraints.txt on every node, then restart Ray there",
        )
    if alike:
        number = f"alike on {len(facts)} machines: " if len(facts) > 1 else ""
        yield Finding("ok", "versions", number + _shown(first))


def _shown(versions: Mapping[str, str | None]) -> str:
    own = f"raysearch {versions['raysearch']} (sources {versions['sources']})"
    rest = (f"{k} {v or 'none'}" for k, v in versions.items() if k not in ("raysearch", "sources"))
    return ", ".join([own, *rest])


def assess_pins(requirements: Sequence[str], installed: Mapping[str, str | None]) -> Finding:
    """Whether what is installed is what raysearch's package asks for.

    Args:
        requirements: as in a wheel's metadata, ``torch==2.11.0``; extras are left out.
        installed: version by package's name; None where it is missing.
    """
    wrong, counted = [], 0
    for text in requirements:
        wanted = Requirement(text)
        if wanted.marker is not None and not wanted.marker.evaluate({"extra": ""}):
            continue
        counted += 1
        version = installed.get(wanted.name)
        if version is None:
            wrong.append(f"{wanted.name} is missing")
        elif not wanted.specifier.contains(version, prereleases=True):
            wrong.append(f"{wanted.name} {version} instead of {wanted.specifier}")
    if not wrong:
        return Finding("ok", "packages", f"{counted} required packages are there as asked for")
    advice = "pip install -c constraints.txt raysearch, in an environment of its own"
    return Finding("failed", "packages", listed(wrong), advice)


def assess_torch(facts: Mapping[str, NodeFacts]) -> Finding:
    """Report whether torch and torchaudio can be imported."""
    for name, node in facts.items():
        version = node.versions.get("torch")
        if node.torch.error:
            advice = f"reinstall torch {version} there; on a slow file system try again"
            return Finding("failed", "torch", f"{name}: {node.torch.error}", advice)
        if node.torch.audio_error:
            advice = f"torchaudio must be built for torch {version}: take both from one index"
            text = f"{name}: torchaudio cannot be imported: {node.torch.audio_error}"
            return Finding("failed", "torch", text, advice)
    return Finding("ok", "torch", "torch and torchaudio can be imported")


def assess_gpus(
    facts: Mapping[str, NodeFacts], ray_nodes: Mapping[str, RayNode] | None = None
) -> Iterator[Finding]:
    """Whether torch can use the GPUs that are there, and that Ray counts.

    Args:
        facts: by machine.
        ray_nodes: the same machines as Ray counts them.
    """
    found: dict[str, object] = {}
    unknown = False
    for name, node in facts.items():
        counted = ray_nodes[name].gpus if ray_nodes else None
        trouble = _gpu_trouble(name, node, counted)
        unknown = unknown or bool(trouble or node.torch.error)
        if trouble:
            yield trouble
        elif node.torch.gpus:
            gpu = node.torch.gpus[0]
            found[name] = f"{len(node.torch.gpus)} x {gpu.name} ({gpu.memory_gib:.0f} GiB)"
    groups = grouped(found).items()
    several = len(facts) > 1
    told = [f"{what} on {listed(who)}" if several else str(what) for what, who in groups]
    if told:
        yield Finding("ok", "gpus", "; ".join(told) + ", each ran a small product")
    elif not unknown:
        yield Finding("ok", "gpus", "none: training runs on CPUs")


def _gpu_trouble(name: str, node: NodeFacts, counted: float | None) -> Finding | None:
    seen = len(node.torch.gpus)
    if node.torch.error:
        return None  # told by assess_torch
    for index, gpu in enumerate(node.torch.gpus):
        if gpu.error:
            text = f"{name}: GPU {index} ({gpu.name}) runs nothing: {gpu.error}"
            return Finding("failed", "gpus", text, "see nvidia-smi there; a reboot may be needed")
    if not seen and (node.nvidia_driver or counted):
        said = f": {node.torch.cuda_warning}" if node.torch.cuda_warning else ""
        driver = f"driver {node.nvidia_driver}" if node.nvidia_driver else "no NVIDIA driver"
        text = f"{name}: torch {node.versions.get('torch')} sees no GPU ({driver}){said}"
        return Finding("failed", "gpus", text, "update the driver, or install torch with CUDA")
    if counted is not None and counted > seen:
        text = f"{name}: Ray counts {counted:g} GPUs, torch sees {seen}"
        return Finding("failed", "gpus", text, "start Ray there with --num-gpus as torch sees them")
    if counted is not None and counted < seen:
        text = f"{name}: Ray counts {counted:g} of {seen} GPUs: the others stay idle"
        return Finding("warning", "gpus", text, "restart Ray there without --num-gpus")
    return None


def assess_processors(facts: Mapping[str, NodeFacts]) -> Finding:
    """Report the CPUs, and whether bfloat16 pays on them, as information alone."""
    number = sum(node.num_cpus for node in facts.values())
    flags = set.intersection(*(set(node.cpu_flags) for node in facts.values()))
    if "amx_bf16" in flags or "avx512_bf16" in flags:
        words = f"bfloat16 in hardware ({', '.join(sorted(flags & {'amx_bf16', 'avx512_bf16'}))})"
    else:
        words = "no bfloat16 in hardware" + ("" if len(facts) == 1 else " that all of them have")
    return Finding("ok", "cpus", f"{number} usable; {words}")


def assess_room(
    facts: Mapping[str, NodeFacts], ray_nodes: Mapping[str, RayNode] | None = None
) -> Iterator[Finding]:
    """Whether memory, shared memory, disk and file descriptors are enough."""
    fine = True
    for name, node in facts.items():
        store = ray_nodes[name].object_store_gib if ray_nodes else 0.0
        for finding in _room(name, node, store):
            fine = False
            yield finding
    if fine:
        nodes = list(facts.values())
        least = " at least" if len(nodes) > 1 else ""
        yield Finding(
            "ok",
            "room",
            f"memory {min(n.memory_gib for n in nodes):.0f} GiB, /dev/shm"
            f" {min(n.shm_gib for n in nodes):.0f} GiB, disk"
            f" {min(min(n.disk_gib.values()) for n in nodes):.0f} GiB free{least};"
            f" {min(n.max_files for n in nodes)} open files",
        )


def _room(name: str, node: NodeFacts, object_store_gib: float) -> Iterator[Finding]:
    if node.memory_gib < MEMORY_WARN_GIB:
        text = f"{name}: {node.memory_gib:.1f} GiB of memory are free"
        yield Finding("warning", "memory", text, "a worker takes about 1 GiB, and its model")
    # What the store already holds lies in /dev/shm, too, so a full store is no finding.
    if node.shm_gib < min(SHM_WARN_GIB, object_store_gib or SHM_WARN_GIB):
        text = f"{name}: {node.shm_gib:.1f} GiB of /dev/shm are free"
        advice = "give the container --shm-size, or Ray a smaller --object-store-memory"
        yield Finding("warning", "/dev/shm", text, advice)
    for folder, free in node.disk_gib.items():
        if free < DISK_WARN_GIB:
            text = f"{name}: {free:.1f} GiB of disk are free below {folder}"
            level: Level = "failed" if free < DISK_FAIL_GIB else "warning"
            yield Finding(level, "disk", text, "remove old runs, or choose another disk")
    if node.max_files < FILES_WARN:
        text = f"{name}: a process may open {node.max_files} files"
        limit: Level = "failed" if node.max_files < FILES_FAIL else "warning"
        advice = "raise the hard limit to 65536 (ulimit -Hn, or LimitNOFILE of the service)"
        yield Finding(limit, "files", text, advice)


def assess_clocks(offsets: Mapping[str, Offset], whose: str) -> Iterator[Finding]:
    """Whether clocks agree with this machine's well enough for leases and ledgers.

    Args:
        offsets: by the name of what has the clock.
        whose: all of them in words.
    """
    late = {name: offset for name, offset in offsets.items() if offset.certain_s > CLOCK_WARN_S}
    for name, offset in late.items():
        side = "ahead of" if offset.seconds > 0 else "behind"
        text = f"{name}: {abs(offset.seconds):.1f} s {side} this machine's clock"
        level: Level = "failed" if offset.certain_s > CLOCK_FAIL_S else "warning"
        yield Finding(level, "clocks", text, "run chrony or systemd-timesyncd on both")
    if offsets and not late:
        most = max(offsets.values(), key=lambda offset: abs(offset.seconds))
        within_s = max(0.001, abs(most.seconds) + most.uncertainty_s)
        text = f"{whose} within {within_s:.2g} s of this machine's"
        yield Finding("ok", "clocks", text)
