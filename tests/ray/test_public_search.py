"""The search as a library has it, and the same search again inside the other folds."""

import subprocess
import sys

import pytest
from tiny_search import search, small_spec

from raysearch.evaluation.evaluate import evaluate
from raysearch.evaluation.experiment import plan_experiment
from raysearch.evaluation.run_splits import RunSplits
from raysearch.evaluation.sweep_axes import points_of, read_axis
from raysearch.evaluation.winner_folds import winner_configs
from raysearch.ledger import read
from raysearch.run_lease import RunLease
from raysearch.searching.other_folds import search_other_folds
from raysearch.searching.results import Run
from raysearch.tuning.tuner import Watcher

pytestmark = pytest.mark.ray

FILES = (
    *("spec.yaml", "run.json", "trials.jsonl", "splits.csv", "learned_from.csv", "summary.json"),
    *("leaderboard.csv", "leaderboard.md", "best/model_card.md", "best/weights.safetensors"),
)
NARROW = read_axis("model.width=4")
SCRIPT = """
import sys
sys.path.insert(0, {folder!r})
import raysearch
from tiny_search import SMALL

class Ears(raysearch.SearchObserver):
    def __init__(self):
        self.heard, self.events = [], 0

    def say(self, line):
        self.heard.append(line)

    def changed(self, trials, event):
        self.events += 1

    def ended(self, run):
        self.heard.append(f"over: {{run.outcome}}")

ears = Ears()
spec = raysearch.load_space("emohrnet", {{**SMALL, "search.trials": 1}})
run = raysearch.search(spec, storage={storage!r}, name="own", observers=[ears])
print(ears.heard[0], ears.heard[-1], ears.events, run.winner.number, run.best.is_dir(), sep="|")
"""


def test_a_script_searches_and_reads_what_was_found(storage, pytestconfig):
    script = SCRIPT.format(folder=str(pytestconfig.rootpath / "tests/ray"), storage=str(storage))
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    folder = storage / "own"
    num_events = len(read(folder / "trials.jsonl"))
    assert ended.stdout.strip() == f"run: {folder}|over: finished|{num_events}|0|True"


@pytest.mark.slow
def test_a_nested_search_leaves_what_every_search_leaves(storage, cluster):
    settings = {"search__trials": 1, "training__epochs": 1, "protocol__num_folds": 2}
    run, _ = search(small_spec(**settings), storage, "outer", cluster, finals=("single",))
    said = []
    watcher = Watcher(said.append, lambda *counts: None)
    search_other_folds(run, cluster, storage=storage, watcher=watcher)
    inner = Run(run.nested(1).root)
    assert said[0] == "searching inside fold 1"
    assert [name for name in FILES if not (inner.folder / name).is_file()] == []
    assert (inner.outcome, inner.summary["num_trials"]) == ("finished", 1)
    ledger = inner.files.ledger_file.read_bytes()
    search_other_folds(run, cluster, storage=storage, watcher=watcher)
    assert inner.files.ledger_file.read_bytes() == ledger, "a search that is over was repeated"
    with RunLease.acquire(run.root) as lease:
        figures = evaluate(run, "nested", cluster, lease, storage=storage, watcher=watcher)
        _each_fold_s_own_winner_is_changed(run, lease, cluster, storage, watcher, figures)


def _each_fold_s_own_winner_is_changed(run, lease, cluster, storage, watcher, figures):
    splits, (narrow,) = RunSplits(run, storage), points_of(winner_configs(run, None), [NARROW])
    experiment = plan_experiment(run, {"narrow": narrow.of}, folds=None, splits=splits)
    assert "on folds 0 to 1: 10 trainings, 4 of them there already" in experiment.outlay_line()
    outcome = experiment.carry_out(lease, cluster, storage=storage, watcher=watcher)
    assert outcome.figures["winner"]["ua"] == figures["ua"]
    assert outcome.figures["narrow"]["nested"] == 2
    assert outcome.compared["narrow"].comparison.num_speakers == 12
    assert outcome.compared["narrow"].comparison.verdict == "cannot be tested"  # of two folds
    assert experiment.outlay().missing == 0
