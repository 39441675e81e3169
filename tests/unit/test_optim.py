import pytest
import torch
from torch import nn

from raysearch.errors import DataError
from raysearch.training.optim import (
    build_optimizer,
    learning_rate_at,
    load_optimizer_tensors,
    optimizer_tensors,
)
from raysearch.training.training_sections import TrainingConfig


def rates(**fields: object) -> list[float]:
    config = TrainingConfig(learning_rate=1.0, **fields)
    return [learning_rate_at(config, step, 5) for step in range(config.epochs * 5)]


def test_constant_is_constant() -> None:
    assert set(rates(epochs=3)) == {1.0}


def test_warm_up_rises_linearly_to_the_peak() -> None:
    values = rates(epochs=6, warmup_epochs=2)
    assert values[:10] == pytest.approx([(n + 1) / 10 for n in range(10)])
    assert set(values[10:]) == {1.0}


def test_warm_up_takes_at_most_half_of_the_epochs() -> None:
    assert max(rates(epochs=2, warmup_epochs=3)) == 1.0
    assert set(rates(epochs=1, warmup_epochs=3)) == {1.0}


def test_cosine_falls_from_the_peak_towards_zero() -> None:
    values = rates(epochs=4, schedule="cosine", warmup_epochs=1)
    assert max(values) == values[5] == 1.0
    assert values[5:] == sorted(values[5:], reverse=True)
    assert 0 < values[-1] < 0.02
    assert values[5 + 7] == pytest.approx(0.5, abs=0.06)


def network() -> nn.Sequential:
    torch.manual_seed(0)
    layers = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(4 * 16, 2))
    return layers.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def step(model: nn.Sequential, optimizer: torch.optim.Optimizer, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    optimizer.zero_grad()
    model(torch.randn(5, 3, 6, 6, generator=generator)).square().mean().backward()
    optimizer.step()


@pytest.mark.parametrize("name", ["adam", "adamw"])
def test_restored_state_continues_bit_for_bit(name: str) -> None:
    config = TrainingConfig(optimizer=name)
    model = network()
    optimizer = build_optimizer({"all": list(model.parameters())}, config)
    for seed in range(3):
        step(model, optimizer, seed)
    other = network()
    other.load_state_dict(model.state_dict())
    restored = build_optimizer({"all": list(other.parameters())}, config)
    load_optimizer_tensors(restored, optimizer_tensors(optimizer))
    for seed in range(3, 6):
        step(model, optimizer, seed)
        step(other, restored, seed)
    for ours, theirs in zip(model.parameters(), other.parameters(), strict=True):
        assert torch.equal(ours, theirs)


def test_adam_and_adamw_decay_differently() -> None:
    ends = []
    for name in ("adam", "adamw"):
        model = network()
        step(
            model,
            build_optimizer(
                {"all": list(model.parameters())},
                TrainingConfig(optimizer=name, weight_decay=0.5, learning_rate=0.1),
            ),
            0,
        )
        ends.append(model[0].weight.detach().clone())
    assert not torch.allclose(ends[0], ends[1])


@pytest.mark.parametrize(
    ("key", "shape", "message"),
    [("9.exp_avg", (2,), "belongs to no parameter"), ("0.exp_avg", (2, 2), "has shape")],
)
def test_state_of_another_model_is_refused(key: str, shape: tuple[int, ...], message: str) -> None:
    optimizer = build_optimizer({"all": list(network().parameters())}, TrainingConfig())
    with pytest.raises(DataError, match=message):
        load_optimizer_tensors(optimizer, {key: torch.zeros(shape)})
