"""What somebody asks of a search while it runs: refused, done, written first, taken up again."""

import json
import shutil
import urllib.error
import urllib.request

import pytest
from fake_slots import FakeSearch, small_spec

from raysearch.errors import UserError
from raysearch.ledger_events import BY_HAND, Steered
from raysearch.page.live_page import TOKEN, served
from raysearch.page.steered_run import page_of
from raysearch.run_folder import RunFolder
from raysearch.run_lease import RunLease
from raysearch.steering import (
    checked_command,
    commands_in,
    commands_taken,
    in_words,
    leave_command,
)
from raysearch.trial_records import Trials

SETTINGS = {"training.learning_rate": 3e-4, "model.dropout": 0.1}


class Asking:
    """Commands that come once the ledger has so many epochs."""

    def __init__(self, *commands):
        self.search, self.left = None, list(commands)

    def __call__(self):
        due = []
        while self.left and len(self.search.events("epoch")) >= self.left[0][0]:
            due.append(self.left.pop(0)[1])
        return due


def asked_search(folder, spec, *commands, **slots):
    asking = Asking(*commands)
    search = FakeSearch.__new__(FakeSearch)
    asking.search = search
    search.folder = folder
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "trials.jsonl").touch()
    search.__init__(folder, spec, commands=asking, **slots)
    return search


def test_a_trial_that_is_stopped_ends_with_its_epoch_and_keeps_its_weights(tmp_path):
    spec = small_spec(search__scheduler="none", training__epochs=6, search__trials=3)
    search = asked_search(tmp_path, spec, (2, Steered("a", "stop-trial", target=0))).run()
    first = search.trials.records[0]
    assert (first.status, first.reason, first.last_epoch) == ("pruned", BY_HAND, 3)
    assert first.checkpoint[1] == 3
    kinds = [e.event for e in search.events() if e.number == 0 or e.event == "steered"]
    assert kinds.index("steered") < kinds.index("pruned")
    assert search.trials.records[1].status == "completed"


def test_a_paused_trial_that_is_stopped_ends_at_once(tmp_path):
    spec = small_spec(search__scheduler="promote", training__epochs=8, search__trials=5)
    alone = FakeSearch(tmp_path / "alone", spec).run()
    paused = next(e for e in alone.events() if e.event == "paused")
    told = len([e for e in alone.events("epoch") if e.seq < paused.seq])
    command = Steered("a", "stop-trial", target=paused.number)
    search = asked_search(tmp_path / "run", spec, (told, command)).run()
    record = search.trials.records[paused.number]
    assert (record.status, record.reason) == ("pruned", BY_HAND)
    assert not [e for e in search.events("resumed") if e.number == paused.number]


def test_more_trials_are_proposed(tmp_path):
    spec = small_spec(search__scheduler="none", search__trials=2)
    search = asked_search(tmp_path, spec, (3, Steered("a", "more-trials", amount=2))).run()
    assert len(search.trials.records) == 4
    assert search.conductor.stopping is None


def test_the_search_that_is_stopped_keeps_what_it_has_and_can_go_on(tmp_path):
    spec = small_spec(search__scheduler="none", training__epochs=6)
    search = asked_search(tmp_path, spec, (8, Steered("a", "stop"))).run()
    assert search.conductor.stopping == BY_HAND
    assert [r.status for r in search.trials.records.values()] == ["completed", "running"]
    again = FakeSearch(tmp_path, spec, fence=2).run()
    assert again.conductor.stopping is None
    assert len(again.trials.records) == spec.search.trials


def test_settings_that_are_asked_for_come_next_and_on_top(tmp_path):
    spec = small_spec(search__trials=3)
    search = asked_search(tmp_path, spec, (2, Steered("a", "try", values=SETTINGS))).run()
    assert len(search.trials.records) == 4
    assert search.trials.records[1].config == SETTINGS
    assert search.trials.records[1].details["asked"] == "a"
    assert search.trials.asked == {}


