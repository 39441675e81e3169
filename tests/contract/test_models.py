"""What every architecture in the table must do."""

# Axis letters name tensor shapes.

import json
from pathlib import Path

import pytest
import torch
from torch import Tensor

from raysearch.models.base import Model
from raysearch.models.table import MODELS, build_model, model_config
from raysearch.training import checkpoint

GOLDEN = Path(__file__).parent.parent / "data" / "golden_losses.json"
NUM_CLASSES = 5
pytestmark = pytest.mark.parametrize("name", MODELS.names())


def make(name: str, num_bins: int = 40, seed: int = 0) -> Model:
    torch.manual_seed(seed)
    streams = MODELS.load(name).streams
    assert streams
    return build_model(model_config({"name": name}), dict.fromkeys(streams, num_bins), NUM_CLASSES)


def run(model: Model, size: tuple[int, int, int], seed: int = 1) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    inputs = {stream: torch.randn(size, generator=generator) for stream in model.streams}
    lengths = {stream: torch.full(size[:1], size[1]) for stream in model.streams}
    logits: Tensor = model(inputs, lengths)
    return logits


def losses(model: Model, num_steps: int, learning_rate: float) -> list[float]:
    labels = torch.arange(8) % NUM_CLASSES
    optimizer = torch.optim.Adam(model.parameters(), lr=learning_rate)
    values = []
    for _ in range(num_steps):
        loss = torch.nn.functional.cross_entropy(run(model, (8, 64, 40)), labels)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        values.append(loss.item())
    return values


@pytest.mark.parametrize(
    ("num_frames", "num_bins"), [(32, 32), (125, 40), (97, 64), (192, 64), (7, 40)]
)
def test_any_input_size_gives_one_row_of_logits_each(
    name: str, num_frames: int, num_bins: int
) -> None:
    logits = run(make(name, num_bins), (3, num_frames, num_bins))
    assert logits.shape == (3, NUM_CLASSES)
    assert logits.isfinite().all()


def test_the_gradient_reaches_every_parameter(name: str) -> None:
    model = make(name)
    run(model, (4, 64, 40)).square().sum().backward()  # type: ignore[no-untyped-call]
    unreached = [n for n, p in model.named_parameters() if p.grad is None or not p.grad.any()]
    assert not unreached


def test_the_loss_falls_on_a_tiny_batch(name: str) -> None:
    values = losses(make(name), 12, 1e-3)
    assert values[-1] < 0.5 * values[0]


def test_the_state_goes_through_a_file(name: str, tmp_path: Path) -> None:
    model = make(name)
    losses(model, 1, 1e-3)
    checkpoint.save_tensors(tmp_path / "w.safetensors", model.state_dict())
    other = make(name, seed=5)
    size = (2, 64, 40)
    assert not torch.equal(run(other.eval(), size), run(model.eval(), size))
    checkpoint.load_weights(other, checkpoint.load_tensors(tmp_path / "w.safetensors"), "w")
    assert torch.equal(run(other, size), run(model, size))


def test_evaluation_treats_rows_alone(name: str) -> None:
    model = make(name).eval()
    together = run(model, (3, 64, 40))
    generator = torch.Generator().manual_seed(1)
    x_NTF = torch.randn(3, 64, 40, generator=generator)
    length = dict.fromkeys(model.streams, torch.tensor([64]))
    alone = model(dict.fromkeys(model.streams, x_NTF[1:2]), length)
    torch.testing.assert_close(together[1:2], alone, rtol=1e-3, atol=1e-3)


def test_the_parameter_count_and_the_first_losses_are_the_stored_ones(name: str) -> None:
    """A change of either is a change of the model: say why, and store the new values."""
    stored = json.loads(GOLDEN.read_text())[name]
    model = make(name)
    assert model.num_params == stored["num_params"]
    assert losses(model, 3, 1e-4) == pytest.approx(stored["losses"], rel=5e-3)
