"""A search as optuna-dashboard shows it: a journal file that is told of trials and asked nothing.

Optuna's own journal backend waits for the disk at each of its lines, and a trial is dozens of them.
What a search must not lose is in its ledger, from which this file is made again.
"""

import json
import os
from collections.abc import Collection
from pathlib import Path

from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend, JournalFileSymlinkLock
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from raysearch.patience import no_room, patiently

__all__ = ["StudyJournal", "UnsyncedJournal", "prune"]


class UnsyncedJournal(JournalFileBackend):
    """Optuna's journal, but it does not wait for the disk at each line."""

    def __init__(self, path: str) -> None:
        self._path, self._held = path, JournalFileSymlinkLock(path)
        super().__init__(path, lock_obj=self._held)

    def append_logs(self, logs: list[dict[str, object]]) -> None:
        """Write ``logs`` through to the operating system; a full disk is waited for.

        Raises:
            OSError: it stays full, or the system refuses otherwise; nothing was written.
        """
        lines = "".join(json.dumps(log, separators=(",", ":")) + "\n" for log in logs)
        patiently(lambda: self._append(lines.encode()), no_room)

    def _append(self, lines: bytes) -> None:
        self._held.acquire()
        try:
            size = os.path.getsize(self._path)
            try:
                with open(self._path, "ab") as file:
                    file.write(lines)
            except OSError:
                os.truncate(self._path, size)  # a part of a line would make all unreadable
                raise
        finally:
            self._held.release()


class StudyJournal:
    """A study to be maximized, whose trial numbers are the ledger's.

    Args:
        path: the file; an existing one is replaced.
        name: the study's name.
    """

    def __init__(self, path: Path, name: str) -> None:
        path.unlink(missing_ok=True)
        _unlock(path)
        self._storage = JournalStorage(UnsyncedJournal(str(path)))
        self._study = self._storage.create_new_study([StudyDirection.MAXIMIZE], name)
        self._ids: list[int] = []

    def add(self, trial: FrozenTrial) -> None:
        """Write the next trial with all that is known of it."""
        self._ids.append(self._storage.create_new_trial(self._study, trial))

    def report(self, number: int, epoch: int, value: float) -> None:
        """Write what trial ``number``, which runs, has reached after ``epoch``."""
        self._storage.set_trial_intermediate_value(self._ids[number], epoch, value)

    def end(self, number: int, state: TrialState, value: float | None) -> None:
        """Write that trial ``number``, which ran, has ended."""
        values = None if value is None else [value]
        self._storage.set_trial_state_values(self._ids[number], state, values)


def prune(path: Path, numbers: Collection[int]) -> None:
    """Tell the study at ``path`` that these of its trials were pruned where they are.

    What cannot be read is left: it is made again when its search goes on.

    Args:
        path: the journal's file, which may be missing.
        numbers: the trials', of which it may lack the last ones.
    """
    if not path.is_file():
        return
    _unlock(path)
    try:
        storage = JournalStorage(UnsyncedJournal(str(path)))
    except ValueError:  # a machine died while its lines were on their way to the disk
        return
    for study in storage.get_all_studies():
        for trial in storage.get_all_trials(study._study_id, states=(TrialState.RUNNING,)):
            if trial.number in numbers:
                last = trial.intermediate_values.get(trial.last_step or 0)
                values = None if last is None else [last]
                storage.set_trial_state_values(trial._trial_id, TrialState.PRUNED, values)


def _unlock(path: Path) -> None:
    """A driver that was killed while it wrote left its lock; the run's lease says it is gone."""
    path.with_name(f"{path.name}.lock").unlink(missing_ok=True)
