"""What events tell, as typed: nothing of a line is lost or added on the way."""

from pathlib import Path

import pytest

from raysearch.ledger import EVENTS, Event, parse_event
from raysearch.ledger_events import (
    REQUIRED,
    Checkpointed,
    Ended,
    EpochDone,
    Paused,
    Resumed,
    Started,
    Steered,
    line_of,
    read_data,
)

KINDS = {
    "started": Started,
    "epoch": EpochDone,
    "checkpoint": Checkpointed,
    "paused": Paused,
    "resumed": Resumed,
    "steered": Steered,
    **dict.fromkeys(("completed", "pruned", "failed"), Ended),
}
LEDGERS = sorted((Path(__file__).parents[1] / "replay" / "ledgers").glob("*/trials.jsonl"))


def test_every_event_has_its_class():
    assert set(KINDS) == EVENTS
    assert set(REQUIRED) <= EVENTS


@pytest.mark.parametrize("ledger", LEDGERS, ids=lambda path: path.parent.name)
def test_a_line_of_a_real_search_is_the_same_byte_for_byte(ledger):
    for line in ledger.read_bytes().splitlines(keepends=True):
        event = parse_event(line, ledger.name)
        header = (event.event, event.seq, event.trial, event.number, event.attempt)
        where = (event.fence, event.time, event.slot)
        told = line_of(event.told(KINDS[event.event]))
        assert Event(*header, *where, told).to_line() == line


def test_what_a_line_does_not_tell_is_none_and_stays_out_of_it():
    told = read_data(EpochDone, {"epoch": 3, "metrics": {"val_uar": None}, "of_later": 7})
    assert (told.train_s, told.done) == (None, None)
    assert line_of(told) == {"epoch": 3, "metrics": {"val_uar": None}}
    assert line_of(Started({}, published=False)) == {"config": {}, "published": False}
