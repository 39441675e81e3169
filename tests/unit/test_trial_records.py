"""What the events of a ledger amount to: attempts, ranks, pauses, impossible stories."""

import pytest

from raysearch.errors import DataError
from raysearch.ledger import Ledger, read
from raysearch.trial_records import Trials


class Story:
    """Writes a ledger in memory."""

    def __init__(self, tmp_path):
        self.ledger = Ledger.open(tmp_path / "trials.jsonl", 1)

    def __call__(self, event, number=0, attempt=1, **data):
        if event == "epoch" and not isinstance(data["metrics"], dict):
            data["metrics"] = {"val_uar": data["metrics"], "val_loss": 1 - data["metrics"]}
        return self.ledger.append(
            event, trial=f"{number:012x}", number=number, attempt=attempt, **data
        )

    def replay(self, objective="val_uar"):
        self.ledger.close()
        return Trials.replay(read(self.ledger.path), objective)


def test_the_highest_attempt_wins(tmp_path):
    tell = Story(tmp_path)
    tell("started", config={"a": 1}, seed=7, slot=1)
    for epoch, value in enumerate([0.2, 0.9, 0.3, 0.95], start=1):
        tell("epoch", epoch=epoch, metrics=value, train_s=1.0)
        if epoch in (2, 4):
            tell("checkpoint", epoch=epoch, path=f"c{epoch}")
    tell("resumed", attempt=2, epoch=2)
    tell("epoch", attempt=1, epoch=5, metrics=0.99)  # a stale word of the dead attempt
    tell("checkpoint", attempt=1, epoch=5, path="stale")
    tell("epoch", attempt=2, epoch=3, metrics=0.4, train_s=2.0)
    record = tell.replay().records[0]
    assert list(record.epochs) == [1, 2, 3]
    assert [e.attempt for e in record.epochs.values()] == [1, 1, 2]
    assert (record.best_epoch, record.best_value) == (2, 0.9)
    assert (record.attempts, record.status, record.slot) == (2, "running", 1)
    assert (record.train_s, record.config, record.details) == (4.0, {"a": 1}, {"seed": 7})
    # The checkpoint of epoch 4 belongs to a history that was given up.
    assert record.checkpoint is None


def test_a_resumption_from_nothing_starts_over(tmp_path):
    tell = Story(tmp_path)
    tell("started", config={})
    tell("epoch", epoch=1, metrics=0.5)
    tell("resumed", attempt=2, epoch=0)
    tell("epoch", attempt=2, epoch=1, metrics=0.4)
    tell("completed", attempt=2)
    record = tell.replay().records[0]
    assert (record.best_value, record.last_epoch, record.status) == (0.4, 1, "completed")
    assert record.ended is not None


@pytest.mark.parametrize("objective", ["val_uar", "val_loss"])
def test_ranking(tmp_path, objective):
    tell = Story(tmp_path)
    for number, value, end in [(0, 0.5, "completed"), (1, 0.6, "completed"), (2, 0.9, "pruned")]:
        tell("started", number=number, config={})
        tell("epoch", number=number, epoch=1, metrics=value)
        tell(end, number=number)
    tell("started", number=3, config={})
    tell("failed", number=3, reason="loss is NaN")
    tell("started", number=4, config={})
    tell("completed", number=4, copied_from=1)
    trials = tell.replay(objective)
    # The repetition ranks beside what it repeats; the stopped one last, though its value is best.
    assert [record.number for record in trials.ranked()] == [1, 4, 0, 2]
    assert trials.num_epochs == 3
    assert [r.number for r in trials.with_status("failed")] == [3]
    assert trials.records[3].reason == "loss is NaN"
    assert trials.records[4].copied_from == 1


def test_a_pause_ends_nothing(tmp_path):
    tell = Story(tmp_path)
    for number, value in enumerate([0.5, 0.9, 0.7]):
        tell("started", number=number, config={})
        tell("epoch", number=number, epoch=1, metrics=value)
        tell("checkpoint", number=number, epoch=1, path=f"c{number}", bytes=7)
    tell("completed", number=0)
    for number in (1, 2):
        tell("paused", number=number, epoch=1)
    tell("resumed", number=2, attempt=2, epoch=1, promoted=True)
    trials = Trials.replay(tell.ledger.events)
    assert [trials.records[n].status for n in range(3)] == ["completed", "paused", "running"]
    assert [trials.records[n].pauses for n in range(3)] == [0, 1, 1]
    assert [r.number for r in trials.ranked()] == [1, 2, 0], "by their values alone"
    assert trials.records[1].checkpoint_bytes == 7
    tell("epoch", number=2, attempt=2, epoch=2, metrics=0.95)
    tell("pruned", number=1, reason="the search ended")
    trials = tell.replay()
    assert [r.number for r in trials.ranked()] == [2, 1, 0]
    assert (trials.records[1].status, trials.records[2].last_epoch) == ("pruned", 2)


def test_the_earliest_of_equal_epochs_is_best(tmp_path):
    tell = Story(tmp_path)
    tell("started", config={})
    for epoch in (1, 2, 3):
        tell("epoch", epoch=epoch, metrics=0.5)
    assert tell.replay().records[0].best_epoch == 1


@pytest.mark.parametrize(
    ("story", "message"),
    [
        ([("epoch", {"epoch": 1, "metrics": {}})], "without start"),
        ([("started", {"config": {}}), ("started", {"config": {}})], "started twice"),
        (
            [("started", {"config": {}})] + 2 * [("epoch", {"epoch": 1, "metrics": {}})],
            "twice in one attempt",
        ),
        (
            [("started", {"config": {}}), ("epoch", {"epoch": 1, "metrics": {}, "attempt": 2})],
            "never resumed",
        ),
        ([("started", {"config": {}, "copied_from": 5})], "not there"),
        ([("started", {"config": {}}), ("resumed", {"epoch": 0})], "resumed twice"),
        (
            [
                ("started", {"config": {}}),
                ("paused", {"epoch": 1}),
                ("epoch", {"epoch": 2, "metrics": {}}),
            ],
            "after it was paused",
        ),
    ],
)
def test_impossible_stories_are_refused(tmp_path, story, message):
    tell = Story(tmp_path)
    for event, data in story:
        tell(event, **data)
    with pytest.raises(DataError, match=message):
        tell.replay()
