"""Packed trials equal trials by themselves; the parts are those of the packing benchmark."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

sys.path.append(str(Path(__file__).parents[1] / "benchmarks"))

from gpu_packing import ORDER, PARTS
from packed_networks import adam_step
from packing_equality import deviation
from packing_text import markdown
from packing_ways import Lone, Packed
from packing_work import SMALL, Draws, Work, draw

from raysearch.training.optim import build_optimizer
from raysearch.training.training_sections import TrainingConfig

CPU = torch.device("cpu")
MEMBERS = 2


def all_draws(work: Work) -> Draws:
    return draw(MEMBERS * work.batch, work.settings(0)[1], work.shape.kind, CPU)


@pytest.fixture
def double_precision() -> Iterator[None]:
    """Single precision leaves to each processor how far a few steps of a deep net come apart."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize(
    ("system", "matrices"),
    [
        ("cnn", False),
        ("cnn1d_attention-gpu", False),
        ("emohrnet", False),
        ("emohrnet", True),
        ("lstm-gpu", False),
        ("ssl", False),
    ],
)
def test_packed_members_learn_what_they_learn_alone(
    system: str, matrices: bool, double_precision: None
) -> None:
    found = deviation(system, CPU, small=True, matrices=matrices)
    assert found["losses"] < 1e-12
    assert found["weights"] < 1e-12
    assert found["buffers"] < 1e-12
    # Another beginning is seen, though it differs by float32's rounding only.
    assert found["rounding"] > 1e-7


@pytest.mark.parametrize("optimizer", ["adam", "adamw"])
def test_each_member_has_its_own_rate_decay_betas_and_clip(optimizer: str) -> None:
    trainings = [
        TrainingConfig(
            optimizer=optimizer,
            learning_rate=rate,
            weight_decay=0.1,
            beta1=beta1,
            gradient_clip=clip,
        )
        for rate, beta1, clip in [(1e-2, 0.9, None), (3e-2, 0.8, 0.5), (1e-3, 0.0, 50.0)]
    ]
    generator = torch.Generator().manual_seed(1)
    flat_NP, *grads = torch.randn(4, 3, 40, generator=generator)
    params = [torch.nn.Parameter(row_P.clone()) for row_P in flat_NP]
    for param, training, *own in zip(params, trainings, *grads, strict=True):
        alone = build_optimizer({"all": [param]}, training)
        for grad_P in own:
            param.grad = grad_P.clone()
            if training.gradient_clip is not None:
                torch.nn.utils.clip_grad_norm_([param], training.gradient_clip)
            alone.step()
    decays = [0.1 * (optimizer == kind) for kind in ("adam", "adamw")]
    rules = {
        "rates_N1": [t.learning_rate for t in trainings],
        "beta1_N1": [t.beta1 for t in trainings],
        "beta2_N1": [t.beta2 for t in trainings],
        "coupled_N1": [decays[0]] * 3,
        "decoupled_N1": [decays[1]] * 3,
        "clips_N1": [t.gradient_clip or float("inf") for t in trainings],
        "steps_N1": [0.0] * 3,
    }
    tensors = {name: torch.tensor(values)[:, None] for name, values in rules.items()}
    moments = (torch.zeros_like(flat_NP), torch.zeros_like(flat_NP))
    for grad_NP in grads:
        adam_step(flat_NP, grad_NP, *moments, **tensors)
    torch.testing.assert_close(flat_NP, torch.stack([p.detach() for p in params]))


def test_a_member_that_takes_anothers_place_starts_afresh_and_leaves_the_rest_alone() -> None:
    work = Work("cnn", CPU, small=True, dropout=False)
    changed, kept = Packed(work, MEMBERS), Packed(work, MEMBERS)
    rows, draws = work.random_rows(MEMBERS), all_draws(work)
    for packed in (changed, kept):
        packed.step(rows, draws)
    newcomer = Lone(work, 7)
    changed.pack.put(0, changed.packable(7), work.settings(0)[0])
    for packed in (changed, kept):
        packed.step(rows, draws)
    torch.testing.assert_close(changed.pack.take(1), kept.pack.take(1))
    assert changed.pack.take(0)["blocks.0.0.1.num_batches_tracked"] == 1
    alone = newcomer.model.state_dict()
    moved = changed.pack.take(0)["classifier.weight"] - alone["classifier.weight"]
    # Adam's first step is the rate, whatever the gradient.
    rate = work.settings(0)[0].learning_rate
    assert float(moved.abs().median()) == pytest.approx(rate, rel=0.05)


@pytest.mark.parametrize("dropout", [True, False])
def test_members_drop_out_different_units(dropout: bool) -> None:
    work = Work("ssl", CPU, small=True, dropout=dropout)  # which has no masks
    packed = Packed(work, MEMBERS)
    packed.pack.put(1, packed.packable(0), work.settings(0)[0])
    first, second = packed.step(work.random_rows().repeat(MEMBERS), all_draws(work))
    assert (first != second) == dropout


def test_every_part_is_of_a_known_system_and_in_the_order() -> None:
    assert {part.system for part in PARTS} <= set(SMALL)
    assert {part.name for part in PARTS} == set(ORDER) - {"equality", "processes"}


def test_the_table_compares_with_the_lone_trial_of_the_same_rounds() -> None:
    facts = {"device": "a card", "small": False, "cpus": 16, "python": "3", "torch": "2"}
    row = {"part": "cnn", "system": "cnn-gpu", "precision": "bf16", "low": 1.0, "high": 9.0}
    alone = {**row, "way": "lone", "members": 1, "step_ms": 1.0}
    packed = {**row, "way": "packed", "members": 8, "step_ms": 1.0, "peak_mib": 1234.5}
    rows = [
        {**alone, "rate": 100.0},
        {**packed, "rate": 400.0},
        {**alone, "rate": 50.0},
        {**packed, "members": 32, "rate": 400.0},
        {**row, "way": "streams, graph", "members": 8, "error": "RuntimeError: no | memory"},
    ]
    parts = {"cnn": {"ended": "whole"}, "ssl": {"ended": "not begun: no time left"}}
    lines = markdown({"facts": facts, "rows": rows, "parts": parts}).splitlines()
    assert "| packed | 8 | 400 | 1 to 9 | 4.0 | 1.00 | 1,234 |" in lines
    assert "| packed | 32 | 400 | 1 to 9 | 8.0 | 1.00 | 1,234 |" in lines
    assert "| streams, graph | 8 | RuntimeError: no / memory | | | | |" in lines
    assert "ssl: not begun: no time left" in lines
