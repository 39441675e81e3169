"""Prosody beside the mel: off by default, and then a part of every network that offers it."""

# Axis letters name tensor shapes.

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from raysearch.errors import ConfigError
from raysearch.features.extractor import StreamShape
from raysearch.models.base import Model
from raysearch.models.layers.side_statistics import EPSILON, SideStatistics, masked_mean_std
from raysearch.models.model_table import build_model, model_config
from raysearch.prerequisites import feature_sets
from raysearch.spec import SearchSpec
from raysearch.training.spec_augment import spec_augment
from raysearch.training.training_sections import SpecAugmentConfig

NUM_VALUES = 6
SHAPES = {
    "mel": StreamShape(16, 32),
    "prosody": StreamShape(NUM_VALUES, 16, frames_per_second=50, kind="frames"),
}
SMALL: dict[str, dict[str, Any]] = {
    "cnn": {"width": 4, "blocks": 3},
    "emohrnet": {"width": 4, "branches": 2, "blocks": 1, "stem_width": 8},
    "lstm": {"hidden": 8},
}
every_network = pytest.mark.parametrize("name", sorted(SMALL))


def made(name: str, *, prosody: bool = True) -> Model:
    torch.manual_seed(0)
    config = model_config({"name": name, **SMALL[name], "dropout": 0.0, "prosody": prosody})
    return build_model(config, SHAPES, 3)


def inputs(num_rows: int = 4) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    x = {s: torch.randn(num_rows, h.num_frames, h.num_bins) for s, h in SHAPES.items()}
    return x, {s: torch.full((num_rows,), h.num_frames) for s, h in SHAPES.items()}


@every_network
def test_it_adds_a_mean_and_a_deviation_a_value_to_the_classifier_only(name: str) -> None:
    without, beside = (made(name, prosody=on) for on in (False, True))
    assert "prosody" not in without.required_streams(without.config)
    sizes = [{n: p.numel() for n, p in model.named_parameters()} for model in (without, beside)]
    changed = {n: sizes[1][n] - sizes[0][n] for n in sizes[1] if sizes[0].get(n) != sizes[1][n]}
    assert changed == {"classifier.weight": 3 * 2 * NUM_VALUES}


@every_network
def test_the_logits_and_the_gradient_depend_on_it(name: str) -> None:
    model = made(name).eval()
    x, lengths = inputs()
    x["prosody"].requires_grad_()
    before = model(x, lengths)
    before.square().sum().backward()
    assert x["prosody"].grad is not None
    assert x["prosody"].grad.any(dim=2).all()
    after = model({**x, "prosody": x["prosody"] + 1}, lengths)
    assert not torch.allclose(before, after)


@every_network
def test_values_beyond_its_own_length_are_not_read(name: str) -> None:
    model = made(name).eval()
    x, lengths = inputs()
    lengths["prosody"] = torch.tensor([16, 9, 1, 4])
    before = model(x, lengths)
    beyond = torch.arange(16) >= lengths["prosody"][:, None]
    noisy = {**x, "prosody": x["prosody"].masked_fill(beyond[:, :, None], 1e4)}
    torch.testing.assert_close(model(noisy, lengths), before)


def test_functionals_are_appended_as_they_are() -> None:
    shapes = {"prosody": StreamShape(NUM_VALUES, 1, frames_per_second=0, kind="vector")}
    beside = SideStatistics(shapes, "prosody")
    x_B1F, pooled_BC = torch.randn(4, 1, NUM_VALUES), torch.randn(4, 3)
    found = beside(pooled_BC, {"prosody": x_B1F}, {"prosody": torch.ones(4, dtype=torch.long)})
    assert beside.num_features == NUM_VALUES
    assert torch.equal(found, torch.cat([pooled_BC, x_B1F[:, 0]], dim=1))


@every_network
def test_curves_whose_mean_would_count_unvoiced_frames_are_refused(name: str) -> None:
    curves = ["features.prosody.extractor=prosody", "features.prosody.per=frame"]
    with pytest.raises(ConfigError, match=r"features\.prosody\.per is 'frame'.*utterance"):
        SearchSpec.load(name, [*curves, "model.prosody=true"])


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 12), st.integers(0, 6), st.integers(0, 2**31 - 1))
def test_statistics_are_those_of_the_valid_frames(length: int, padding: int, seed: int) -> None:
    x_BTF = torch.randn(2, length + padding, 3, generator=torch.Generator().manual_seed(seed))
    found = masked_mean_std(x_BTF, torch.tensor([length, length + padding]))
    for row, valid_TF in zip(found, (x_BTF[0, :length], x_BTF[1]), strict=True):
        variance = valid_TF.var(dim=0, unbiased=False)
        expected = torch.cat([valid_TF.mean(dim=0), (variance + EPSILON).sqrt()])
        torch.testing.assert_close(row, expected, rtol=1e-4, atol=1e-5)


def test_a_constant_value_has_a_finite_gradient() -> None:
    x_BTF = torch.ones(1, 4, 2, requires_grad=True)
    masked_mean_std(x_BTF, torch.tensor([4])).sum().backward()
    assert x_BTF.grad is not None
    assert x_BTF.grad.isfinite().all()


@every_network
def test_a_search_asks_for_the_stream_first_and_then_computes_it(name: str) -> None:
    with pytest.raises(ConfigError, match=r"needs the stream 'prosody': add features\.prosody"):
        SearchSpec.load(name, ["model.prosody=true"])
    given_both = SearchSpec.load(
        name, ["features.prosody.extractor=prosody", "space.model.prosody={choice: [true, false]}"]
    )
    asked = {tuple(sorted(streams)) for streams in feature_sets(given_both)}
    assert asked == {("mel",), ("mel", "prosody")}


def test_frames_that_are_masked_or_shifted_in_count_as_padding() -> None:
    """A row's statistics in training are those of the frames that are left, as in a test."""
    torch.manual_seed(2)
    beside = SideStatistics(SHAPES, "prosody")
    x_BTF, lengths_B = 3 + torch.randn(40, 16, NUM_VALUES), torch.arange(40) % 12 + 5
    config = SpecAugmentConfig(time_mask_width=0.2, time_mask_count=2, time_shift=0.3)
    masked_BTF = spec_augment({"prosody": x_BTF}, {"prosody": lengths_B}, config, SHAPES)["prosody"]
    found = beside(torch.empty(40, 0), {"prosody": masked_BTF}, {"prosody": lengths_B})
    num_left = []
    for row, x_TF, length in zip(found, masked_BTF, lengths_B.tolist(), strict=True):
        left_TF = x_TF[:length][x_TF[:length].any(dim=1)]
        alone = masked_mean_std(left_TF[None], torch.tensor([len(left_TF)]))[0]
        torch.testing.assert_close(row, alone)
        num_left.append(length - len(left_TF))
    assert max(num_left) > 2
    # Zeros that counted would pull every mean towards 0.
    assert (found[:, :NUM_VALUES].mean(dim=0) - 3).abs().max() < 0.3
