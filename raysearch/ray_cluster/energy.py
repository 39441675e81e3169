"""What a search's machine has used, by the counters that its hardware keeps.

They count the whole machine, whatever else runs on it. Nothing is estimated: a part without a
counter that may be read is left out, as are other nodes of a cluster.
"""

import os
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from raysearch.ray_cluster.gpu_memory import VISIBLE, visible_devices
from raysearch.ray_cluster.ray_internals import pynvml

__all__ = ["CPU_COUNTER", "GPU_COUNTER", "EnergyMeter", "Reading", "cpu_readings", "gpu_readings"]

POWERCAP = Path("/sys/class/powercap")
CPU_COUNTER, GPU_COUNTER = "CPU packages and memory by RAPL", "GPUs by NVML"
# A RAPL counter begins anew after 262 kJ: at a kilowatt after more than four minutes.
EVERY_S = 60.0


@dataclass(frozen=True, slots=True)
class Reading:
    """A counter's value.

    Attributes:
        counter: its kind.
        joules: since it began.
        range_joules: at which it begins anew; 0 if it does not.
    """

    counter: str
    joules: float
    range_joules: float = 0.0


Readings = Mapping[str, Reading]


class EnergyMeter:
    """Sums up what counters say, in a thread that wakes once a minute, until ``stop``.

    Args:
        read: reads all counters, each by a name of its own.
    """

    def __init__(self, read: Callable[[], Readings] | None = None) -> None:
        self._read = read or _all_readings
        self._last: Readings = self._read()
        self._joules: dict[str, float] = {one.counter: 0.0 for one in self._last.values()}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="energy", daemon=True)
        if self._last:
            self._thread.start()

    def stop(self) -> dict[str, float]:
        """Return the joules by kind of counter; none where no counter can be read."""
        self._over.set()
        if self._last:
            self._thread.join()
            self._take()
        return {counter: round(joules, 1) for counter, joules in self._joules.items()}

    def _run(self) -> None:
        while not self._over.wait(EVERY_S):
            self._take()

    def _take(self) -> None:
        now = self._read()
        for name in now.keys() & self._last.keys():
            one = now[name]
            rise = one.joules - self._last[name].joules
            # Less than before: it has begun anew, at its range or with its driver.
            self._joules[one.counter] += rise if rise >= 0 else max(rise + one.range_joules, 0.0)
        self._last = {**self._last, **now}


def cpu_readings(root: Path = POWERCAP) -> dict[str, Reading]:
    """Read RAPL's counters: of CPU packages, and of memory where it is apart from them.

    Args:
        root: the folder of the power zones.

    Returns:
        None where there are none, or only the administrator may read them.
    """
    found = {}
    for zone in sorted(root.glob("*:*")):
        try:
            name = (zone / "name").read_text().strip()
            # A package holds its cores, and the zone psys holds all packages.
            if not name.startswith(("package-", "dram")):
                continue
            joules, most = (
                float((zone / file).read_text()) / 1e6
                for file in ("energy_uj", "max_energy_range_uj")
            )
        except (OSError, ValueError):
            continue
        found[zone.name] = Reading(CPU_COUNTER, joules, most)
    return found


def gpu_readings(nvml: ModuleType = pynvml) -> dict[str, Reading]:
    """Read the counters of the GPUs that this process may see; older ones have none.

    Args:
        nvml: the driver's library.
    """
    try:
        nvml.nvmlInit()
    except (nvml.NVMLError, OSError):
        return {}
    found = {}
    try:
        for number, device in enumerate(visible_devices(nvml, os.environ.get(VISIBLE))):
            millijoules = nvml.nvmlDeviceGetTotalEnergyConsumption(device)
            found[f"GPU {number}"] = Reading(GPU_COUNTER, millijoules / 1000)
    except nvml.NVMLError:
        return {}  # of one part alone it would look like all
    finally:
        nvml.nvmlShutdown()
    return found


def _all_readings() -> dict[str, Reading]:
    return {**cpu_readings(), **gpu_readings()}
