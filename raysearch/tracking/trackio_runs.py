"""A search in trackio: a group, with a run a trial and one of the search.

Where they go is trackio's to know: TRACKIO_DIR, TRACKIO_SPACE_ID, TRACKIO_SERVER_URL, and its
credentials; the project is TRACKIO_PROJECT, else ``raysearch``.
"""

import contextvars
import os
from collections.abc import Mapping

import trackio
import trackio.run
import trackio.utils

from raysearch.tracking.tracker import Figures, TrackedSearch, TrackedTrial

__all__ = ["TrackioTracker"]

PROJECT = "raysearch"


class TrackioTracker:
    """trackio; the runs of a search are known by their names, which hold its identity."""

    def __init__(self) -> None:
        # It prints several lines a run, into the search's table.
        for module in (trackio, trackio.run, trackio.utils):
            vars(module)["print"] = lambda *words, **how: None
        self._project = os.environ.get("TRACKIO_PROJECT", PROJECT)
        self._search: TrackedSearch | None = None
        self._whole: trackio.Run | None = None
        self._runs: dict[int, trackio.Run] = {}

    def open(self, search: TrackedSearch) -> None:
        """Begin the run of the search, or go on with it."""
        self._search = search
        self._whole = self._init("search", search.settings, {})

    def begin(self, trial: TrackedTrial) -> int | None:
        """Begin the run of a trial, or go on with it: its last step is its last epoch."""
        run = self._init(f"{trial.number:04d}", trial.settings, trial.tags)
        self._runs[trial.number] = run
        # No public name has it; a version that renames it cannot tell.
        return getattr(run, "_initial_last_step", None)

    def epoch(self, number: int, epoch: int, figures: Figures) -> None:
        """Log them; the epoch is the step."""
        self._runs[number].log(dict(figures), step=epoch)

    def end(self, number: int, status: str, figures: Figures) -> None:
        """End the run; its best figures are of the step of its best epoch."""
        run = self._runs.pop(number)
        run.log({**figures, "status": status}, step=int(figures.get("best_epoch", 0)))
        run.finish()

    def close(self, outcome: str, figures: Figures) -> None:
        """End the search's run, and those of trials that wait to be gone on with."""
        for number in sorted(self._runs):
            self._runs.pop(number).finish()
        assert self._whole is not None
        self._whole.log({**figures, "outcome": outcome})
        self._whole.finish()

    def _init(
        self, key: str, settings: Mapping[str, object], tags: Mapping[str, str]
    ) -> "trackio.Run":
        assert self._search is not None
        group = f"{self._search.name} {self._search.identity[:6]}"
        # In a context of its own: to init, the run of the context is over.
        run: trackio.Run = contextvars.copy_context().run(
            trackio.init,
            project=self._project,
            name=f"{group} {key}",
            group=group,
            config={**settings, **self._search.tags, **tags},
            resume="allow",
            embed=False,
            auto_log_cpu=False,
            auto_log_gpu=False,
        )
        return run
