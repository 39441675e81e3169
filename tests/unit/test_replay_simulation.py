"""Searches in simulated time, by the real conductor."""

import math
from collections import Counter

import optuna
import pytest
from curve_tables import falling, table_of

from raysearch.replay.nearest_row import Untried
from raysearch.replay.recorded_problem import row_number
from raysearch.replay.row_sampler import RowSampler
from raysearch.replay.rule_comparison import Plan, Switch, compare_rules
from raysearch.replay.search_rules import RULES, Rule
from raysearch.replay.simulation import Conditions, Simulation, replay
from raysearch.tuning.stop_rules import RuleSettings, stop_rule
from raysearch.tuning.study import Study

EPOCHS, ROWS = 10, 40
# The nearer its setting is to 12, the lower a row's loss.
TABLE = table_of([falling(0.5 + abs(math.log(i / 12)) / 4, EPOCHS)[1:] for i in range(1, ROWS + 1)])


@pytest.fixture
def simulated(tmp_path):
    """A search that is over, by rule, conditions and seed."""

    def run(rule, *conditions, table=TABLE, seed=0):
        simulation = Simulation(table, RULES[rule], Conditions(*conditions), seed, tmp_path)
        simulation.run()
        return simulation

    return run


def epochs_of(simulation):
    return [event for event in simulation.ledger.events if event.event == "epoch"]


def rows_of(simulation):
    return [row_number(r.trial) for r in simulation.conductor.trials.records.values()]


@pytest.mark.parametrize("rule", RULES)
def test_every_epoch_is_one_that_was_recorded(simulated, rule):
    simulation = simulated(rule, 100)
    records = simulation.conductor.trials.records
    for record in records.values():
        row = TABLE.rows[row_number(record.trial)]
        told = [record.epochs[epoch].metrics["val_loss"] for epoch in sorted(record.epochs)]
        assert record.config == row.config
        assert told == row.values[: len(told)]
    assert len(set(rows_of(simulation))) == len(records), "a row was tried twice"


@pytest.mark.parametrize("rule", RULES)
def test_the_budget_is_kept_to_the_epoch(simulated, rule):
    simulation = simulated(rule, 105)
    assert len(epochs_of(simulation)) == 105
    assert simulation.course.spent == list(range(1, 106))
    assert simulation.conductor.stopping == "epoch budget"


