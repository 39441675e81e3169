"""What the driver computes for a trial as searches grow, on workers that train nothing.

The conductor, the study, the ledger and the checkpoint folders are a search's own; each of a
trial's four epochs is reported at once. CPU-seconds of the driver's process: of searches of 8 to
512 trials on four slots, and of 64 trials on 1 to 16. The slope is of the logarithms, from 64
trials on. A model of costs (constant, linear and quadratic in the trials) that was fitted without
the largest search must predict it. What it says of 10,000 trials is a model's word, not a
measurement, and Ray's own processes are in none of it.

    python tests/benchmarks/growth.py [--pairs 3] [--json FILE]
"""

import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from bench_frame import Figure, Options, alternate, at_most, figure
from bench_script import run_script
from scipy.optimize import nnls

sys.path.append(str(Path(__file__).resolve().parents[1] / "unit"))

from fake_slots import FakeSearch, small_spec

SIZES, SMALL_SIZES, SLOTS = (8, 16, 32, 64, 128, 256, 512), (8, 16, 32, 64), (1, 2, 4, 8, 16)
USUAL_SLOTS, USUAL_TRIALS, SMALL_TRIALS = 4, 64, 16
# Below, the process' first steps are a part of the cost.
SLOPE_FROM = 64
MANY = 10_000


@dataclass(frozen=True)
class Cost:
    """CPU-seconds of one search, and of one of its reports and proposals in the mean."""

    seconds: float
    a_report: float
    a_proposal: float


class TimedSearch(FakeSearch):
    """Counts the CPU-seconds of what it does with reports, and of proposing.

    Attributes:
        on_reports: seconds.
        on_proposals: seconds.
    """

    on_reports = on_proposals = 0.0

    def take(self, slot, report):
        """One report."""
        begun = time.process_time()
        stops = super().take(slot, report)
        self.on_reports += time.process_time() - begun
        return stops

    def fill(self):
        """Proposals for all free slots."""
        begun = time.process_time()
        super().fill()
        self.on_proposals += time.process_time() - begun


def measure(options: Options) -> list[Figure]:
    """Every size once a pair."""
    sizes = SMALL_SIZES if options.small else SIZES
    trials = SMALL_TRIALS if options.small else USUAL_TRIALS
    _search(8, 1)  # which imports what all need
    ways = {f"{n} trials": lambda _, n=n: _search(n, USUAL_SLOTS) for n in sizes}
    ways |= {f"{s} slots": lambda _, s=s: _search(trials, s) for s in SLOTS}
    found = alternate(ways, options.pairs)
    by_size = {n: [one.seconds for one in found[f"{n} trials"]] for n in sizes}
    largest = found[f"{sizes[-1]} trials"]
    slots = [found[f"{s} slots"] for s in (SLOTS[0], SLOTS[-1])]
    more = [b.seconds / a.seconds for a, b in zip(*slots, strict=True)]
    pairs = range(options.pairs)
    return [
        figure(
            "slope of CPU-seconds in trials",
            "",
            [_slope({n: by_size[n][pair] for n in sizes}) for pair in pairs],
            at_most(1.05),
        ),
        figure(f"{SLOTS[-1]} slots, of one slot's CPU", "x", more, at_most(1.05)),
        figure("CPU a report", "ms", [1000 * one.a_report for one in largest], at_most(3)),
        figure("CPU a proposal", "ms", [1000 * one.a_proposal for one in largest]),
        figure(
            f"the model's error for {sizes[-1]} trials",
            "%",
            [_error({n: by_size[n][pair] for n in sizes}) for pair in pairs],
            at_most(20),
        ),
        *(
            figure(f"CPU a trial, of {n}", "ms", [1000 * seconds / n for seconds in by_size[n]])
            for n in (sizes[0], sizes[-1])
        ),
        figure(
            f"a model's word: CPU of {MANY:,} trials",
            "h",
            [_model({n: by_size[n][pair] for n in sizes}, MANY) / 3600 for pair in pairs],
        ),
    ]


def _search(trials: int, slots: int) -> Cost:
    settings = {"search__trials": trials, "search__published_first": False}
    with tempfile.TemporaryDirectory(prefix="growth-") as folder:
        begun = time.process_time()
        search = TimedSearch(Path(folder) / "run", small_spec(**settings), num_slots=slots)
        search.run()
        seconds = time.process_time() - begun
        reports = len(search.events("epoch"))
        return Cost(seconds, search.on_reports / reports, search.on_proposals / trials)


def _slope(seconds: Mapping[int, float]) -> float:
    """Of the logarithms of costs and trials, by least squares."""
    sizes = [n for n in seconds if n >= SLOPE_FROM]
    sizes = sizes if len(sizes) > 1 else list(seconds)[-2:]
    return float(np.polyfit(np.log(sizes), np.log([seconds[n] for n in sizes]), 1)[0])


def _error(seconds: Mapping[int, float]) -> float:
    """Percent by which the model misses the largest search, of which it was told nothing."""
    *told, largest = seconds
    predicted = _model({n: seconds[n] for n in told}, largest)
    return 100 * abs(predicted / seconds[largest] - 1)


def _model(seconds: Mapping[int, float], trials: int) -> float:
    """CPU-seconds of so many trials, by the costs of smaller searches.

    Each cost counts by its own size, or the largest would be all that is fitted; no part of the
    model is negative.
    """
    sizes = np.array(list(seconds), dtype=float)
    costs = np.array(list(seconds.values()))
    terms = _terms(sizes)
    weights, _ = nnls(terms / costs[:, None], np.ones(len(costs)))
    return float((_terms(np.array([float(trials)])) @ weights)[0])


def _terms(sizes: np.ndarray) -> np.ndarray:
    return np.stack([np.ones_like(sizes), sizes, sizes**2], axis=1)


if __name__ == "__main__":
    run_script("growth", __doc__, measure)
