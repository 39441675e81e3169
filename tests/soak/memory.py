"""Whether a search's memory grows: what it holds, sampled, and a slope that peaks leave be."""

import itertools
import statistics
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

import processes

__all__ = ["Growth", "Sample", "Sampler", "growth"]

EVERY_S = 5.0
# Fewer samples tell of the last restart, not of a trend.
LEAST = 30
# Beside them a run's own history, which is kept, and the noise of groups that come and go.
SHARE, FREE_BYTES = 0.1, 64e6

# Seconds since the soak began, and what was held then, by name.
Sample = tuple[float, dict[str, int]]


class Sampler:
    """Looks at all processes every five seconds, in a thread, until it is closed.

    Args:
        driver: the process id of the search's driver.
        begun: when the soak began, of ``time.monotonic()``.

    Attributes:
        samples: seconds since then, and resident bytes by what holds them.
    """

    def __init__(self, driver: int, begun: float) -> None:
        self._driver, self._begun = driver, begun
        self.samples: list[Sample] = []
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._sample, name="memory", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Look no more."""
        self._done.set()
        self._thread.join()

    def _sample(self) -> None:
        while not self._done.wait(EVERY_S):
            found = processes.footprint(self._driver)
            if found.get("driver"):  # it may have just ended
                self.samples.append((time.monotonic() - self._begun, found))


@dataclass(frozen=True, slots=True)
class Growth:
    """How much of something grew after the first quarter of the samples.

    Attributes:
        median: over those samples.
        grown: the slope times the time that they span; None if there are too few to tell.
    """

    median: float
    grown: float | None

    @property
    def flat(self) -> bool | None:
        """Whether that is within a tenth of the median or 64 MB; None if it cannot be told."""
        return None if self.grown is None else self.grown <= max(SHARE * self.median, FREE_BYTES)


def growth(samples: Sequence[Sample], name: str) -> Growth:
    """The growth of what ``name`` holds, by Theil and Sen's median of the slopes of all pairs."""
    settled = [(t, float(found.get(name, 0))) for t, found in samples[len(samples) // 4 :]]
    if not settled:
        return Growth(0.0, None)
    median = statistics.median(value for _, value in settled)
    if len(settled) < LEAST:
        return Growth(median, None)
    pairs = itertools.combinations(settled, 2)
    slope = statistics.median((b - a) / (s - r) for (r, a), (s, b) in pairs)
    return Growth(median, slope * (settled[-1][0] - settled[0][0]))
