"""What Tune tells of its actors reaches the conductor."""

from types import SimpleNamespace

from fake_slots import FakeSearch, small_spec

from raysearch.tuning.adapters import ConductorScheduler, ConductorSearcher
from raysearch.workers.booked_trial import BookedTrial


class Leases:
    """The pool's word on a slot's next trial."""

    def assign(self, slot, task):
        return BookedTrial(task.number, task.label, f"slot-{slot}", booking=0)


def test_a_trial_says_what_its_actor_died_of(tmp_path):
    search = FakeSearch(tmp_path / "run", small_spec(search__trials=1))
    scheduler = ConductorScheduler(search.conductor)
    searcher = ConductorSearcher(search.conductor, Leases(), scheduler.errors)
    for name, cause in (("first", "no room"), ("second", "killed")):
        number = searcher.suggest(name)["number"]
        trial = SimpleNamespace(
            config={"number": number}, get_error=lambda cause=cause: f"Traceback\n  a\n{cause}\n"
        )
        scheduler.on_trial_error(None, trial)
        searcher.on_trial_complete(name, error=True)
    record = search.trials.records[0]
    assert (record.status, record.attempts) == ("failed", 2)
    assert record.reason == "its Tune actor died too often: killed"
    assert search.conductor.error is None
