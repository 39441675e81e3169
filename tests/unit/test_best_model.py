"""``best/`` holds the winner's weights and what is needed to use them, whole or not at all."""

import json
from types import SimpleNamespace

import pytest
import torch

from raysearch import published_folder
from raysearch.features.extractor import StreamShape
from raysearch.ledger import Ledger
from raysearch.models.model_table import build_model
from raysearch.reporting import best_model
from raysearch.reporting.best_model import WEIGHTS, write_best
from raysearch.run_folder import RunFolder
from raysearch.spec import SearchSpec, TrialConfig
from raysearch.training.checkpoint import load_tensors, load_weights, save_tensors

LABELS = ("angry", "calm", "sad")
SMALL = {"model.branches": 2, "model.blocks": 1, "model.stem_width": 16}


def publish(folder, weights):
    published_folder.publish(
        folder, lambda stage: save_tensors(stage / "best.safetensors", weights)
    )


@pytest.fixture
def run(tmp_path):
    """Trial 0 at width 8 with 0.4 validation UA, trial 1 at width 12 with 0.6."""
    folder = RunFolder(tmp_path)
    spec = SearchSpec.load("emohrnet", [*SMALL.items(), ("search.objective", "val_uar")])
    folder.spec_file.write_text(spec.to_yaml())
    ledger = Ledger.open(folder.ledger_file, 1)
    for number, (width, uar) in enumerate([(8, 0.4), (12, 0.6)]):
        event = {"trial": f"t{number}", "number": number, "attempt": 1, "slot": 0}
        config = {"model.width": width, "training.learning_rate": 1.0e-3}
        ledger.append("started", config=config, **event)
        metrics = {"val_uar": uar, "val_wa": uar, "val_macro_f1": uar}
        ledger.append("epoch", epoch=1, metrics=metrics, train_s=1.0, **event)
        path = f"checkpoints/{number:04d}/epoch-0001-attempt-1"
        torch.manual_seed(number)
        model = build_model(spec.resolve(config).model, {"mel": StreamShape(64, 64)}, len(LABELS))
        publish(tmp_path / path, model.state_dict())
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
    model = build_model(
        config.model, {"mel": StreamShape(config.features["mel"].n_mels, 64)}, len(labels)
    )
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


def test_a_damaged_winner_gives_way_to_the_next(run):
    weights = run.root / "checkpoints/0001/epoch-0001-attempt-1/best.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    folder = write(run)
    assert json.loads((folder / "metrics.json").read_text())["number"] == 0
    assert (
        "by validation of those whose weights were kept" in (folder / "model_card.md").read_text()
    )


class CutOff:
    """A run whose trials were cut off: each reported epochs that it never published."""

    def __init__(self, root, objective="val_uar"):
        self.objective, self.root = objective, root
        self.run = RunFolder(root)
        self.spec = SearchSpec.load("emohrnet", [("search.objective", objective)])
        self.run.spec_file.write_text(self.spec.to_yaml())
        self.ledger = Ledger.open(self.run.ledger_file, 1)

    def trial(self, number, values, *, kept, end=None, paused=False, **started):
        event = {"trial": f"t{number}", "number": number, "attempt": 1, "slot": 0}
        self.ledger.append("started", config={}, **started, **event)
        for epoch, value in enumerate(values, start=1):
            metrics = {"val_uar": 0.5, "val_wa": None, self.objective: value}
            self.ledger.append("epoch", epoch=epoch, metrics=metrics, train_s=1.0, **event)
        path = f"checkpoints/{number:04d}/a"
        publish(self.root / path, {"w": torch.full((1,), float(number))})
        self.ledger.append("checkpoint", path=path, epoch=kept, **event)
        if paused:
            self.ledger.append("paused", epoch=kept, **event)
        if end:
            self.ledger.append(end, reason="NonFiniteLossError", **event)

    def best(self):
        self.ledger.close()
        folder = write(self.run)
        card = (folder / "model_card.md").read_text()
        return json.loads((folder / "metrics.json").read_text()), card


