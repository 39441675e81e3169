"""Short trials on two slots of two cores, beside what one would write by hand.

The trials of ``trial_turnover.py``: a search of two slots, a thread each; a bare loop of Optuna
around the same learner, in one process with two threads; and two such processes at once, a thread
each, between which the trials are divided beforehand. From the first trial's start to the last
one's end, start-up apart.

    python tests/benchmarks/two_slots.py [--pairs 3] [--json FILE]
"""

import tempfile
from collections.abc import Sequence
from pathlib import Path

from bare_trials import Loop, bare_loops
from bench_frame import Figure, Options, at_least, equal, figure, ratio
from bench_script import run_script
from trial_turnover import TRIALS, searched, stored_tasks


def measure(options: Options) -> list[Figure]:
    """Each pair: the search, one process, two processes."""
    trials = 4 if options.small else TRIALS
    with tempfile.TemporaryDirectory(prefix="two-slots-") as folder:
        storage = Path(folder)
        searched(storage, "first", 1, 1)  # which computes the features
        ways = {
            "one": lambda pair: bare_loops(stored_tasks(storage, f"pair-{pair}"), 2),
            "two": lambda pair: bare_loops(stored_tasks(storage, f"pair-{pair}"), 1, 2),
        }
        ours, loops = [], {name: [] for name in ways}
        for pair in range(options.pairs):
            # Not of ``alternate``: the others train what this search proposes.
            ours.append(searched(storage, f"pair-{pair}", 2, trials))
            for name, way in ways.items():
                loops[name].append(way(pair))
    for one, (first, second) in zip(ours, loops["two"], strict=True):
        equal("even trials' losses", one.losses[::2], first.losses, 1e-4)
        equal("odd trials' losses", one.losses[1::2], second.losses, 1e-4)
    seconds = {name: [_span(pair) for pair in found] for name, found in loops.items()}
    best = [min(pair) for pair in zip(*seconds.values(), strict=True)]
    ours_s = [one.seconds for one in ours]
    return [
        ratio("trials a second, of the better by hand", best, ours_s, at_least(1.0)),
        ratio("of one process with two threads", seconds["one"], ours_s, None),
        ratio("of two processes", seconds["two"], ours_s, None),
        figure(f"{trials} trials on two slots", "s", ours_s),
    ]


def _span(loops: Sequence[Loop]) -> float:
    """Seconds until the last of them had ended, from when all could begin."""
    return max(loop.ended for loop in loops) - max(loop.begun for loop in loops)


if __name__ == "__main__":
    run_script("two_slots", __doc__, measure)
