"""One trial over several validation sets: a learner a set, in step, judged by their mean."""

import statistics
from collections.abc import Callable, Sequence
from pathlib import Path

from raysearch import published_folder
from raysearch.training.learner import EpochResult, Learner

__all__ = ["InnerFolds", "inner_prefix"]


class InnerFolds:
    """Trains one learner for each validation set, and stands for all of them as one trial.

    With one it is that learner. With several, metrics are means, one epoch is the best for all of
    them, and what is used after the search is the first one's weights.

    Args:
        learners: one for each inner split, with equal settings.
    """

    def __init__(self, learners: Sequence[Learner]) -> None:
        self._learners = list(learners)
        self.first = self._learners[0]
        self._history = [_mean(step) for step in self._steps()]

    @property
    def history(self) -> list[dict[str, float]]:
        """The mean metrics of each epoch done."""
        return self._history

    def run_epoch(self) -> EpochResult:
        """Train one epoch of every learner and sum the seconds. Raises as ``Learner.run_epoch``."""
        results = [learner.advance() for learner in self._learners]
        metrics = _mean([result.metrics for result in results])
        self._history.append(metrics)
        for learner in self._learners:
            learner.remember(learner.value_of(metrics))
        return EpochResult(results[0].epoch, metrics, sum(result.train_s for result in results))

    def save(self, folder: Path, *, guard: Callable[[], None] | None = None) -> None:
        """Publish all learners' states in one folder, the first under the usual names."""

        def write(stage: Path) -> None:
            for number, learner in enumerate(self._learners):
                learner.write(stage, prefix=inner_prefix(number))

        published_folder.publish(folder, write, guard=guard)

    def load(self, folder: Path) -> None:
        """Continue from a checkpoint. Raises as ``Learner.load``."""
        for number, learner in enumerate(self._learners):
            learner.load(folder, inner_prefix(number))
        self._history = [_mean(step) for step in self._steps()]

    def close(self) -> None:
        """Free every learner."""
        for learner in self._learners:
            learner.close()

    def _steps(self) -> list[list[dict[str, float]]]:
        """The learners' metrics, epoch by epoch."""
        histories = [learner.history for learner in self._learners]
        return [list(step) for step in zip(*histories, strict=True)]


def inner_prefix(number: int) -> str:
    """Return the prefix of inner fold ``number``'s files; empty for the first."""
    return f"inner-{number}." if number else ""


def _mean(metrics: Sequence[dict[str, float]]) -> dict[str, float]:
    return {name: statistics.fmean(one[name] for one in metrics) for name in metrics[0]}
