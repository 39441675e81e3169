# Axis letters name tensor shapes.

import json
import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.distributed as dist
from tiny_data import POOLED_LINEAR, SMALL_EMOHRNET, RatedData, TinyData
from torch import multiprocessing, nn

from raysearch.config.metric_table import METRICS, metric_of
from raysearch.errors import DataError, NonFiniteLossError
from raysearch.models.base import ModelConfig
from raysearch.models.model_table import model_config
from raysearch.training.checkpoint import load_tensors
from raysearch.training.inputs import INPUTS, load_inputs
from raysearch.training.learner import Learner
from raysearch.training.predictions import PREDICTIONS, Predictions
from raysearch.training.training_sections import SpecAugmentConfig, TrainingConfig
from raysearch.training.trial_state import BEST, LAST

RATED = ("arousal", "valence")
LSTM = model_config({"name": "lstm", "hidden": 8, "layers": 1, "dropout": 0.1})


CPU = torch.device("cpu")


OFF = SpecAugmentConfig(freq_mask_count=0, time_mask_count=0, time_shift=0)


EVERYTHING = {
    "optimizer": "adamw", "schedule": "cosine", "warmup_epochs": 1, "class_weight": "sqrt",
    "label_smoothing": 0.1, "mixup_alpha": 0.4, "gradient_clip": 1.0, "precision": "bf16",
    "normalise": "train_bin",
}  # fmt: skip


def learner(
    data: Any = None,
    *,
    model: ModelConfig = SMALL_EMOHRNET,
    augment: SpecAugmentConfig | None = None,
    seed: int = 3,
    objective: Any = "val_uar",
    labels: Sequence[str] = (),
    **fields: Any,
) -> Learner:
    data = data or TinyData()
    usual = {"epochs": 4, "batch_size": data.batch_size, "precision": "fp32"}
    training = TrainingConfig(**{**usual, **fields})
    return Learner(
        model,
        training,
        augment or SpecAugmentConfig(),
        data,
        seed=seed,
        rank=data.rank,
        world_size=data.world_size,
        device=CPU,
        objective=objective,
        labels=labels,
    )


@pytest.mark.parametrize("fields", [{}, EVERYTHING], ids=["defaults", "everything"])
def test_a_resumed_trial_equals_an_uninterrupted_one(
    tmp_path: Path, fields: dict[str, Any]
) -> None:
    straight = learner(**fields)
    expected = [straight.run_epoch().metrics for _ in range(4)]
    first = learner(**fields)
    got = [first.run_epoch().metrics for _ in range(2)]
    first.save(tmp_path / "last", {"trial": "0007"})
    torch.manual_seed(99)  # whatever ran in between
    second = learner(**fields)
    assert second.load(tmp_path / "last") == {"trial": "0007"}
    assert second.epoch == 2
    got += [second.run_epoch().metrics for _ in range(2)]
    assert got == expected
    assert second.history == straight.history
    assert (second.best_epoch, second.best_value) == (straight.best_epoch, straight.best_value)
    for name, tensor in straight.model.state_dict().items():
        assert torch.equal(tensor, second.model.state_dict()[name]), name
    second.save(tmp_path / "second")
    straight.save(tmp_path / "straight")
    for name in ("last", "best", "optimizer"):
        file = f"{name}.safetensors"
        assert (tmp_path / "second" / file).read_bytes() == (
            tmp_path / "straight" / file
        ).read_bytes()


def test_it_learns_what_can_be_learned() -> None:
    trial = learner(augment=OFF, epochs=8, learning_rate=5e-3)
    results = [trial.run_epoch() for _ in range(8)]
    assert results[-1].metrics["train_loss"] < 0.5 * results[0].metrics["train_loss"]
    assert trial.best_value is not None
    assert trial.best_value > 0.8
    assert trial.finished
    assert all(result.train_s > 0 for result in results)
    metrics = {name: metric_of(name) for name in METRICS.built_in}
    plain = {name for name, one in metrics.items() if not (one.of_votes or one.of_dimensions)}
    assert set(results[0].metrics) == {"train_loss", "learning_rate", *plain}


def test_another_seed_is_another_trial() -> None:
    losses = {learner(seed=seed).run_epoch().metrics["train_loss"] for seed in (1, 1, 2)}
    assert len(losses) == 2


