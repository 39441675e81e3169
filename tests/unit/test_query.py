"""SQL over a run: what its tables hold, how answers are printed, and what is out of reach."""

import csv
import io
import json
import re
import shutil
from contextlib import closing
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rich.console import Console

from raysearch.__main__ import main
from raysearch.cli.query import answer_table, schema_table
from raysearch.cli.tables import print_table
from raysearch.errors import UserError
from raysearch.ledger import EVENTS, WHOLE, Ledger
from raysearch.reporting.run_tables import ABOUT, run_tables
from raysearch.reporting.sql import ask
from raysearch.run_folder import RunFolder

PAGE = Path(__file__).parents[2] / "docs" / "at-the-terminal.md"
LEDGERS = Path(__file__).parents[1] / "replay" / "ledgers"


@pytest.fixture
def run(tmp_path):
    """A recorded search with a trial that was lost and went on."""
    shutil.copytree(LEDGERS / "resumed", tmp_path / "run")
    run = RunFolder(tmp_path / "run")
    rows = [
        {"utterance": name, "speaker": "a", "fold": 0, "split": side}
        for name, side in (("u1", "train"), ("u,2\n", "test"), ("u3", "test"))
    ]
    run.write_splits(rows)
    for mode, seeds in (("fold", [0, 1]), ("paper", [0])):
        table = pa.table({
            "utterance": ["u3"] * len(seeds), "corpus": ["demo"] * len(seeds),
            "speaker": ["a"] * len(seeds), "fold": [0] * len(seeds), "seed": seeds,
            "emotion": ["sad"] * len(seeds), "predicted": ["calm"] * len(seeds),
            "p_calm": [0.7] * len(seeds), "p_sad": [0.3] * len(seeds),
        })  # fmt: skip
        pq.write_table(table, run.root / f"predictions-{mode}.parquet")
    return run


def rows(run, query):
    return [tuple(row) for row in ask(run_tables(run), query).rows]


def test_trials_are_those_of_the_ledger(run):
    trials = run.trials()
    found = rows(run, "SELECT number, trial, status, best, epochs, model_dropout FROM trials")
    assert found == [
        (r.number, r.trial, r.status, r.best_metric, len(r.epochs), r.config.get("model.dropout"))
        for r in trials.records.values()
    ]
    (best,) = rows(run, "SELECT arg_max(number, best) FROM trials WHERE status = 'completed'")
    assert best == (trials.ranked()[0].number,)


def test_epochs_that_were_trained_again_do_not_count(run):
    trials, events = run.trials(), run.events()
    trained = sum(event.event == "epoch" for event in events)
    assert rows(run, "SELECT count(*) FROM epochs") == [(trained,)]
    assert rows(run, "SELECT count(*) FROM epochs WHERE counts") == [(trials.num_epochs,)]
    assert trained > trials.num_epochs, "the recorded search has lost some"
    record = next(iter(trials.records.values()))
    query = (
        f"SELECT epoch, val_uar FROM epochs WHERE counts AND number = {record.number} ORDER BY 1"
    )
    assert rows(run, query) == [(e.epoch, e.metrics["val_uar"]) for e in record.epochs.values()]


def test_events_keep_all_that_their_lines_hold(run):
    (told,) = rows(run, "SELECT data FROM events WHERE seq = 1")
    assert json.loads(told[0]) == dict(run.events()[0].data)
    assert rows(run, "SELECT count(*) FROM events") == [(len(run.events()),)]


def test_predictions_of_all_evaluations_and_splits(run):
    query = "SELECT mode, count(*), max(p_calm) FROM predictions GROUP BY mode ORDER BY mode"
    assert rows(run, query) == [("fold", 2, 0.7), ("paper", 1, 0.7)]
    joined = (
        "SELECT split, count(DISTINCT utterance) FROM splits LEFT JOIN predictions "
        "USING (utterance) GROUP BY split ORDER BY split"
    )
    assert rows(run, joined) == [("test", 2), ("train", 1)]
    assert rows(run, "SELECT utterance FROM splits ORDER BY utterance LIMIT 1") == [("u,2\n",)]


def test_a_search_that_has_just_begun_has_all_tables(run):
    for file in (run.ledger_file, run.splits_file, *run.root.glob("predictions-*")):
        file.unlink()
    for name in ABOUT:
        assert rows(run, f"SELECT count(*) FROM {name}") == [(0,)]
    assert rows(run, "SELECT best FROM trials JOIN predictions ON number = predictions.seed") == []


def test_settings_of_several_kinds_and_what_is_not_finite(run):
    run.ledger_file.unlink()
    ledger = Ledger.open(run.ledger_file, 1)
    values = (1, 2.5, None)
    for number, value in enumerate(values):
        event = {"trial": f"t{number}", "number": number, "attempt": 1, "slot": 0}
        ledger.append("started", config={"a.mixed": value, "a.list": [number]}, **event)
        ledger.append("epoch", epoch=1, metrics={"val_uar": float("nan")}, **event)
    ledger.append("started", config={"a.mixed": "auto"}, trial="t3", number=3, attempt=1)
    ledger.close()
    found = rows(run, "SELECT a_mixed, a_list FROM trials")
    assert found == [("1", "[0]"), ("2.5", "[1]"), (None, "[2]"), ('"auto"', None)]
    assert rows(run, "SELECT DISTINCT val_uar FROM epochs") == [(None,)]


