"""What the doctor finds out: plain facts of a node, without any judgement."""

from dataclasses import dataclass
from typing import Any

__all__ = ["Gpu", "Listener", "NodeFacts", "NodeStorage", "RayNode", "StoreFacts", "TorchFacts"]


@dataclass(frozen=True, slots=True)
class Gpu:
    """One CUDA device; ``error`` is why a small sum did not run on it."""

    name: str
    memory_gib: float
    error: str | None = None


@dataclass(frozen=True, slots=True)
class TorchFacts:
    """What a fresh process finds out when it imports torch.

    Attributes:
        error: why torch, and so all of this, could not be had.
        audio_error: why torchaudio cannot be imported.
        cuda_warning: what CUDA said while it was looked for.
        gpus: the devices that torch sees.
    """

    error: str | None = None
    audio_error: str | None = None
    cuda_warning: str | None = None
    gpus: tuple[Gpu, ...] = ()


@dataclass(frozen=True, slots=True)
class Listener:
    """A TCP port on which a process of Ray waits for calls."""

    process: str
    address: str
    port: int


@dataclass(frozen=True, slots=True)
class NodeFacts:
    """What is known of one machine.

    Attributes:
        host: its own name.
        versions: of each package, ``None`` where it is missing; ``sources`` is a hash of
            raysearch's files.
        num_cpus: that this process may use.
        cpu_flags: instruction sets that matter here.
        memory_gib: free.
        shm_gib: free in /dev/shm.
        disk_gib: free below each folder that will be written.
        max_files: open file descriptors that a process may ask for.
        nvidia_driver: the kernel module's version.
        listeners: ports of the Ray instance that was asked about.
        torch: what torch sees.
    """

    host: str
    versions: dict[str, str | None]
    num_cpus: int
    cpu_flags: tuple[str, ...]
    memory_gib: float
    shm_gib: float
    disk_gib: dict[str, float]
    max_files: int
    nvidia_driver: str | None
    listeners: tuple[Listener, ...]
    torch: TorchFacts

    @classmethod
    def from_plain(cls, plain: dict[str, Any]) -> "NodeFacts":
        """From what ``raysearch.service.doctor.node_probe`` sends."""
        torch = dict(plain["torch"])
        gpus = tuple(Gpu(**gpu) for gpu in torch.pop("gpus", ()))
        listeners = tuple(Listener(*listener) for listener in plain["listeners"])
        flags = tuple(plain["cpu_flags"])
        own = {"torch": TorchFacts(**torch, gpus=gpus), "listeners": listeners, "cpu_flags": flags}
        return cls(**{**plain, **own})


@dataclass(frozen=True, slots=True)
class RayNode:
    """A living node as Ray counts it; ``name`` is unique in the cluster."""

    id: str
    name: str
    address: str
    cpus: float
    gpus: float
    object_store_gib: float
    raylet_port: int


@dataclass(frozen=True, slots=True)
class NodeStorage:
    """Whether one node sees the storage and can write to it.

    Attributes:
        error: why reading or writing failed.
        seen: it read what the driver had written.
        came_back: the driver read what it wrote.
        locked_out: a lock of the driver kept it out; None for objects, which have no locks.
    """

    error: str | None
    seen: bool
    came_back: bool
    locked_out: bool | None


@dataclass(frozen=True, slots=True)
class StoreFacts:
    """How the storage behaves from the driver's side.

    Attributes:
        place: the folder or URL.
        error: why it cannot be used.
        conditional: an object that is there is not created again; None for a folder.
        clock_s: the store's clock less ours; None for a folder.
        free_gib: of a folder.
    """

    place: str
    error: str | None = None
    conditional: bool | None = None
    clock_s: float | None = None
    free_gib: float | None = None