def test_given_settings_come_before_those_that_are_asked_for(tmp_path):
    spec = small_spec(search__trials=3, search__defaults_first=True)
    search = asked_search(tmp_path, spec, (0, Steered("a", "try", values=SETTINGS))).run()
    records = search.trials.records
    assert records[0].published
    assert records[1].is_own
    assert records[2].config == SETTINGS


@pytest.mark.parametrize("line", range(1, 30))
def test_whichever_event_its_driver_dies_after_the_search_ends_as_it_would(tmp_path, line):
    """Its commands are in the ledger by then, or still lie in their folder."""
    commands = [
        (3, Steered("a", "try", values=SETTINGS)),
        (5, Steered("b", "more-trials", amount=1)),
        (9, Steered("c", "stop-trial", target=2)),
    ]
    spec = small_spec(search__trials=5, training__epochs=6, search__scheduler="promote")
    kept = tmp_path / "kept"

    def keep(folder):
        shutil.copytree(folder, kept / folder.relative_to(tmp_path / "whole"))

    whole = asked_search(tmp_path / "whole", spec, *commands, send=keep).run()
    lines = (tmp_path / "whole" / "trials.jsonl").read_text().splitlines(keepends=True)
    if line >= len(lines):
        pytest.skip("the ledger has no such line")
    folder = kept.rename(tmp_path / "run")
    (folder / "trials.jsonl").write_text("".join(lines[:line]))
    for path in folder.glob("checkpoints/*/*"):  # what was not written by then
        if f'"{path.relative_to(folder)}"' not in "".join(lines[:line]):
            shutil.rmtree(path)
    known = {json.loads(text).get("id") for text in lines[:line]}
    # The last command that was written may not have been removed.
    rest = [one for one in commands if one[1].id not in known] + commands[: len(known) - 1][-1:]
    again = asked_search(folder, spec, *sorted(rest, key=lambda one: one[0]), fence=2).run()
    found, wanted = again.trials.records, whole.trials.records
    assert len(found) == len(wanted)
    assert {n: r.config for n, r in found.items()} == {n: r.config for n, r in wanted.items()}
    assert len(again.events("steered")) == len(commands)


def test_a_core_budget_is_longer_by_what_was_added_before(tmp_path):
    spec = small_spec(search__core_budget="1m", search__scheduler="none")
    command = Steered("a", "more-core-time", amount=600.0)
    search = asked_search(tmp_path, spec, (1, command)).run()
    left = FakeSearch(tmp_path, spec, fence=2).conductor.budget_left_s
    assert left > 600
    assert search.trials.steered["a"] == command


def trials_of(*statuses):
    trials = Trials("val_uar")
    spec = small_spec()
    for number, status in enumerate(statuses):
        trials.records[number] = type("Record", (), {"number": number, "status": status})()
    return spec, trials


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({}, "action None: one of stop, stop-trial"),
        ({"action": "dance"}, "action 'dance'"),
        ({"action": "stop-trial", "target": 7}, "target 7: no trial has this number"),
        ({"action": "stop-trial", "target": "0"}, "no trial has this number"),
        ({"action": "stop-trial", "target": 1}, "trial 0001 has ended: completed"),
        ({"action": "more-trials", "amount": 1.5}, "a whole number of trials"),
        ({"action": "more-trials", "amount": True}, "amount True"),
        ({"action": "more-trials", "amount": -1}, "amount -1"),
        ({"action": "more-time", "amount": 60}, "no such budget"),
        ({"action": "more-core-time", "amount": 60}, "no such budget"),
        ({"action": "try"}, "values: searched fields"),
        ({"action": "try", "values": {"training.epochs": 3}}, "training.epochs: not searched"),
        ({"action": "try", "values": {"model.dropout": 7}}, "model.dropout 7: not in"),
    ],
)
def test_what_cannot_be_done_is_refused_with_its_reason(asked, told):
    spec, trials = trials_of("running", "completed")
    with pytest.raises(UserError, match=told):
        checked_command(asked, spec, trials)


