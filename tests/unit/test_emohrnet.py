# Axis letters name tensor shapes.
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional

from raysearch.config.base import Places
from raysearch.errors import ConfigError, UnknownNameError
from raysearch.features.extractor import StreamShape
from raysearch.models.emohrnet import EmoHRNet, EmoHRNetConfig
from raysearch.models.layers.attention import build_attention
from raysearch.models.layers.exchange import ExchangeUnit, HRModule, resize
from raysearch.models.layers.fuse import FuseLayer
from raysearch.models.layers.pooling import frame_mask, masked_max, masked_mean
from raysearch.models.model_table import build_model, model_config

SMALL = {"width": 4, "blocks": 1, "stem_width": 8}


def branches(num: int, size: tuple[int, int], width: int = 4) -> list[Tensor]:
    height, frames = size
    return [
        torch.randn(2, width * 2**i, math.ceil(height / 2**i), math.ceil(frames / 2**i))
        for i in range(num)
    ]


def small(**fields: object) -> EmoHRNet:
    return EmoHRNet(EmoHRNetConfig(**{**SMALL, **fields}), {"mel": StreamShape(32, 64)}, 5)


def run(model: nn.Module, x_BTF: Tensor, lengths: list[int] | None = None) -> Tensor:
    lengths = lengths or [x_BTF.shape[1]] * len(x_BTF)
    out: Tensor = model({"mel": x_BTF}, {"mel": torch.tensor(lengths)})
    return out


@pytest.mark.parametrize("num", [2, 3, 4])
@pytest.mark.parametrize("size", [(16, 48), (13, 7), (8, 8)])
def test_every_branch_reaches_every_output_of_an_exchange(num: int, size: tuple[int, int]) -> None:
    torch.manual_seed(0)
    unit = ExchangeUnit([4 * 2**i for i in range(num)]).eval()
    inputs = branches(num, size)
    before = unit(inputs)
    assert [h.shape for h in before] == [h.shape for h in inputs]
    for number in range(num):
        perturbed = list(inputs)
        perturbed[number] = inputs[number] + torch.randn_like(inputs[number])
        after = unit(perturbed)
        assert all(not torch.equal(a, b) for a, b in zip(before, after, strict=True))


@pytest.mark.parametrize("stride", [2, 4])
def test_the_fuse_layer_works_at_the_stems_resolution(stride: int) -> None:
    model = small(stem_stride=stride)
    seen: dict[str, list[torch.Size]] = {}

    def remember(_: nn.Module, args: tuple[list[Tensor]], out: Tensor) -> None:
        seen["in"], seen["out"] = [h.shape for h in args[0]], [out.shape]

    model.fuse.register_forward_hook(remember)
    stem: list[torch.Size] = []
    model.stem.register_forward_hook(lambda _m, _a, out: stem.append(out.shape))
    run(model, torch.randn(2, 50, 32))
    assert stem[0][2:] == (math.ceil(32 / stride), math.ceil(50 / stride))
    assert seen["in"][0][2:] == seen["out"][0][2:] == stem[0][2:]
    assert [shape[1] for shape in seen["in"]] == [4, 8, 16, 32]
    assert seen["out"][0][1] == 60


