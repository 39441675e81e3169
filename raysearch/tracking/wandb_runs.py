"""A search in Weights & Biases: a group, with a run a trial and one of the search.

Where they go is wandb's to know: WANDB_PROJECT, WANDB_ENTITY, WANDB_MODE, WANDB_DIR, WANDB_API_KEY.
"""

import os
from collections.abc import Mapping

import wandb

from raysearch.tracking.tracker import CUT_OFF, Figures, TrackedSearch, TrackedTrial

__all__ = ["WandbTracker"]

PROJECT = "raysearch"
# For which a run's end waits for the network; what is left then is in WANDB_DIR.
FINISH_S = 10.0


class WandbTracker:
    """Weights & Biases; the runs of a search are known by its identity and their numbers.

    Without a network (WANDB_MODE=offline) it writes a folder a run and sitting, and ``wandb sync``
    puts those of one run together.
    """

    def __init__(self) -> None:
        self._search: TrackedSearch | None = None
        self._whole: wandb.Run | None = None
        self._runs: dict[int, wandb.Run] = {}

    def open(self, search: TrackedSearch) -> None:
        """Begin the run of the search, or go on with it."""
        self._search = search
        self._whole = self._init("search", search.name, "search", search.settings, {})

    def begin(self, trial: TrackedTrial) -> int | None:
        """Begin the run of a trial, or go on with it."""
        tags = {key: text for key, text in trial.tags.items() if key != "trial"}
        run = self._init(f"{trial.number:04d}", trial.name, "trial", trial.settings, tags)
        self._runs[trial.number] = run
        # The step that comes next; without a network there is no knowing.
        return max(run.starting_step - 1, 0) if run.resumed else None

    def epoch(self, number: int, epoch: int, figures: Figures) -> None:
        """Log them; the epoch is the step."""
        self._runs[number].log(dict(figures), step=epoch)

    def end(self, number: int, status: str, figures: Figures) -> None:
        """End the run, with its best figures in its summary."""
        run = self._runs.pop(number)
        run.summary.update({**figures, "status": status})
        run.finish(exit_code=int(status == "failed"))

    def close(self, outcome: str, figures: Figures) -> None:
        """End the search's run, and those of trials that wait to be gone on with."""
        for number in sorted(self._runs):
            run = self._runs.pop(number)
            run.summary.update({"status": "waiting"})
            run.finish()
        assert self._whole is not None
        self._whole.summary.update({**figures, "outcome": outcome})
        self._whole.finish(exit_code=int(outcome in CUT_OFF))

    def _init(
        self,
        key: str,
        name: str,
        kind: str,
        settings: Mapping[str, object],
        tags: Mapping[str, str],
    ) -> "wandb.Run":
        assert self._search is not None
        every = {**self._search.tags, **tags}
        return wandb.init(
            project=os.environ.get("WANDB_PROJECT", PROJECT),
            id=f"{self._search.identity}-{key}",
            name=name,
            group=f"{self._search.name} {self._search.identity[:6]}",
            job_type=kind,
            config={**settings, "raysearch": every},
            tags=[f"{word}:{text}"[:64] for word, text in every.items()],
            resume="allow",
            reinit="create_new",
            settings=wandb.Settings(
                silent=True, console="off", x_disable_stats=True, finish_timeout=FINISH_S
            ),
        )
