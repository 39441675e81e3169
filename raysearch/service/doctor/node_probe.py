"""Runs on each node, and here: finds facts, judges none.

Sent to the nodes by value, and so of the standard library and psutil alone: it must work where
raysearch is missing, or another version. What it returns are plain dicts.
"""

import fcntl
import hashlib
import importlib.metadata
import importlib.util
import json
import os
import re
import resource
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil

__all__ = ["NodeProbe"]

PACKAGES = ("ray", "torch", "torchaudio", "numpy", "pyarrow", "optuna")
CPU_FLAGS = ("avx2", "avx512f", "avx512_bf16", "amx_bf16")
GIB = 2**30
UNLIMITED = 2**20
# File systems of several machines may show what another wrote a little later.
PATIENCE_S = 5.0


class NodeProbe:
    """One node's answers; an actor there, a plain object here."""

    def clock(self) -> float:
        """Seconds since the epoch."""
        return time.time()

    def free_port(self) -> int:
        """A port that nobody has at this moment."""
        with socket.socket() as probe:
            probe.bind(("", 0))
            port: int = probe.getsockname()[1]
            return port

    def look(
        self, session: str | None, folders: list[str], torch_probe: str, limit_s: float
    ) -> dict[str, Any]:
        """The facts of ``raysearch.service.doctor.facts.NodeFacts``.

        Args:
            session: name of the Ray session whose ports are looked for.
            folders: where free space is wanted.
            torch_probe: text of ``raysearch.service.doctor.torch_probe``.
            limit_s: for that.
        """
        disk: dict[int, tuple[str, float]] = {}
        for folder in folders:
            found = _existing(Path(folder))
            disk.setdefault(found.stat().st_dev, (str(found), _free_gib(found)))
        return {
            "host": socket.gethostname(),
            "versions": _versions(),
            "num_cpus": len(os.sched_getaffinity(0)),
            "cpu_flags": _cpu_flags(),
            "memory_gib": _free_memory() / GIB,
            "shm_gib": _free_gib(Path("/dev/shm")) if Path("/dev/shm").is_dir() else 0.0,
            "disk_gib": dict(disk.values()),
            "max_files": _max_files(),
            "nvidia_driver": _nvidia_driver(),
            "listeners": list(_listeners(session)) if session else [],
            "torch": self.run(torch_probe, [], limit_s),
        }

    def run(self, text: str, arguments: list[str], limit_s: float) -> dict[str, Any]:
        """Run a Python text in a process of its own; what its last line says, or an ``error``."""
        command = [sys.executable, "-c", text, *arguments]
        try:
            done = subprocess.run(
                command,
                capture_output=True,
                text=True,
                timeout=limit_s,
                env=_environment(),
                check=False,
            )
        except subprocess.TimeoutExpired:
            return {"error": f"no answer within {limit_s:.0f} s"}
        try:
            answer = json.loads(done.stdout.splitlines()[-1])
            return dict(answer)
        except (ValueError, IndexError, TypeError):
            last = (done.stderr.strip() or f"ended with {done.returncode}").splitlines()[-1]
            return {"error": last}

    def exchange(self, place: str, folder: str, given: str, name: str) -> dict[str, Any]:
        """Read what the driver wrote into ``folder`` of the storage, and write ``name`` beside it.

        Args:
            place: a folder, or a URL.
            folder: the driver's own in it.
            given: what it wrote.
            name: what is written, and its content.
        """
        found: dict[str, Any] = {"error": None, "seen": False, "locked_out": None}
        try:
            if "://" in place:
                # A node may lack raysearch, which is then this question's answer alone.
                from raysearch.storage.objects import ObjectStore

                store = ObjectStore(place)
                store.reach()
                written = store.read(f"{folder}/driver")
                found["seen"] = written is not None and written.data.decode() == given
                store.write(f"{folder}/{name}", name.encode())
            else:
                found |= _exchange_files(Path(place) / folder, given, name)
        except Exception as error:
            text = str(error).strip() or type(error).__name__
            found["error"] = text.splitlines()[0]
        return found


