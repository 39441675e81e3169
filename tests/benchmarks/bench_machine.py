"""What a figure depends on beside the code: the machine and the versions."""

import os
import platform
import subprocess
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

__all__ = ["Machine", "commit", "machine_facts"]

PACKAGES = (
    "torch", "torchaudio", "ray", "optuna", "numpy", "pyarrow", "librosa", "timm", "faster-whisper",
)  # fmt: skip


@dataclass(frozen=True)
class Machine:
    """Where something was measured.

    Attributes:
        cpu: the processor's name.
        cores: that this process may use.
        memory_gib: of the machine.
        system: its kernel.
        python: the interpreter's version.
        versions: of what is installed of ``PACKAGES``.
        load: of the minute before; below 0.3 a core the machine was idle. Two machines are the
            same whatever their load.
    """

    cpu: str
    cores: int
    memory_gib: int
    system: str
    python: str
    versions: dict[str, str]
    load: float = field(default=0.0, compare=False)

    @classmethod
    def of(cls, told: "dict[str, object]") -> "Machine":
        """From what its JSON tells."""
        return cls(**told)  # type: ignore[arg-type]

    def words(self) -> str:
        """In a sentence."""
        versions = ", ".join(f"{name} {number}" for name, number in self.versions.items())
        return (
            f"{self.cpu}, {self.cores} cores, {self.memory_gib} GiB; {self.system}; "
            f"Python {self.python}, {versions}"
        )


def machine_facts() -> Machine:
    """This machine's."""
    installed = {name: found for name in PACKAGES if (found := _version(name))}
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return Machine(
        cpu=_cpu(),
        cores=len(os.sched_getaffinity(0)),
        memory_gib=round(memory / 2**30),
        system=f"{platform.system()} {platform.release().partition('-')[0]}",
        python=platform.python_version(),
        versions=installed,
        load=round(os.getloadavg()[0], 2),
    )


def commit() -> str:
    """The code's short commit, with ``+`` if files differ from it; empty if git tells none."""
    folder = Path(__file__).parent
    told = ["git", "-C", str(folder), "describe", "--always", "--exclude=*", "--dirty=+"]
    try:
        done = subprocess.run(told, capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip()


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def _cpu() -> str:
    facts = Path("/proc/cpuinfo")
    lines = facts.read_text().splitlines() if facts.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