def test_fusing_equals_upsample_concatenate_convolve() -> None:
    torch.manual_seed(0)
    fuse = FuseLayer([4, 8, 16]).train()
    inputs = branches(3, (8, 16))
    joined = torch.cat([resize(h, (8, 16)) for h in inputs], dim=1)
    weight = torch.cat([mix.weight for mix in fuse.mix], dim=1)  # type: ignore[misc]
    mixed = functional.conv2d(joined, weight)
    mean, variance = mixed.mean((0, 2, 3)), mixed.var((0, 2, 3), unbiased=False)
    normed = (mixed - mean[:, None, None]) / (variance[:, None, None] + 1e-5).sqrt()
    torch.testing.assert_close(fuse(inputs), (normed + joined).relu(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("num", "expected"), [(2, [3]), (3, [3, 1]), (4, [3, 1, 2])])
def test_modules_count_only_for_stages_that_exist(num: int, expected: list[int]) -> None:
    model = small(branches=num, modules="3/1/2")
    counts = [sum(isinstance(part, HRModule) for part in stage) for stage in model.stages]
    assert counts == expected


def test_one_branch_is_as_deep_as_the_highest_of_four() -> None:
    model = small(branches=1, modules="3/1/2")
    assert [sum(isinstance(part, HRModule) for part in stage) for stage in model.stages] == [6]
    assert model.fuse.width == 4
    assert run(model, torch.randn(2, 50, 32)).shape == (2, 5)


def test_branches_that_do_not_exchange_leave_each_other_alone() -> None:
    torch.manual_seed(0)
    module = HRModule([4, 8, 16], 1, exchange=False).eval()
    inputs = branches(3, (8, 16))
    before = module(inputs)
    after = module([torch.randn_like(inputs[0]), *inputs[1:]])
    assert not torch.equal(before[0], after[0])
    assert torch.equal(before[1], after[1])
    assert torch.equal(before[2], after[2])
    assert small(exchange=False).num_params < small().num_params


def test_without_its_residual_the_fuse_layer_only_mixes() -> None:
    torch.manual_seed(0)
    fuse = FuseLayer([4, 8], residual=False).train()
    inputs = branches(2, (8, 16))
    joined = torch.cat([resize(h, (8, 16)) for h in inputs], dim=1)
    weight = torch.cat([mix.weight for mix in fuse.mix], dim=1)  # type: ignore[misc]
    normed = functional.batch_norm(functional.conv2d(joined, weight), None, None, training=True)
    torch.testing.assert_close(fuse(inputs), normed.relu(), rtol=1e-4, atol=1e-5)


def test_a_part_that_is_there_is_no_news_in_a_trials_identity() -> None:
    whole = EmoHRNetConfig().identity()
    assert not {"exchange", "fuse_residual"} & whole.keys()
    assert EmoHRNetConfig(exchange=False).identity() == {**whole, "exchange": False}


@pytest.mark.parametrize("fields", [{"branches": 1}, {"exchange": False}, {"fuse_residual": False}])
def test_without_a_part_all_that_is_left_learns(fields: dict[str, object]) -> None:
    torch.manual_seed(0)
    model = small(**fields)
    run(model, torch.randn(4, 33, 32), [33, 20, 5, 1]).square().sum().backward()
    unreached = [n for n, p in model.named_parameters() if p.grad is None or not p.grad.any()]
    assert not unreached


@pytest.mark.parametrize("attention", ["none", "se", "spatial", "cbam", "coordinate"])
def test_each_attention_learns_and_keeps_the_shape(attention: str) -> None:
    torch.manual_seed(0)
    model = small(fuse_attention=attention, dropout=0.2)
    logits = run(model, torch.randn(4, 33, 32), [33, 20, 5, 1])
    assert logits.shape == (4, 5)
    logits.square().sum().backward()
    unreached = [n for n, p in model.named_parameters() if p.grad is None or not p.grad.any()]
    assert not unreached


@pytest.mark.parametrize("attention", ["none", "se", "coordinate"])
def test_attention_squeezes_over_valid_columns_only(attention: str) -> None:
    torch.manual_seed(0)
    layer = build_attention(attention, 16, 4).eval()  # type: ignore[arg-type]
    mask_BW = torch.tensor([[True] * 6 + [False] * 4])
    h_BCHW = torch.randn(1, 16, 5, 10)
    changed = h_BCHW.clone()
    changed[..., 6:] += 7
    before, after = layer(h_BCHW, mask_BW), layer(changed, mask_BW)
    torch.testing.assert_close(before[..., :6], after[..., :6])


@given(st.integers(1, 200), st.integers(1, 8), st.data())
def test_the_mask_covers_what_holds_a_valid_frame(
    num_frames: int, stride: int, data: st.DataObject
) -> None:
    width = math.ceil(num_frames / stride)
    length = data.draw(st.integers(1, num_frames))
    (mask_W,) = frame_mask(torch.tensor([length]), num_frames, width)
    num_valid = int(mask_W.sum())
    assert num_valid == math.ceil(length * width / num_frames)
    assert mask_W[:num_valid].all()
    assert num_valid == width or length < num_frames


def test_pooling_ignores_columns_beyond_the_length() -> None:
    h_BCHW = torch.randn(2, 3, 4, 10)
    mask_BW = frame_mask(torch.tensor([40, 17]), 40, 10)
    noisy = h_BCHW.clone()
    noisy[1, :, :, 5:] = 1e6
    torch.testing.assert_close(masked_mean(noisy, mask_BW)[1], h_BCHW[1, :, :, :5].mean((1, 2)))
    torch.testing.assert_close(masked_max(noisy, mask_BW)[1], h_BCHW[1, :, :, :5].amax((1, 2)))
    torch.testing.assert_close(masked_mean(noisy, mask_BW)[0], h_BCHW[0].mean((1, 2)))


def test_one_row_of_the_smallest_input_trains() -> None:
    model = small().train()
    run(model, torch.randn(1, 32, 32)).sum().backward()
    run(model, torch.randn(1, 3, 32)).sum().backward()


def test_layout_does_not_change_the_function() -> None:
    torch.manual_seed(0)
    model = small().eval()
    x_BTF = torch.randn(3, 41, 32)
    plain = run(model, x_BTF)
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    torch.testing.assert_close(run(model, x_BTF), plain, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    ("data", "error", "message"),
    [
        ({}, ConfigError, "space.yaml:7: 'model.name' is missing"),
        ({"name": 3}, ConfigError, "'model.name' is 3"),
        ({"name": "emohrnt"}, UnknownNameError, "did you mean 'emohrnet'"),
        ({"name": "math:sqrt"}, ConfigError, "no raysearch Model"),
        ({"name": "emohrnet", "widht": 8}, ConfigError, "did you mean 'width'"),
        ({"name": "emohrnet", "modules": "1/1"}, ConfigError, "'model.modules' is '1/1'"),
        ({"name": "emohrnet", "branches": 5}, ConfigError, "'model.branches' is 5"),
        ({"name": "emohrnet", "dropout": 1.0}, ConfigError, "'model.dropout' is 1.0"),
    ],
)
def test_wrong_configs_are_one_clear_line(
    data: dict[str, object], error: type[Exception], message: str
) -> None:
    with pytest.raises(error) as caught:
        model_config(data, prefix="model", places=Places("space.yaml:7"))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_stream_is_the_users_mistake() -> None:
    with pytest.raises(ConfigError, match=r"add features\.mel"):
        build_model(EmoHRNetConfig(), {"mfcc": 20}, 4)