@pytest.mark.parametrize("end", [None, "failed"])
def test_figures_are_those_of_the_weights(tmp_path, end):
    run = CutOff(tmp_path)
    run.trial(0, [0.4, 0.3, 0.9], kept=2, end=end)
    metrics, card = run.best()
    assert (metrics["best_epoch"], metrics["validation"]["val_uar"]) == (1, 0.4)
    assert "trial 0, epoch 1 of 3: UA 40.0%, WA -, macro-F1 -." in card, "no figure is made up"


@pytest.mark.parametrize(
    ("objective", "values", "shown"),
    [
        ("val_uar", (0.9, 0.4, 0.6), ": UA 60.0%, WA -, macro-F1 -."),
        ("val_uar_mean3", (0.9, 0.4, 0.6), "UA 50.0%, WA -, macro-F1 -, 3-epoch UA 60.0%."),
        ("val_loss", (0.1, 1.4, 1.2), "UA 50.0%, WA -, macro-F1 -, loss 1.200."),
    ],
)
def test_a_trial_is_worth_what_its_weights_are(tmp_path, objective, values, shown):
    best, early, other = values
    run = CutOff(tmp_path, objective)
    run.trial(0, [early, best], kept=1, end="failed")
    run.trial(1, [other], kept=1, end="pruned")
    metrics, card = run.best()
    assert (metrics["number"], metrics["validation"][objective]) == (1, other)
    assert shown in card


@pytest.mark.parametrize("paused", [False, True])
def test_where_trials_pause_the_best_value_wins_whatever_ended_it(tmp_path, paused):
    run = CutOff(tmp_path)
    run.trial(0, [0.4, 0.5], kept=2, end="completed")
    run.trial(1, [0.7], kept=1, end="pruned", paused=paused)
    run.trial(2, [0.9], kept=1, end="failed")
    assert run.best()[0]["number"] == (1 if paused else 0)


def test_published_settings_are_not_called_searched(tmp_path):
    run = CutOff(tmp_path)
    run.trial(0, [0.4], kept=1, end="completed", published=True)
    card = run.best()[1]
    assert "## Published settings that were rerun" in card
    assert "Settings that were searched" not in card


def test_best_is_replaced_whole(run):
    write(run)
    (run.best / "stray").write_text("from before")
    write(run)
    assert not (run.best / "stray").exists()
    published_folder.verify(run.best)
    assert not list(run.root.glob(".best*"))


def test_nothing_to_keep_is_no_error(tmp_path):
    folder = RunFolder(tmp_path)
    folder.spec_file.write_text(SearchSpec.load("emohrnet").to_yaml())
    assert write(folder) is None


def test_a_write_that_breaks_leaves_the_former_best(run, monkeypatch):
    write(run)
    before = {path.name: path.read_bytes() for path in run.best.iterdir()}
    with monkeypatch.context() as patch:
        patch.setattr("raysearch.reporting.best_model.shutil.copyfile", full_disk)
        with pytest.raises(OSError, match="full"):
            write(run)
    assert {path.name: path.read_bytes() for path in run.best.iterdir()} == before


def test_what_a_killed_driver_left_is_swept(run):
    (run.root / ".best.0123.tmp").mkdir()
    write(run)
    assert not list(run.root.glob(".best*"))


def full_disk(source, target):
    raise OSError(28, "the disk is full")


def test_words_from_outside_cannot_break_the_card(run):
    facts = {"train speakers": "a\n# Free for all"}
    card = (write_best(run, run.spec(), run.trials(), LABELS, facts) / "model_card.md").read_text()
    assert "- train speakers: a # Free for all" in card


def test_an_encoder_that_has_gone_is_left_out(tmp_path):
    """It is the last thing that a search does, and must not fail for a file that was moved."""
    stream = SimpleNamespace(weights=str(tmp_path / "moved.pt"))
    net = SimpleNamespace(config=SimpleNamespace(used_features={"ssl": stream, "mel": object()}))
    assert best_model._encoders(SimpleNamespace(nets=[net])) == {}
    (tmp_path / "moved.pt").write_bytes(b"1")
    assert best_model._encoders(SimpleNamespace(nets=[net])) == {stream.weights: "encoder-1.pt"}
