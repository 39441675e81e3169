"""The record of a final model: written, read, and never taken from outside the run."""

import json
import shutil

import pytest

from raysearch.errors import UserError
from raysearch.evaluation.final_model import (
    ALL_ROWS,
    FINAL,
    FinalModel,
    Net,
    load_final,
    save_final,
)
from raysearch.evaluation.final_stage import apportioned
from raysearch.published_folder import publish
from raysearch.run_folder import RunFolder
from raysearch.spec import SearchSpec
from raysearch.storage.replica import open_storage
from raysearch.storage.run_storage import send_published
from raysearch.training.inputs import INPUTS
from raysearch.training.predictions import PREDICTIONS
from raysearch.training.trial_state import BEST


@pytest.fixture
def run(tmp_path):
    return RunFolder(tmp_path / "run")


def model(run, *shares, method="ensemble"):
    run.root.mkdir(parents=True, exist_ok=True)
    config = SearchSpec.load("cnn").base
    nets = [
        Net(number, config, run.root / "checkpoints" / f"{number:04d}" / "last", 0, share)
        for number, share in enumerate(shares)
    ]
    return FinalModel(method, "abc", (), "why", {"winner_ua": 0.5}).with_nets(nets)


def test_it_is_read_as_it_was_written(run):
    written = model(run, 1, 1, 2)
    save_final(run, written)
    assert load_final(run) == written
    assert [net.weight for net in written.nets] == [0.25, 0.25, 0.5]


def test_a_search_that_did_not_get_so_far_has_none(run):
    assert load_final(run) is None


def test_shares_are_summed_over_a_trials_nets(run):
    one = model(run, 1, 1)
    bag = one.with_nets([*one.nets, one.nets[0]])
    assert bag.members == {0: pytest.approx(2 / 3), 1: pytest.approx(1 / 3)}
    assert "trial 0000, 0001" in bag.describe()


@pytest.mark.parametrize("file", ["weights", "inputs", "predictions"])
def test_what_another_machine_has_published_is_fetched(tmp_path, monkeypatch, file):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    run = RunFolder(open_storage(f"file://{tmp_path}/store") / "run")
    folder = run.root / "final" / "partner" / "seed-1" / "weights"
    net = Net(None, SearchSpec.load("cnn").base, folder, 1)

    def write(stage):
        for name in (BEST, INPUTS, PREDICTIONS):
            (stage / f"inner-1.{name}").write_text(name)

    publish(folder, write)
    send_published(folder)
    shutil.rmtree(folder)
    assert getattr(net, file).read_text() in (BEST, INPUTS, PREDICTIONS)


def test_nets_of_inner_folds_have_files_of_their_own(run):
    net = model(run, 1).nets[0]
    assert net.prefix == ""
    assert Net(0, net.config, net.folder, 2).prefix == "inner-2."
    assert Net(0, net.config, net.folder, ALL_ROWS).prefix == ""


@pytest.mark.parametrize(
    "change",
    [
        {"nets": [{}]},
        {"method": "ensemble", "nets": 3},
        {"surprise": 1},
        {
            "nets": [
                {"folder": "../../elsewhere", "trial": 0, "config": {}, "inner": 0, "weight": 1}
            ]
        },
    ],
)
def test_a_damaged_record_is_refused_by_name(run, change):
    save_final(run, model(run, 1))
    path = run.root / FINAL
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(UserError, match=r"final\.json: not a final model"):
        load_final(run)


def test_lost_weights_are_told(run):
    with pytest.raises(UserError, match="the weights are gone"):
        _ = model(run, 1).nets[0].weights


def test_nets_are_shared_out_in_proportion():
    assert apportioned({3: 1}, 3) == {3: 3}
    assert apportioned({1: 2, 2: 1}, 3) == {1: 2, 2: 1}
    assert apportioned({1: 5, 2: 3, 3: 1}, 3) == {1: 2, 2: 1}
    assert apportioned({1: 1, 2: 1}, 0) == {}