def test_best_holds_the_weights_of_the_best_epoch(tmp_path: Path) -> None:
    trial = learner(learning_rate=0.05, objective="val_loss", epochs=6)
    for _ in range(6):
        trial.run_epoch()
        trial.save(tmp_path / f"epoch-{trial.epoch}")
    losses = [values["val_loss"] for values in trial.history]
    assert trial.best_epoch == losses.index(min(losses)) + 1
    assert trial.best_value == -min(losses)
    best = (tmp_path / "epoch-6" / "best.safetensors").read_bytes()
    at_best = tmp_path / f"epoch-{trial.best_epoch}" / "last.safetensors"
    assert best == at_best.read_bytes()


def test_the_mean_of_three_epochs_can_choose() -> None:
    trial = learner(learning_rate=0.05, objective="val_uar_mean3", epochs=6)
    for _ in range(6):
        trial.run_epoch()
    values = [values["val_uar"] for values in trial.history]
    means = [values["val_uar_mean3"] for values in trial.history]
    parts = [values[max(0, end - 3) : end] for end in range(1, 7)]
    assert means == pytest.approx([sum(part) / len(part) for part in parts])
    assert trial.best_epoch == means.index(max(means)) + 1
    assert trial.best_value == max(means)


def test_patience_counts_epochs_without_a_better_value() -> None:
    # A step this small changes no prediction, so the first epoch stays the best.
    trial = learner(model=POOLED_LINEAR, learning_rate=1e-12, epochs=50, patience=3)
    while not trial.finished:
        trial.run_epoch()
    assert (trial.best_epoch, trial.epoch) == (1, 4)


def test_a_non_finite_loss_ends_the_trial() -> None:
    data = TinyData()
    data.train[0][5] = math.nan
    with pytest.raises(NonFiniteLossError, match=r"training loss became nan in epoch 1 .*0\.001"):
        learner(data).run_epoch()
    data = TinyData()
    data.validation[0][0] = math.nan
    with pytest.raises(NonFiniteLossError, match="validation loss"):
        learner(data).run_epoch()


def test_data_without_training_rows_are_refused() -> None:
    data = TinyData()
    data.num_train = 0
    with pytest.raises(DataError, match="no training rows"):
        learner(data)


def test_without_validation_rows_the_last_epoch_counts(tmp_path: Path) -> None:
    trial = learner(TinyData(num_validation=0))
    metrics = [trial.run_epoch().metrics for _ in range(4)]
    assert not any(name.startswith("val_") for one in metrics for name in one)
    assert (trial.finished, trial.best_epoch, trial.best_value) == (True, 4, 4.0)
    trial.save(tmp_path / "last")
    best, last = (load_tensors(tmp_path / "last" / name) for name in (BEST, LAST))
    assert all(torch.equal(best[name], last[name]) for name in last)
    assert not (tmp_path / "last" / PREDICTIONS).exists()


def test_the_best_epochs_predictions_lie_beside_its_weights(tmp_path: Path) -> None:
    trial, told = learner(), {}
    for epoch in range(1, 5):
        trial.run_epoch()
        told[epoch] = trial._scores.log_probs.numpy()
    trial.save(tmp_path / "last")
    found = Predictions.load(tmp_path / "last" / PREDICTIONS)
    assert found.utterances == tuple(trial.data.validation_ids)
    assert found.labels.tolist() == trial.data.validation[2].tolist()
    np.testing.assert_allclose(found.log_probs, told[trial.best_epoch], atol=1e-6)
    again = learner()
    again.load(tmp_path / "last")
    again.save(tmp_path / "again")
    same = Predictions.load(tmp_path / "again" / PREDICTIONS)
    np.testing.assert_array_equal(same.log_probs, found.log_probs)


def test_a_net_can_be_fed_from_what_lies_beside_it(tmp_path: Path) -> None:
    trial = learner()
    trial.run_epoch()
    trial.save(tmp_path / "last")
    shapes, statistics = load_inputs(tmp_path / "last" / INPUTS)
    assert shapes == trial.data.shapes
    for got, expected in zip(statistics["mel"], trial.data.normalisation["mel"], strict=True):
        assert torch.equal(got, expected)


@pytest.mark.parametrize("change", [{"seed": 4}, {"objective": "val_wa"}])
def test_a_checkpoint_of_another_trial_is_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    learner().save(tmp_path / "last")
    with pytest.raises(DataError, match="another seed or objective"):
        learner(**change).load(tmp_path / "last")


def test_a_checkpoint_of_another_model_is_refused(tmp_path: Path) -> None:
    trial = learner()
    trial.run_epoch()
    trial.save(tmp_path / "last")
    wider = SMALL_EMOHRNET.model_copy(update={"width": 8})
    with pytest.raises(DataError, match="has shape"):
        learner(model=wider).load(tmp_path / "last")