def _exchange_files(folder: Path, given: str, name: str) -> dict[str, Any]:
    driver = folder / "driver"
    end = time.monotonic() + PATIENCE_S
    while not driver.exists() and time.monotonic() < end:
        time.sleep(0.2)
    if not driver.exists():
        return {"seen": False}  # another folder of the same name: nothing is made in it
    seen = driver.read_text() == given
    (folder / name).write_text(name)
    with driver.open("r+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return {"seen": seen, "locked_out": True}
    return {"seen": seen, "locked_out": False}


def _versions() -> dict[str, str | None]:
    versions: dict[str, str | None] = {"python": ".".join(map(str, sys.version_info[:2]))}
    found = importlib.util.find_spec("raysearch")
    folder = Path(found.origin).parent if found and found.origin else None
    versions["raysearch"] = _written_version(folder) if folder else None
    versions["sources"] = _hash(folder) if folder else None
    for package in PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            versions[package] = None
    return versions


def _written_version(package: Path) -> str:
    """From the sources: an edited checkout may carry another package's metadata."""
    text = (package / "__init__.py").read_text(encoding="utf-8")
    written = re.search(r'^__version__ = "(.+)"', text, re.MULTILINE)
    return written.group(1) if written else "unknown"


def _hash(package: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(package.rglob("*")):
        # A wheel has the shipped spaces inside, a checkout beside.
        if path.suffix in (".py", ".yaml") and path.parent.name != "search_spaces":
            digest.update(path.relative_to(package).as_posix().encode() + b"\0")
            digest.update(path.read_bytes() + b"\0")
    return digest.hexdigest()[:8]


def _cpu_flags() -> list[str]:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return []
    line = next((line for line in text.splitlines() if line.startswith("flags")), "")
    there = set(line.split())
    return [flag for flag in CPU_FLAGS if flag in there]


def _free_memory() -> float:
    """Bytes, the container's limit considered."""
    lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    free = next(float(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable"))
    try:
        group = Path("/sys/fs/cgroup")
        limit = float((group / "memory.max").read_text())
        used = float((group / "memory.current").read_text())
        stat = (group / "memory.stat").read_text().splitlines()
        cached = next(float(line.split()[1]) for line in stat if line.startswith("inactive_file "))
    except (OSError, ValueError, StopIteration):  # no such group, or no limit ("max")
        return free
    return min(free, limit - used + cached)


def _free_gib(folder: Path) -> float:
    stat = os.statvfs(folder)
    return stat.f_bavail * stat.f_frsize / GIB


def _existing(path: Path) -> Path:
    return next(folder for folder in (path, *path.absolute().parents) if folder.exists())


def _max_files() -> int:
    """The hard limit: Ray raises the soft one to it."""
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    return UNLIMITED if limit == resource.RLIM_INFINITY else limit


def _nvidia_driver() -> str | None:
    try:
        text = Path("/proc/driver/nvidia/version").read_text(encoding="utf-8")
    except OSError:
        return "of unknown version" if Path("/dev/nvidiactl").exists() else None
    found = re.search(r"\b\d{3,}\.\d+(\.\d+)?\b", text)
    return found.group(0) if found else "of unknown version"


def _environment() -> dict[str, str]:
    """Ours with the GPUs of the whole node: Ray hides them from a process that asked for none."""
    environment = dict(os.environ)
    raylet = next((p for p in psutil.Process().parents() if p.name() == "raylet"), None)
    if raylet is not None:
        environment.pop("CUDA_VISIBLE_DEVICES", None)
        try:
            given = raylet.environ().get("CUDA_VISIBLE_DEVICES")
        except psutil.Error:
            given = None
        if given is not None:
            environment["CUDA_VISIBLE_DEVICES"] = given
    return environment


def _listeners(session: str) -> Iterator[tuple[str, str, int]]:
    ours: dict[int, Any] = {}
    for process in psutil.process_iter():
        try:
            if any(session in argument for argument in process.cmdline()):
                ours |= {p.pid: p for p in (process, *process.children(recursive=True))}
        except psutil.Error:
            continue  # gone, or another user's
    for process in ours.values():
        try:
            name = _role(process.name(), process.cmdline())
            connections = process.net_connections("tcp")
        except psutil.Error:
            continue
        for connection in connections:
            if connection.status == psutil.CONN_LISTEN:
                yield name, connection.laddr.ip, connection.laddr.port


def _role(name: str, command: list[str]) -> str:
    if any("ray.util.client.server" in part for part in command):
        return "Ray Client server"
    if any(part.endswith("dashboard/dashboard.py") for part in command):
        return "dashboard"
    if name.startswith("ray::"):
        return "agent" if name.endswith("Agent") else "worker"
    return name