def test_what_is_left_out_of_settings_is_the_spaces_own():
    spec, trials = trials_of()
    command = checked_command({"action": "try", "values": {"model.dropout": 0.1}}, spec, trials)
    base = spec.base.fields()
    rate = base["training.learning_rate"]
    assert command.values == {"training.learning_rate": rate, "model.dropout": 0.1}
    assert in_words(command) == "try settings"


def test_commands_are_taken_in_order_and_only_once_they_were_done(tmp_path):
    run = RunFolder(tmp_path)
    assert list(commands_in(run.steering)) == []
    with pytest.raises(UserError, match="takes no commands now"):
        leave_command(run, Steered("a", "stop"))
    run.steering.mkdir()
    for name in "ab":
        leave_command(run, Steered(name, "stop"))
    (run.steering / "0-other.json").write_text("[1]")
    taken = commands_in(run.steering)
    assert next(taken).id == "a"
    assert len(list(run.steering.glob("*.json"))) == 2
    taken.close()  # its search died while it did what was asked
    assert [one.id for one in commands_in(run.steering)] == ["a", "b"]
    assert list(run.steering.iterdir()) == []


def test_what_was_left_for_a_driver_that_died_is_taken_but_its_end(tmp_path):
    run = RunFolder(tmp_path)
    run.steering.mkdir()
    for command in (Steered("a", "stop"), Steered("b", "more-trials", amount=1.0)):
        leave_command(run, command)
    with commands_taken(run) as commands:
        assert [one.id for one in commands()] == ["b"]
        leave_command(run, Steered("c", "stop"))
        assert [one.id for one in commands()] == ["c"]
        leave_command(run, Steered("d", "stop"))
    assert not run.steering.exists()  # too late: its trials are over


def test_settings_are_those_that_a_sampler_would_give():
    spec = small_spec(keep=("training.learning_rate", "model.width", "training.mixup"))
    asked = {"action": "try", "values": {"model.width": 12.0, "training.learning_rate": 0.001}}
    values = checked_command(asked, spec, Trials("val_uar")).values
    assert (values["model.width"], type(values["model.width"])) == (12, int)
    assert type(values["training.learning_rate"]) is float


def post(address, body, token):
    request = urllib.request.Request(
        address.partition("?")[0] + "steer", data=json.dumps(body).encode(), headers={TOKEN: token}
    )
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


@pytest.fixture
def under_way(tmp_path, monkeypatch):
    """A search with a trial in flight, whose last word is a moment old."""
    spec = small_spec(search__scheduler="none")
    run = RunFolder(tmp_path / "run")
    search = FakeSearch(run.root, spec)
    run.spec_file.write_text(spec.to_yaml())
    search.fill()
    search.step(0)
    run.steering.mkdir()
    with RunLease.acquire(run.root):
        yield run


def test_only_who_has_the_token_may_ask(under_way):
    page = page_of(under_way)
    with served(page) as address:
        assert address.endswith(f"?token={page.token}")
        assert post(address, {"action": "stop"}, "guess")[0] == 403
        assert list(under_way.steering.iterdir()) == []
        assert post(address, {"action": "stop-trial", "target": 9}, page.token)[0] == 400
        code, told = post(address, {"action": "stop-trial", "target": 0}, page.token)
        assert (code, told.split(";")[0]) == (200, "asked for: stop trial 0000")
    (command,) = commands_in(under_way.steering)
    assert (command.action, command.target) == ("stop-trial", 0)


def test_nothing_can_be_asked_of_a_search_whose_driver_is_gone(under_way, monkeypatch):
    """Though its last word is a moment old."""
    monkeypatch.setattr("raysearch.page.headline.is_held", lambda folder: False)
    page = page_of(under_way)
    with served(page) as address:
        code, told = post(address, {"action": "stop"}, page.token)
    assert (code, told.startswith("nobody searches here (lost)")) == (400, True)
