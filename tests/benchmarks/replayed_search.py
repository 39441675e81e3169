"""Searches replayed on recorded curves, an epoch a step."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import optuna
from ray.tune.schedulers import ASHAScheduler
from recorded_curves import Curves

from raysearch.tuning.stop_rules import RuleSettings, stop_rule

Rule = Callable[[int, int, float], bool]


def ray_asha(curves: Curves) -> Rule:
    """What raysearch did before: Ray Tune's ASHA with two epochs of grace, one in three kept."""
    asha = ASHAScheduler(
        time_attr="epoch",
        metric="value",
        mode="max",
        max_t=curves.values.shape[1],
        grace_period=2,
        reduction_factor=3,
        stop_last_trials=False,
    )
    added = set()

    class Trial:
        def __init__(self, number: int) -> None:
            self.trial_id = f"{number:04d}"

    def stops(number: int, epoch: int, value: float) -> bool:
        if number not in added:
            added.add(number)
            asha.on_trial_add(None, Trial(number))
        told = {"epoch": epoch, "value": value}
        return bool(asha.on_trial_result(None, Trial(number), told) == "STOP")

    return stops


def ours(
    curves: Curves, run_of: Sequence[int], share: float | None = None, noise: float = 1
) -> Rule:
    """The present rule with its defaults, or with another first rung."""
    num_epochs = curves.values.shape[1]

    def tolerance(value: float, cutoff: float) -> float:
        if curves.noise is None:
            return 0.0
        return noise * curves.noise.of_difference(value, cutoff, "val_uar_mean3")

    settings = RuleSettings(
        max_epochs=num_epochs,
        grace_epochs=None if share is None else max(1, round(share * num_epochs)),
        reduction_factor=3,
        tolerance=tolerance,
    )
    rule = stop_rule("asha", settings)
    return lambda number, epoch, value: rule.stops(
        number, epoch, value, warmup=curves.warmups[run_of[number]]
    )


def never(number: int, epoch: int, value: float) -> bool:
    """No stop rule."""
    return False


@dataclass
class Replay:
    """One search on recorded curves.

    Attributes:
        run_of: the run that each trial is.
        seen: after each epoch of the search, the best value so far.
        stopped: trials that were stopped.
        winner: the best of those that reached their end, else of all.
    """

    run_of: list[int]
    seen: list[float]
    stopped: int
    winner: int


def replay(
    curves: Curves,
    propose: Callable[[int], int | None],
    tell: Callable[[int, int, float, bool], None],
    make_rule: Callable[[list[int]], Rule],
    budget: int,
) -> Replay:
    """One trial after another, an epoch a step, until ``budget`` epochs are spent."""
    best_rt, run_of = curves.best, list[int]()
    num_epochs = best_rt.shape[1]
    rule = make_rule(run_of)
    seen, ends, stopped = list[float](), list[tuple[bool, float]](), 0
    while len(seen) < budget and (run := propose(len(run_of))) is not None:
        number = len(run_of)
        run_of.append(run)
        epoch, value, stops = 0, 0.0, False
        while len(seen) < budget and epoch < num_epochs and not stops:
            epoch += 1
            value = float(best_rt[run, epoch - 1])
            seen.append(max(value, seen[-1] if seen else value))
            # The own settings are measured to their end, whatever a rule thinks of them.
            stops = rule(number, epoch, value) and number > 0 and epoch < num_epochs
        whole = epoch == num_epochs
        stopped += stops
        ends.append((whole, value))
        tell(number, epoch, value, whole)
    winner = max(range(len(ends)), key=lambda number: ends[number])
    return Replay(run_of, seen, stopped, winner)


class Tpe:
    """As raysearch samples; a proposal becomes the nearest run that was not yet tried."""

    def __init__(self, curves: Curves, seed: int, num_startup: int = 5) -> None:
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        sampler = optuna.samplers.TPESampler(
            seed=seed,
            n_startup_trials=num_startup,
            multivariate=True,
            group=True,
            constant_liar=True,
        )
        self._study = optuna.create_study(direction="maximize", sampler=sampler)
        self._curves, self._tried, self._trials = curves, set[int](), list[optuna.Trial]()

    def propose(self, number: int) -> int:
        assert self._curves.settings is not None
        points_rp = self._curves.settings
        if number == 0:
            own = points_rp[self._curves.own]
            self._study.enqueue_trial({f"x{i}": float(x) for i, x in enumerate(own)})
        trial = self._study.ask()
        point = [trial.suggest_float(f"x{i}", 0, 1) for i in range(points_rp.shape[1])]
        distance_r = ((points_rp - point) ** 2).sum(1)
        distance_r[list(self._tried)] = np.inf
        run = int(distance_r.argmin())
        self._tried.add(run)
        self._trials.append(trial)
        return run

    def tell(self, number: int, epoch: int, value: float, whole: bool) -> None:
        trial = self._trials[number]
        trial.report(value, epoch)
        if whole:
            self._study.tell(trial, value)
        else:
            self._study.tell(trial, state=optuna.trial.TrialState.PRUNED)


class Shuffled:
    """The own settings, then other runs in an order of their own."""

    def __init__(self, curves: Curves, seed: int, most: int) -> None:
        others = [run for run in range(len(curves.values)) if run != curves.own]
        order = np.random.default_rng(seed).permutation(others).tolist()
        self.order = [curves.own, *order][:most]

    def propose(self, number: int) -> int | None:
        return self.order[number] if number < len(self.order) else None

    def tell(self, number: int, epoch: int, value: float, whole: bool) -> None:
        """Nothing is learned."""


def rules(curves: Curves) -> dict[str, Callable[[list[int]], Rule]]:
    """What is compared, by name; each makes a fresh rule for a search's list of runs."""
    found: dict[str, Callable[[list[int]], Rule]] = {
        "no stop rule": lambda run_of: never,
        "before: Ray's ASHA, 2 epochs of grace": lambda run_of: ray_asha(curves),
    }
    for share in (0.1, 0.3, 0.4):
        found[f"first rung at {share:.0%}"] = lambda run_of, share=share: ours(
            curves, run_of, share
        )
    if curves.noise is not None:
        found["default, noise 0"] = lambda run_of: ours(curves, run_of, noise=0)
    found["**default**"] = lambda run_of: ours(curves, run_of)
    return found