def test_a_state_file_that_makes_no_sense_is_bad_data(tmp_path: Path) -> None:
    learner().save(tmp_path / "last")
    state = tmp_path / "last" / "state.json"
    state.write_text(json.dumps({**json.loads(state.read_text()), "epoch": -1}))
    with pytest.raises(DataError, match=r"state\.json"):
        learner().load(tmp_path / "last")


def test_the_guard_stops_a_publication(tmp_path: Path) -> None:
    def fenced() -> None:
        raise PermissionError("a newer driver holds the run")

    with pytest.raises(PermissionError):
        learner().save(tmp_path / "last", guard=fenced)
    assert not list(tmp_path.iterdir())


def test_closing_frees_the_model() -> None:
    trial = learner()
    trial.run_epoch()
    trial.close()
    assert not hasattr(trial, "model")


def test_a_rank_without_rows_lets_cudnn_differentiate_recurrent_layers() -> None:
    """cuDNN refuses to in evaluation mode, in which no other layer's statistics move."""
    trial = learner(model=LSTM, precision="fp32")
    modes: dict[type[nn.Module], set[bool]] = {nn.LSTM: set(), nn.Dropout: set()}
    for layer in trial.model.modules():
        if type(layer) in modes:
            layer.register_forward_pre_hook(lambda one, _: modes[type(one)].add(one.training))
    (batch,) = TinyData(num_train=1, batch_size=1, rank=1, world_size=2).train_batches(0)
    assert not batch.labels.numel()
    trial._fit._step(batch)  # type: ignore[union-attr]
    assert modes == {nn.LSTM: {True}, nn.Dropout: {False}}
    assert trial.model.training


# Batches of 5 are uneven over two ranks; of 1, rank 1's share is always empty.
SHARES = [(POOLED_LINEAR, 5), (POOLED_LINEAR, 1), (SMALL_EMOHRNET, 1), (SMALL_EMOHRNET, 5)]


def one_case(model: ModelConfig, batch_size: int, rank: int, world_size: int) -> dict[str, Any]:
    data = TinyData(11, 7, batch_size, rank, world_size)
    trial = learner(
        data, model=model, augment=OFF, class_weight="balanced", gradient_clip=1.0, epochs=2
    )
    metrics = [trial.run_epoch().metrics for _ in range(2)]
    state = {name: t.tolist() for name, t in trial.model.state_dict().items()}
    return {"metrics": metrics, "state": state}


def rated_case(model: ModelConfig, batch_size: int, rank: int, world_size: int) -> dict[str, Any]:
    data = RatedData(11, 7, batch_size, rank, world_size)
    trial = learner(
        data, model=model, augment=OFF, task="dimensions", labels=RATED, objective="val_ccc"
    )
    metrics = [trial.run_epoch().metrics for _ in range(2)]
    state = {name: t.tolist() for name, t in trial.model.state_dict().items()}
    return {"metrics": metrics, "state": state}


def one_rank(rank: int, folder: str) -> None:
    torch.set_num_threads(1)
    os.environ["GLOO_SOCKET_IFNAME"] = "lo"
    dist.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=2)
    results: list[Any] = [
        case(model, size, rank, 2) for case in (one_case, rated_case) for model, size in SHARES
    ]
    data = TinyData(8, 4, 4, rank, 2)
    if rank == 1:
        data.train[0][:] = math.nan
    try:
        learner(data).run_epoch()
        results.append("finished")
    except NonFiniteLossError as error:
        results.append(str(error))
    Path(folder, f"rank-{rank}.json").write_text(json.dumps(results))
    dist.destroy_process_group()


def test_two_ranks_equal_one_with_uneven_and_empty_shares(tmp_path: Path) -> None:
    multiprocessing.spawn(one_rank, args=(str(tmp_path),), nprocs=2)
    ranks = [json.loads((tmp_path / f"rank-{rank}.json").read_text()) for rank in range(2)]
    assert ranks[0] == ranks[1], "ranks disagree"
    assert "became nan" in ranks[0][-1], "a loss that one rank alone saw must end both"
    cases = [(case, *share) for case in (one_case, rated_case) for share in SHARES]
    for number, (case, model, size) in enumerate(cases):
        # Batch norm sees its rank's rows only, so it agrees where one rank has them all.
        if model is POOLED_LINEAR or size == 1:
            alone = case(model, size, 0, 1)
            for one, two in zip(alone["metrics"], ranks[0][number]["metrics"], strict=True):
                assert two == pytest.approx(one, rel=1e-4, abs=1e-6)
            for name, expected in alone["state"].items():
                got = torch.tensor(ranks[0][number]["state"][name])
                torch.testing.assert_close(got, torch.tensor(expected), rtol=1e-3, atol=1e-4)
