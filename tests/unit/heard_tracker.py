"""A tracker that keeps what it was told, and the events of a recorded search to tell it."""

from pathlib import Path

from raysearch.ledger import read
from raysearch.tracking.delivery import Delivery
from raysearch.tracking.told_record import ToldRecord
from raysearch.tracking.tracker import TrackedSearch
from raysearch.trial_records import Trials

LEDGER = Path(__file__).parents[1] / "replay" / "ledgers" / "resumed" / "trials.jsonl"
OBJECTIVE = "val_uar_mean3"


class HeardTracker:
    """Keeps what it is told; ``known`` are epochs that it has already, by trial."""

    def __init__(self, known=None):
        self.known = known
        self.searches, self.begun, self.epochs, self.ended, self.closed = [], {}, [], {}, None

    def open(self, search):
        self.searches.append(search)

    def begin(self, trial):
        assert trial.number not in self.begun
        self.begun[trial.number] = trial
        return None if self.known is None else self.known.get(trial.number, 0)

    def epoch(self, number, epoch, figures):
        assert number in self.begun
        self.epochs.append((number, epoch, dict(figures)))

    def end(self, number, status, figures):
        assert number not in self.ended
        self.ended[number] = (status, dict(figures))

    def close(self, outcome, figures):
        self.closed = (outcome, dict(figures))

    def told(self):
        """The epochs of which trials it has."""
        return [(number, epoch) for number, epoch, _ in self.epochs]


def recorded_events():
    """A search that was stopped and resumed, trials of which paused and were promoted."""
    return read(LEDGER)


def delivery(make, folder, events=(), name="heard"):
    """What brings a tracker up to ``events``, as a sitting that finds them in its ledger."""
    told = ToldRecord(folder / "tracking" / f"{name}.json")
    settings = {"model.name": "cnn", "training.epochs": 8, "search.trials": 12}
    tags = {"corpus": "demo", "protocol": "speaker_independent"}
    search = TrackedSearch(told.identity, "emo", settings, tags)
    seq = events[-1].seq if events else 0
    return Delivery(make, search, told, Trials.replay(events, OBJECTIVE), seq)
