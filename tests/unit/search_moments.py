"""What happens to a search in a test: events, time that passes, a slot that is lost."""

import time

import optuna

from raysearch.ledger import Event
from raysearch.workers.epoch_report import EpochReport


class At:
    """An observer that acts at the first event that fits."""

    def __init__(self, fits, act):
        self.fits, self.act, self.done = fits, act, False

    def changed(self, trials, event):
        if not self.done and self.fits(event):
            self.done = True
            self.act()


class Clock:
    """Time that passes when it is told to: a busy machine takes none of a budget."""

    def __init__(self, monkeypatch):
        self.now = 1e9
        for name in ("time", "monotonic"):
            monkeypatch.setattr(time, name, lambda: self.now)

    def passes(self, seconds):
        def act():
            self.now += seconds

        return act


def slot_lost(search, slot, attempt=1):
    """Lose a slot; the number of the trial that was on it."""
    number = search.slots.workers[slot].task.number
    report = EpochReport(number, attempt=attempt, failed="gone", done=True, slot_lost=True)
    assert search.take(slot, report)
    return number


def journal(search):
    """The sampler's study of a search, as its file holds it."""
    backend = optuna.storages.journal.JournalFileBackend(str(search.folder / "study.journal"))
    return optuna.load_study(study_name="run", storage=optuna.storages.JournalStorage(backend))


def told(event, number, seq, attempt=1, **data):
    """A line of a ledger."""
    return Event(event, seq, f"{number:012x}", number, attempt, 1, 0.0, 0, data)
