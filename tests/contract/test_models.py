"""What every architecture in the table must do, and a user's own model by its dotted path."""

# Axis letters name tensor shapes.

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from raysearch.features.extractor import StreamShape
from raysearch.models.base import Model, SolvedModel
from raysearch.models.model_table import MODELS, build_model, model_config
from raysearch.training import checkpoint

GOLDEN = Path(__file__).parent.parent / "data" / "golden_losses.json"
NUM_CLASSES = 5
# What each stream looks like, unless a test asks for another size.
SHAPES = {
    "mel": StreamShape(40, 64),
    "mfcc": StreamShape(20, 64, kind="frames"),
    "prosody": StreamShape(6, 64, kind="frames"),
    "ssl": StreamShape(32, 32, frames_per_second=50, kind="frames"),
    "egemaps": StreamShape(88, 1, frames_per_second=0, kind="vector"),
}
# A head that is linear falls too slowly for these tests.
FIELDS: dict[str, dict[str, object]] = {"encoder_probe": {"hidden": 256, "dropout": 0.0}}
OWN = "tiny_data:PooledLinear"
GRADIENT = [n for n in MODELS.names() if not issubclass(MODELS.load(n), SolvedModel)]
every_model = pytest.mark.parametrize("name", [*MODELS.names(), OWN])
every_network = pytest.mark.parametrize("name", [*GRADIENT, OWN])


@pytest.fixture(autouse=True)
def own_module(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parent.parent / "unit"))


def make(name: str, num_frames: int = 64, num_bins: int | None = None, seed: int = 0) -> Model:
    """The model for streams of these sizes; other streams keep their share of ``num_frames``."""
    config = model_config({"name": name, **FIELDS.get(name, {})})
    shapes = {
        stream: replace(
            SHAPES[stream],
            num_frames=max(1, SHAPES[stream].num_frames * num_frames // 64),
            num_bins=num_bins if num_bins and stream == "mel" else SHAPES[stream].num_bins,
        )
        for stream in MODELS.load(name).required_streams(config)
    }
    torch.manual_seed(seed)
    model = build_model(config, shapes, NUM_CLASSES)
    model.shapes = shapes  # type: ignore[assignment]
    return model


# Their input has the length of a clip, so no padding follows it.
OF_ONE_LENGTH = ("cnn1d_attention", "mfhca")


@pytest.mark.parametrize("name", [n for n in [*GRADIENT, OWN] if n not in OF_ONE_LENGTH])
def test_how_much_padding_follows_changes_nothing(name: str) -> None:
    """A network that averages padding learns how long recordings are; its edge it may see."""
    model = make(name).eval()
    inputs, lengths = batch(model, 3)
    few, many = (model(padded(model, inputs, times), lengths) for times in (4, 9))
    torch.testing.assert_close(many, few)


def padded(model: Model, inputs: dict[str, Tensor], times: int) -> dict[str, Tensor]:
    """Each stream followed by silence of so many times its length; a vector has no length."""
    shapes: dict[str, StreamShape] = model.shapes  # type: ignore[assignment]
    return {
        stream: torch.nn.functional.pad(
            x_BTF, (0, 0, 0, 0 if shapes[stream].kind == "vector" else times * x_BTF.shape[1])
        )
        for stream, x_BTF in inputs.items()
    }


def run(model: Model, num_rows: int, seed: int = 1) -> Tensor:
    inputs, lengths = batch(model, num_rows, seed)
    logits: Tensor = model(inputs, lengths)
    return logits


def batch(
    model: Model, num_rows: int, seed: int = 1
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    generator = torch.Generator().manual_seed(seed)
    shapes: dict[str, StreamShape] = model.shapes  # type: ignore[assignment]
    inputs = {
        stream: torch.randn(num_rows, shape.num_frames, shape.num_bins, generator=generator)
        for stream, shape in sorted(shapes.items())
    }
    lengths = {stream: torch.full((num_rows,), s.num_frames) for stream, s in shapes.items()}
    return inputs, lengths


def losses(model: Model, num_steps: int, learning_rate: float) -> list[float]:
    labels = torch.arange(8) % NUM_CLASSES
    optimizer = torch.optim.Adam(model.parameters(), lr=learning_rate)
    values = []
    for _ in range(num_steps):
        loss = torch.nn.functional.cross_entropy(run(model, 8), labels)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        values.append(loss.item())
    return values


@pytest.mark.parametrize(
    ("num_frames", "num_bins"), [(32, 32), (125, 40), (97, 64), (192, 64), (7, 40)]
)
@every_network
def test_any_input_size_gives_one_row_of_logits_each(
    name: str, num_frames: int, num_bins: int
) -> None:
    logits = run(make(name, num_frames, num_bins), 3)
    assert logits.shape == (3, NUM_CLASSES)
    assert logits.isfinite().all()


@every_network
def test_fewer_frames_than_a_clip_are_taken_too(name: str) -> None:
    model = make(name).eval()
    inputs, lengths = batch(model, 2)
    short = {stream: x_BTF[:, : max(1, x_BTF.shape[1] // 3)] for stream, x_BTF in inputs.items()}
    for stream, x_BTF in short.items():
        lengths[stream] = torch.full((2,), x_BTF.shape[1])
    assert model(short, lengths).isfinite().all()


@every_network
def test_the_gradient_reaches_every_parameter(name: str) -> None:
    model = make(name)
    run(model, 4).square().sum().backward()  # type: ignore[no-untyped-call]
    unreached = [n for n, p in model.named_parameters() if p.grad is None or not p.grad.any()]
    assert not unreached


@every_network
def test_the_groups_hold_every_parameter_once(name: str) -> None:
    model = make(name)
    grouped = [id(p) for params in model.parameter_groups().values() for p in params]
    assert sorted(grouped) == sorted(id(p) for p in model.parameters() if p.requires_grad)


@every_network
def test_the_loss_falls_on_a_tiny_batch(name: str) -> None:
    values = losses(make(name), 25, 3e-3)
    # The least, not the last: some rise again once the batch is learned by heart.
    assert min(values) < 0.5 * values[0]


@every_network
def test_the_state_goes_through_a_file(name: str, tmp_path: Path) -> None:
    model = make(name)
    losses(model, 1, 1e-3)
    checkpoint.save_tensors(tmp_path / "w.safetensors", model.state_dict())
    other = make(name, seed=5)
    assert not torch.equal(run(other.eval(), 2), run(model.eval(), 2))
    checkpoint.load_weights(other, checkpoint.load_tensors(tmp_path / "w.safetensors"), "w")
    assert torch.equal(run(other, 2), run(model, 2))


@every_network
def test_evaluation_treats_rows_alone(name: str) -> None:
    model = make(name).eval()
    inputs, lengths = batch(model, 3)
    alone = model({s: x[1:2] for s, x in inputs.items()}, {s: n[1:2] for s, n in lengths.items()})
    torch.testing.assert_close(model(inputs, lengths)[1:2], alone, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("name", GRADIENT)
def test_the_parameter_count_and_the_first_losses_are_the_stored_ones(name: str) -> None:
    """A change of either is a change of the model: say why, and store the new values."""
    model = make(name)
    found = {"num_params": model.num_params, "losses": losses(model, 3, 1e-4)}
    stored = json.loads(GOLDEN.read_text()).get(name)
    assert stored is not None, f"store in {GOLDEN.name}: {json.dumps({name: found})}"
    assert found["num_params"] == stored["num_params"]
    # Processors round differently, and a small loss keeps what the large ones before it left.
    assert found["losses"] == pytest.approx(stored["losses"], rel=5e-3, abs=5e-4)
