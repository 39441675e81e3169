"""Which checkpoints of a search stay on disk."""

import contextlib
import logging
import shutil
import threading
from collections.abc import Callable, Iterable
from pathlib import Path

from raysearch.errors import DataError, RaysearchError
from raysearch.ledger import TERMINAL
from raysearch.published_folder import former_of
from raysearch.storage.run_storage import forget_published, sweep_published
from raysearch.trial_records import Trials

__all__ = ["CheckpointKeeper", "kept_checkpoints"]

logger = logging.getLogger("ray.raysearch")

# Removed by one act, so that a slow store gets fewer requests and each act takes little time.
MOST_AT_ONCE = 16


def kept_checkpoints(trials: Trials, keep_best: int) -> list[str]:
    """What a search, its resumption and its final model need, relative to the run's folder."""
    live = [*trials.with_status("running"), *trials.with_status("paused")]
    # A trial that repeats another's settings points to the other's checkpoint.
    ended = [
        record
        for record in trials.ranked()
        if record.status in TERMINAL and record.checkpoint and record.copied_from is None
    ]
    measured = [r for r in trials.records.values() if r.never_pruned]
    kept = [*live, *ended[:keep_best], *measured]
    return [record.checkpoint[0] for record in kept if record.checkpoint]


class CheckpointKeeper:
    """Keeps the last checkpoint of each live or paused trial and those of the best ended ones.

    Those of the published settings and of the space's own stay, too: a search is measured by them.

    Args:
        folder: the run's folder; the ledger names checkpoints relative to it.
        keep_best: how many of the best ended trials keep theirs.
        after: carries out what must not happen before the ledger names what came instead.
    """

    def __init__(
        self,
        folder: Path,
        keep_best: int,
        after: Callable[[Callable[[], None]], None] = lambda act: act(),
    ) -> None:
        self._folder, self._after = folder, after
        self._keep_best = keep_best
        self._known: set[Path] = set()
        self._owed: list[Path] = []
        self._leaving, self._asked, self._lock = list[Path](), False, threading.Lock()

    def add(self, path: str) -> None:
        """Note that the ledger names the checkpoint at ``path``, relative to the run's folder."""
        self._known.add(self._folder / path)

    def discard(self, trials: Trials) -> None:
        """Remove the checkpoints that the ledger knows and nobody needs any more.

        Others are left alone, as a worker may just be writing them.
        """
        kept = self._kept(trials)
        self._remove(self._known - kept)
        self._known &= kept

    def sweep(self, trials: Trials) -> None:
        """Remove every checkpoint that is not kept, before any worker runs.

        What an earlier driver left behind goes with them.
        """
        self._known = self._kept(trials)
        folder = self._folder / "checkpoints"
        # A replacement that was cut short left the only copy under another name.
        kept = self._known | {former_of(path) for path in self._known if not path.exists()}

        def sweep() -> None:
            self._told(lambda: sweep_published(folder, kept))

        self._after(sweep)
        self._clear(set(folder.glob("*/*")) - kept)

    def _kept(self, trials: Trials) -> set[Path]:
        return {self._folder / path for path in kept_checkpoints(trials, self._keep_best)}

    def _remove(self, paths: Iterable[Path]) -> None:
        """Remove checkpoints; nothing else, whatever the ledger calls one or a link leads to."""
        gone = sorted(path for path in paths if self._is_checkpoint(path))
        with self._lock:
            self._leaving.extend(gone)
            ask = bool(self._leaving) and not self._asked
            self._asked = self._asked or ask
        if ask:
            self._ask()
        self._clear(gone)

    def _ask(self) -> None:
        """Have what leaves so far removed; what leaves until then is asked for after that.

        An act removes nothing that left since it was put: the ledger may not yet name what came
        instead.
        """
        with self._lock:
            batch = self._leaving[:MOST_AT_ONCE]
            del self._leaving[:MOST_AT_ONCE]
        self._after(lambda: self._forget(batch))

    def _clear(self, paths: Iterable[Path]) -> None:
        """Remove checkpoints from this machine."""
        for path in filter(self._is_checkpoint, paths):
            shutil.rmtree(path, ignore_errors=True)
            with contextlib.suppress(OSError):  # the trial has others
                path.parent.rmdir()

    def _forget(self, paths: list[Path]) -> None:
        """What a store will not remove now is removed with the next ones: no search ends for it."""
        owed = [*self._owed, *paths]
        self._owed = [] if self._told(lambda: forget_published(owed)) else owed
        with self._lock:
            self._asked = ask = bool(self._leaving)
        if ask:
            self._ask()

    def _told(self, act: Callable[[], None]) -> bool:
        """Do ``act``; whether it need not be tried again. A warning says what went wrong."""
        try:
            act()
        except RaysearchError as error:
            logger.warning("removing checkpoints: %s", error)
            return isinstance(error, DataError)  # left to the next driver's sweep
        return True

    def _is_checkpoint(self, path: Path) -> bool:
        folder = self._folder / "checkpoints"
        inside = path.parent.resolve().is_relative_to(folder.resolve())
        return path.parent.parent == folder and ".." not in path.parts and inside