def test_regret_is_that_of_the_best_so_far(simulated):
    simulation = simulated("tpe", 60)
    lowest, best = 2.0, []
    for event in epochs_of(simulation):
        lowest = min(lowest, event.data["metrics"]["val_loss"])
        best.append(lowest)
    ends = sorted(row.values[-1] for row in TABLE.rows)
    middling = (ends[ROWS // 2 - 1] + ends[ROWS // 2]) / 2
    expected = [(value - ends[0]) / (middling - ends[0]) for value in [2.0, *best]]
    assert list(simulation.course.regrets(TABLE, 60, 60)) == pytest.approx(expected)


@pytest.mark.parametrize("rule", RULES)
def test_all_rows_are_tried_if_the_budget_lets_them_and_the_best_is_found(simulated, rule):
    simulation = simulated(rule, 10_000)
    assert sorted(rows_of(simulation)) == list(range(ROWS))
    assert simulation.conductor.finished
    if rule in ("random", "tpe"):
        assert simulation.course.regrets(TABLE, 10_000, 1000)[-1] == 0


def test_asha_stops_whom_the_stop_rule_stops(simulated):
    simulation = simulated("asha", 300)
    rule = stop_rule("asha", RuleSettings(max_epochs=EPOCHS, grace_epochs=None, reduction_factor=3))
    stopped, best = {}, {}
    for event in epochs_of(simulation):
        number, epoch = event.number, event.data["epoch"]
        value = -event.data["metrics"]["val_loss"]
        best[number] = max(value, best.get(number, value))
        if epoch == EPOCHS:
            rule.record(number, epoch, best[number])
        elif rule.stops(number, epoch, best[number]):
            stopped[number] = epoch
    pruned = simulation.conductor.trials.with_status("pruned")
    assert {record.number: record.last_epoch for record in pruned} == stopped
    assert len(stopped) > 5


def test_tpe_learns_where_random_draws_do_not(simulated):
    many = table_of([[abs(math.log(i / 40))] for i in range(1, 401)])

    def last_losses(rule, seed):
        """The mean loss of the last ten of thirty rows."""
        rows = rows_of(simulated(rule, 30, table=many, seed=seed))[-10:]
        return sum(many.rows[row].values[0] for row in rows) / 10

    tpe, random = ([last_losses(rule, seed) for seed in range(3)] for rule in ("tpe", "random"))
    assert max(tpe) < min(random)


def test_equal_seeds_search_alike_and_others_do_not(simulated):
    first, again, other = (simulated("asha", 200, 3, seed=seed) for seed in (5, 5, 6))
    assert first.ledger.events == again.ledger.events
    assert first.course == again.course
    assert rows_of(first) != rows_of(other)


def test_slots_work_at_the_same_time(simulated):
    simulation = simulated("tpe", 80, 4)
    assert simulation.course.wall == 20
    at_once = Counter(event.time for event in epochs_of(simulation))
    assert set(at_once.values()) == {4}
    first = [event for event in epochs_of(simulation) if event.time == 1]
    assert [(event.number, event.slot) for event in first] == [(i, i) for i in range(4)]


def test_a_dear_epoch_takes_its_slot_longer(simulated):
    losses = [falling(0.5 + i / 10, 3)[1:] for i in range(8)]
    costs = [0.5, 2.0] * 4
    table = table_of(losses, costs=costs, epoch_s=4.0)
    simulation = simulated("random", 12, 2, table=table)
    spent, now = 0.0, dict.fromkeys(range(2), 0.0)
    for event, told in zip(epochs_of(simulation), simulation.course.spent, strict=True):
        cost = costs[row_number(event.trial)]
        now[event.slot] += cost
        assert event.time == now[event.slot]
        assert event.data["train_s"] == 4.0 * cost
        spent += cost
        assert told == spent
    assert 12 <= spent < 14


def test_a_switch_costs_its_slot_and_the_budget(simulated):
    simulation = simulated("asha", 100, 1, 0.5)
    num_epochs, num_trials = len(epochs_of(simulation)), simulation.course.num_trials
    assert simulation.course.spent[-1] == simulation.course.wall
    assert simulation.course.spent[-1] == num_epochs + 0.5 * num_trials
    assert 100 <= simulation.course.spent[-1] < 101.5
    assert {event.data["train_s"] for event in epochs_of(simulation)} == {1.0}


def test_an_epoch_without_a_value_is_no_better_than_those_before(simulated):
    table = table_of([[1.0, None, 0.8], [None, None, None], [None, 0.9, 0.5]])
    simulation = simulated("asha", 9, table=table)
    told = [event.data["metrics"].get("val_loss") for event in epochs_of(simulation)]
    assert None in told
    lowest, best = 2.0, []
    for value in told:
        lowest = min(lowest, value or lowest)
        best.append(-lowest)
    assert simulation.course.best == best


def test_optuna_is_told_of_the_rows_that_were_run():
    untried = Untried(TABLE)
    study = Study(
        None,
        "rows",
        TABLE.space,
        seed=0,
        num_startup=4,
        around=lambda sampler: RowSampler(sampler, TABLE.space, untried),
    )
    values = [study.propose(number) for number in range(ROWS)]
    assert sorted(value["hp_rate"] for value in values) == [float(i) for i in range(1, ROWS + 1)]


def test_a_given_trial_takes_no_row_from_the_sampler():
    untried = Untried(TABLE)
    sampler = RowSampler(optuna.samplers.RandomSampler(seed=0), TABLE.space, untried)
    study = optuna.create_study(sampler=sampler)
    study.enqueue_trial({"hp_rate": 3.0})
    assert study.ask().suggest_float("hp_rate", 1, ROWS, log=True) == 3.0
    taken = [untried.take({"hp_rate": 20.0}).config["hp_rate"] for _ in range(ROWS)]
    assert taken[0] == 20
    assert sorted(taken) == [float(i) for i in range(1, ROWS + 1)]


def test_equal_rules_are_replayed_once_and_the_present_one_always():
    two = {name: RULES[name] for name in ("promote", "default")}
    one = compare_rules([TABLE], two, Plan(2, 50))
    assert one.num_epochs == 200
    assert one.rules["promote"] == one.rules["default"]
    alone = compare_rules([TABLE], {"tpe": RULES["tpe"]}, Plan(2, 50))
    assert list(alone.rules) == ["tpe"]
    assert alone.num_epochs == 200


def test_a_small_table_has_half_of_its_runs_as_its_budget():
    assert Plan().conditions(TABLE).budget == 20 * EPOCHS
    assert Plan().conditions(table_of([[1.0, 0.9 - i / 9] for i in range(7)])).budget == 3 * 2


def test_seconds_of_a_switch_are_epochs_where_a_table_knows_them():
    table = table_of([[1.0], [0.5]], epoch_s=4.0)
    assert Plan(switch=Switch(2.0, in_seconds=True)).conditions(table).switch_cost == 0.5


def test_a_replay_leaves_nothing_behind(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    replay(TABLE, RULES["asha"], Conditions(100), 0)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("part", "kind"), [(0.0, "flat"), (0.5, "falling")])
def test_who_goes_on_is_whom_the_search_expects_to(part, kind, tmp_path):
    """After three epochs every second row is a little worse than the others, but still falls."""
    flat = [1.0 + i / 1000 for i in range(ROWS)]
    curves = [
        [flat[i]] * EPOCHS
        if i % 2
        else [1.5, 1.3, 1.1 + i / 1000, *[0.9 + i / 1000] * (EPOCHS - 3)]
        for i in range(ROWS)
    ]
    rule = Rule("", {"scheduler": "promote", "noise": 0.0, "extrapolation": part})
    simulation = Simulation(table_of(curves), rule, Conditions(40), 0, tmp_path)
    simulation.run()
    records = simulation.conductor.trials.records.values()
    further = [row_number(one.trial) for one in records if max(one.epochs, default=0) > 3]
    (most, _), *_ = Counter(("falling", "flat")[row % 2] for row in further).most_common()
    assert most == kind