@pytest.mark.parametrize(
    "query",
    [
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT content FROM read_text('{file}')",
        "SELECT * FROM '{file}'",
        "SELECT * FROM glob('/*')",
        "SELECT * FROM run",
        "COPY trials TO '{folder}/x.csv'",
        "ATTACH '{folder}/x.db'",
        "INSTALL httpfs",
        "SET enable_external_access = true",
        "CREATE TABLE x AS SELECT 1",
        "DROP VIEW trials",
        "SELECT 1; SELECT 2",
        "SELECT bests FROM trials",
        "selec",
        "",
    ],
)
def test_nothing_else_can_be_reached_and_mistakes_are_one_line(run, tmp_path, capsys, query):
    before = sorted(tmp_path.rglob("*"))
    query = query.format(file=run.splits_file, folder=tmp_path)
    assert main(["query", str(run.root), query]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith("raysearch: query: ")
    assert told.err.count("\n") == 1
    assert sorted(tmp_path.rglob("*")) == before


def test_an_error_names_what_may_have_been_meant(run):
    with pytest.raises(UserError, match='Candidate bindings: "best"'):
        rows(run, "SELECT bests FROM trials")


def test_answers_for_machines_keep_all_digits(run, capsys):
    query = "SELECT number, train_s, reason, started FROM trials WHERE number = 0"
    record = run.trials().records[0]
    assert main(["query", str(run.root), query, "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["number"], row["train_s"], row["reason"]) == (0, record.train_s, record.reason)
    assert row["started"].startswith("1970-01-01T00:16:40")
    assert main(["query", str(run.root), query, "--csv"]) == 0
    (row,) = csv.DictReader(io.StringIO(capsys.readouterr().out))
    assert (row["number"], float(row["train_s"])) == ("0", record.train_s)


def test_two_columns_of_one_name_lose_none(run, capsys):
    query = "SELECT a.number, b.number{} FROM trials a, trials b WHERE b.number = a.number + 1"
    assert main(["query", str(run.root), query.format(""), "--json"]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err == (
        "raysearch: query: --json: several columns are called 'number': give each a name of its own"
        " by AS\n"
    )
    assert main(["query", str(run.root), query.format(" AS next"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[0] == {"number": 0, "next": 1}
    assert main(["query", str(run.root), query.format(""), "--csv"]) == 0
    assert capsys.readouterr().out.splitlines()[:2] == ["number,number", "0,1"]


def test_what_was_steered_is_no_trials(run):
    path = run.ledger_file
    with closing(Ledger.open(path, run.events()[-1].fence)) as ledger:
        steered = {"id": "a", "action": "more-trials", "amount": 2.0}
        ledger.append("steered", trial=WHOLE, number=-1, attempt=1, slot=0, **steered)
    found = rows(run, "SELECT number, trial FROM events WHERE event = 'steered'")
    assert found == [(-1, "search")]
    about = run_tables(run)["events"].about
    assert set(re.findall(r"\w+", about["event"])) >= EVENTS
    assert ("-1" in about["number"], "search" in about["trial"]) == (True, True)


def test_the_schema_says_what_every_table_holds(run, capsys):
    assert main(["query", "--schema", str(run.root)]) == 0
    told = capsys.readouterr().out
    for name, table in run_tables(run).items():
        assert ABOUT[name] in told
        assert all(f"  {column} " in told for column in table.data.column_names)
    assert main(["query", "--schema", str(run.root), "--json"]) == 0
    listed = {(one["table"], one["column"]) for one in json.loads(capsys.readouterr().out)}
    assert ("predictions", "p_calm") in listed
    assert main(["query", str(run.root)]) == 2
    assert "give either a SELECT or --schema" in capsys.readouterr().err


def test_the_page_names_every_table_and_column(run):
    rows = re.findall(r"(?m)^\| `(\w+)` \| [^|]+ \| (.+) \|$", PAGE.read_text(encoding="utf-8"))
    told = {table: re.findall(r"`([\w.-]+)`", text) for table, text in rows}
    assert set(ABOUT) <= set(told)
    for file in (run.ledger_file, *run.root.glob("predictions-*")):
        file.unlink()
    for name, table in run_tables(run).items():
        assert [word for word in told[name] if word in table.data.column_names] == [
            column for column in told[name] if column in table.about
        ]
        assert set(table.data.column_names) <= set(told[name])


@pytest.mark.parametrize("width", [60, 80, 160, 200])
def test_no_line_is_wider_than_the_terminal(run, width):
    console = Console(width=width, force_terminal=True, color_system=None)
    with console.capture() as shown:
        answer = ask(run_tables(run), "SELECT number, status, best, reason FROM trials")
        print_table(console, answer_table(answer))
        print_table(console, schema_table(run_tables(run)))
    assert max(map(len, shown.get().splitlines())) <= width
    assert "completed" in shown.get()
