"""``best/`` holds the winner's weights and what is needed to use them, whole or not at all."""

import json

import pytest
import torch

from raysearch.ledger import Ledger
from raysearch.models.table import build_model
from raysearch.reporting.best_model import WEIGHTS, write_best
from raysearch.run_folder import RunFolder
from raysearch.spec import SearchSpec, TrialConfig
from raysearch.training.checkpoint import load_tensors, load_weights, save_tensors

LABELS = ("angry", "calm", "sad")
SMALL = {"model.branches": 2, "model.blocks": 1, "model.stem_width": 16}


@pytest.fixture
def run(tmp_path):
    """Trial 0 at width 8 with 0.4 validation UA, trial 1 at width 12 with 0.6."""
    folder = RunFolder(tmp_path)
    spec = SearchSpec.load("emohrnet", list(SMALL.items()))
    folder.spec_file.write_text(spec.to_yaml())
    ledger = Ledger.open(folder.ledger_file, 1)
    for number, (width, uar) in enumerate([(8, 0.4), (12, 0.6)]):
        event = {"trial": f"t{number}", "number": number, "attempt": 1, "slot": 0}
        config = {"model.width": width, "training.learning_rate": 1.0e-3}
        ledger.append("started", config=config, **event)
        metrics = {"val_uar": uar, "val_wa": uar, "val_macro_f1": uar}
        ledger.append("epoch", epoch=1, metrics=metrics, train_s=1.0, **event)
        path = f"checkpoints/{number:04d}/epoch-0001-attempt-1"
        (tmp_path / path).mkdir(parents=True)
        torch.manual_seed(number)
        model = build_model(spec.resolve(config).model, {"mel": 64}, len(LABELS))
        save_tensors(tmp_path / path / "best.safetensors", model.state_dict())
        ledger.append("checkpoint", path=path, epoch=1, **event)
        ledger.append("completed", **event)
    ledger.close()
    return folder


def write(run):
    return write_best(run, run.spec(), run.trials(), LABELS, {"train speakers": "01, 02"})


def test_the_winner_can_be_loaded_from_best_alone(run):
    folder = write(run)
    assert folder == run.best
    config = TrialConfig.from_dict(json.loads((folder / "config.json").read_text()))
    assert config.model.width == 12
    labels = json.loads((folder / "labels.json").read_text())
    model = build_model(config.model, {"mel": config.features["mel"].n_mels}, len(labels))
    load_weights(model, load_tensors(folder / WEIGHTS), "best")
    assert json.loads((folder / "metrics.json").read_text())["number"] == 1


def test_the_card_says_what_the_figures_are(run):
    card = (write(run) / "model_card.md").read_text()
    assert "60.0%" in card
    assert "they flatter" in card
    assert "train speakers: 01, 02" in card


def test_a_winner_without_weights_gives_way_to_the_next(run):
    (run.root / "checkpoints/0001/epoch-0001-attempt-1/best.safetensors").unlink()
    folder = write(run)
    assert json.loads((folder / "metrics.json").read_text())["number"] == 0


def test_best_is_replaced_whole(run):
    write(run)
    (run.best / "stray").write_text("from before")
    write(run)
    assert not (run.best / "stray").exists()
    assert not list(run.root.glob(".best*"))


def test_nothing_to_keep_is_no_error(tmp_path):
    folder = RunFolder(tmp_path)
    folder.spec_file.write_text(SearchSpec.load("emohrnet").to_yaml())
    assert write(folder) is None
