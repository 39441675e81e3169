"""Utterances' scores of their windows, and metrics of sums over ranks."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from raysearch.models.base import Model, ModelConfig
from raysearch.training.data import Batch
from raysearch.training.scoring import Scores, objective_value, score_batches, validation_metrics


class FirstFrame(Model):
    def forward(self, inputs: dict[str, Tensor], lengths: dict[str, Tensor]) -> Tensor:
        return inputs["mel"][:, 0]


def test_windows_of_an_utterance_are_averaged_across_batches() -> None:
    model = FirstFrame(ModelConfig(name="first"), {}, 3)
    logits = torch.randn(5, 3)
    index, labels = torch.tensor([7, 2, 7, 2, 7]), torch.tensor([1, 0, 1, 0, 1])
    batches = [
        Batch({"mel": logits[part, None]}, {"mel": torch.ones(len(part)).long()}, labels[part], 5,
              index[part])
        for part in (torch.tensor([0, 1, 2]), torch.tensor([], dtype=torch.long),
                     torch.tensor([3, 4]))
    ]  # fmt: skip

    def as_they_are(batch: Batch) -> Any:
        return batch.inputs, batch.lengths

    scores = score_batches(model, batches, as_they_are, 3, torch.autocast("cpu", enabled=False))  # type: ignore[arg-type]
    assert scores.index.tolist() == [2, 7]
    assert scores.labels.tolist() == [0, 1]
    expected = logits.log_softmax(1)[index == 7].mean(0)
    torch.testing.assert_close(scores.log_probs[1], expected.double(), rtol=1e-6, atol=1e-6)


def test_totals_of_shares_give_the_metrics_of_the_whole() -> None:
    log_probs = torch.randn(11, 3, dtype=torch.float64).log_softmax(1)
    labels = torch.arange(11) % 3
    whole = Scores(torch.arange(11), labels, log_probs).totals()
    parts = [(0, 4), (4, 4), (4, 11)]
    summed = sum(Scores(torch.arange(a, b), labels[a:b], log_probs[a:b]).totals() for a, b in parts)
    assert validation_metrics(summed) == pytest.approx(validation_metrics(whole))  # type: ignore[arg-type]
    assert whole[1] == whole[2:].sum() == 11


def test_objectives_are_higher_for_the_better() -> None:
    values = {"val_uar": 0.4, "val_loss": 1.5}
    assert objective_value(values, "val_uar") == 0.4
    assert objective_value(values, "val_loss") == -1.5
    assert objective_value({"val_wa": math.nan}, "val_wa") == -math.inf
