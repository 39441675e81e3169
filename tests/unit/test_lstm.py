"""The recurrent baseline reads no padding, and each pooling is what it says."""

# Axis letters name tensor shapes.

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from raysearch.features.extractor import StreamShape
from raysearch.models.layers.recurrent import MaskedRecurrence
from raysearch.models.lstm import Lstm, LstmConfig

NUM_BINS, NUM_FRAMES, NUM_CLASSES = 10, 24, 4
SHAPES = {"mel": StreamShape(NUM_BINS, NUM_FRAMES)}
POOLINGS = ("last", "mean", "attention", "mean_std")


def made(**fields: object) -> Lstm:
    torch.manual_seed(0)
    config = LstmConfig(**{"hidden": 8, "dropout": 0.0, **fields})
    return Lstm(config, SHAPES, NUM_CLASSES)


def run(model: Lstm, x_BTF: Tensor, lengths: list[int]) -> Tensor:
    logits: Tensor = model({"mel": x_BTF}, {"mel": torch.tensor(lengths)})
    return logits


@pytest.mark.parametrize(
    ("pooling", "layers", "bidirectional"),
    [*itertools.product(POOLINGS, (1, 2), (False, True))],
)
def test_every_setting_learns_everywhere(pooling: str, layers: int, bidirectional: bool) -> None:
    model = made(pooling=pooling, layers=layers, bidirectional=bidirectional, dropout=0.3)
    run(model, torch.randn(3, NUM_FRAMES, NUM_BINS), [24, 7, 1]).square().sum().backward()
    unreached = [n for n, p in model.named_parameters() if p.grad is None or not p.grad.any()]
    assert not unreached


@settings(max_examples=30, deadline=None)
@given(
    lengths=st.lists(st.integers(1, NUM_FRAMES), min_size=1, max_size=5),
    pooling=st.sampled_from(POOLINGS),
    bidirectional=st.booleans(),
)
def test_a_row_is_what_it_is_alone_and_unpadded(
    lengths: list[int], pooling: str, bidirectional: bool
) -> None:
    model = made(pooling=pooling, bidirectional=bidirectional, layers=2).eval()
    x_BTF = torch.randn(len(lengths), NUM_FRAMES, NUM_BINS)
    together = run(model, x_BTF, lengths)
    for row, length in enumerate(lengths):
        alone = run(model, x_BTF[row : row + 1, :length], [length])
        torch.testing.assert_close(together[row : row + 1], alone, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("layers", [1, 3])
def test_states_are_those_of_torchs_packed_lstm(layers: int, bidirectional: bool) -> None:
    ours = MaskedRecurrence(6, 5, layers=layers, bidirectional=bidirectional)
    torchs = nn.LSTM(6, 5, layers, batch_first=True, bidirectional=bidirectional)
    for directions, suffix in ((ours.onward, ""), (ours.backward_, "_reverse")):
        for number, lstm in enumerate(directions):
            for name, value in lstm.named_parameters():
                getattr(torchs, name.replace("_l0", f"_l{number}{suffix}")).data = value.data
    x_BTF, lengths_B = torch.randn(4, 9, 6), torch.tensor([9, 1, 4, 8])
    packed = pack_padded_sequence(x_BTF, lengths_B, batch_first=True, enforce_sorted=False)
    expected_BTC, _ = pad_packed_sequence(torchs(packed)[0], batch_first=True)
    torch.testing.assert_close(ours(x_BTF, lengths_B), expected_BTC)


def states(model: Lstm, x_TF: Tensor) -> Tensor:
    out_BTC: Tensor = model.lstm(x_TF[None], torch.tensor([len(x_TF)]))
    return out_BTC[0]


def test_last_is_where_each_direction_ends() -> None:
    model = made(pooling="last").eval()
    x_TF = torch.randn(NUM_FRAMES, NUM_BINS)
    h_TC = states(model, x_TF[:17])
    expected = model.classifier(torch.cat([h_TC[-1, :8], h_TC[0, 8:]]))
    torch.testing.assert_close(run(model, x_TF[None], [17])[0], expected)


def test_mean_is_over_the_valid_frames() -> None:
    model = made(pooling="mean").eval()
    x_TF = torch.randn(NUM_FRAMES, NUM_BINS)
    expected = model.classifier(states(model, x_TF[:17]).mean(dim=0))
    torch.testing.assert_close(run(model, x_TF[None], [17])[0], expected)


def test_mean_std_is_over_the_valid_frames() -> None:
    model = made(pooling="mean_std").eval()
    x_TF = torch.randn(NUM_FRAMES, NUM_BINS)
    h_TC = states(model, x_TF[:17])
    deviation_C = (h_TC.var(dim=0, correction=0) + 1e-5).sqrt()
    expected = model.classifier(torch.cat([h_TC.mean(dim=0), deviation_C]))
    torch.testing.assert_close(run(model, x_TF[None], [17])[0], expected)


@pytest.mark.parametrize(("blocks", "columns", "values"), [(1, 12, 5 * 4), (3, 3, 2 * 16)])
def test_convolution_blocks_shorten_what_the_recurrence_reads(
    blocks: int, columns: int, values: int
) -> None:
    model = made(conv_blocks=blocks, conv_width=4)
    seen = []
    model.lstm.register_forward_pre_hook(lambda _, inputs: seen.append(inputs))
    run(model, torch.randn(3, NUM_FRAMES, NUM_BINS), [24, 9, 1]).square().sum().backward()
    x_BTF, lengths_B = seen[0]
    assert x_BTF.shape == (3, columns, values)
    assert lengths_B.tolist() == [columns, -(-9 * columns // NUM_FRAMES), 1]
    assert all(p.grad is not None and p.grad.any() for p in model.front.parameters())


def test_frames_beyond_the_receptive_field_leave_a_convolved_row_alone() -> None:
    model = made(conv_blocks=1, conv_width=4).eval()
    x_BTF = torch.randn(1, NUM_FRAMES, NUM_BINS)
    changed_BTF = x_BTF.clone()
    changed_BTF[:, 13:] += 1  # 12 frames are six columns; their kernels end at frame 12
    torch.testing.assert_close(run(model, x_BTF, [12]), run(model, changed_BTF, [12]))


def test_input_dropout_is_of_what_the_recurrence_reads() -> None:
    model = made(input_dropout=0.5)
    seen = []
    model.lstm.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    run(model, torch.ones(2, NUM_FRAMES, NUM_BINS), [24, 24])
    assert set(seen[0].flatten().tolist()) == {0.0, 2.0}
    run(model.eval(), torch.ones(2, NUM_FRAMES, NUM_BINS), [24, 24])
    assert set(seen[1].flatten().tolist()) == {1.0}


def test_attention_without_preference_is_the_mean_and_can_pick_one_frame() -> None:
    model = made(pooling="attention").eval()
    assert model.score is not None
    x_TF = torch.randn(NUM_FRAMES, NUM_BINS)
    h_TC = states(model, x_TF)
    with torch.no_grad():
        direction_C = torch.randn(16)
        model.score.weight.zero_()
        even = run(model, x_TF[None], [NUM_FRAMES])[0]
        model.score.weight.copy_(1e6 * direction_C[None])
        picked = run(model, x_TF[None], [NUM_FRAMES])[0]
    torch.testing.assert_close(even, model.classifier(h_TC.mean(dim=0)))
    torch.testing.assert_close(picked, model.classifier(h_TC[(h_TC @ direction_C).argmax()]))
