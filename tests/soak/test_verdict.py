"""The soak's judge: what it must not let pass."""

import pytest
from injections import FAULTS, Injection
from memory import growth
from verdict import check_faults, check_trials

from raysearch.ledger import Event

REFUSED = {"model.dropout": 0.5}


def trial(number, *ends, config=None, epochs=(1, 2), **data):
    """The events of one trial."""
    told = [("started", {"config": config or {}})]
    told += [("epoch", {"epoch": epoch, "metrics": {"val_uar_mean3": 0.5}}) for epoch in epochs]
    told += [("checkpoint", {"epoch": 2, "path": f"checkpoints/{number:04d}/epoch-0002"})]
    told += [(end, data) for end in ends]
    return [(name, number, held) for name, held in told]


def judged(*trials, wanted=3):
    """The names of the checks that do not hold."""
    told = [event for events in trials for event in events]
    events = [
        Event(name, seq, f"t{number}", number, 1, 1, 0.0, 0, data)
        for seq, (name, number, data) in enumerate(told, start=1)
    ]
    checks = check_trials(
        events, wanted, 2, lambda r: r.config.get("model.dropout") == 0.5, "net refuses"
    )
    return {check.name for check in checks if not check.good}


WHOLE = [
    trial(0, "completed"),
    trial(1, "pruned", epochs=(1,)),
    trial(2, "failed", config=REFUSED, epochs=(), reason="ValueError: this net refuses it"),
]


def test_a_search_that_came_through():
    assert judged(*WHOLE) == set()


@pytest.mark.parametrize(
    ("instead", "wrong"),
    [
        ([], "trials accounted for"),
        (trial(0), "trials accounted for"),
        (trial(0, "completed", "completed"), "trials accounted for"),
        (trial(0, "completed", epochs=(1,)), "each epoch of completed trials once"),
        (
            trial(0, "failed", reason="OSError: No space left on device"),
            "failed by its settings alone",
        ),
        (
            trial(0, "failed", config=REFUSED, reason="a worker died"),
            "failed by its settings alone",
        ),
        (trial(0, "completed", config=REFUSED), "bad settings fail"),
    ],
)
def test_one_trial_that_it_does_not_let_pass(instead, wrong):
    assert judged(instead, *WHOLE[1:]) == {wrong}


def test_more_trials_than_were_asked_for():
    assert judged(*WHOLE, wanted=2) == {"trials accounted for"}


def test_a_completed_trial_without_weights():
    bare = [told for told in trial(0, "completed") if told[0] != "checkpoint"]
    assert judged(bare, *WHOLE[1:]) == {"completed trials have weights"}


def injected(*kinds):
    return [Injection(kind, "", 20.0 * i, 20.0 * i, 0) for i, kind in enumerate(kinds)]


def test_faults_that_were_not_injected():
    def wrong(kinds, least, stopped=()):
        checks = check_faults(injected(*kinds), least, stopped)
        return {check.name for check in checks if check.good is False}

    assert wrong(FAULTS, 7) == set()
    assert wrong(["disk full"], 2) == {"faults injected"}
    assert wrong([*list(FAULTS)[1:], "disk full"], 7) == {"each kind of fault"}
    assert wrong(FAULTS, 7, [4711]) == {"hung ranks were ended"}


def sampled(held):
    return [(10.0 * i, {"all": value}) for i, value in enumerate(held)]


def test_memory_that_grows_and_memory_that_does_not():
    start = [3e9 * i / 50 for i in range(50)]  # the first quarter is how a search begins
    peaks = [1e9 if i % 5 == 0 else 3e9 for i in range(150)]  # a slot that starts again
    assert growth(sampled(start + peaks), "all").flat
    leak = [value + 4e6 * i for i, value in enumerate(peaks)]
    found = growth(sampled(start + leak), "all")
    assert not found.flat
    assert found.grown == pytest.approx(149 * 4e6, rel=0.05)
    assert growth(sampled(peaks[:20]), "all").flat is None
