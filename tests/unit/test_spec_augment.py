# Axis letters name tensor shapes.
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from raysearch.config.base import build
from raysearch.errors import ConfigError
from raysearch.features.extractor import StreamKind, StreamShape
from raysearch.training.spec_augment import band_draws, mask_bands, spec_augment, time_shift
from raysearch.training.training_sections import SpecAugmentConfig

OFF = SpecAugmentConfig(freq_mask_count=0, time_mask_count=0, time_shift=0)
LENGTHS = st.lists(st.integers(1, 50), min_size=1, max_size=6)


@given(LENGTHS, st.floats(0, 0.5), st.integers(0, 4), st.integers(0, 2**31))
def test_bands_lie_inside_the_valid_part(
    sizes: list[int], width: float, count: int, seed: int
) -> None:
    torch.manual_seed(seed)
    sizes_B = torch.tensor(sizes)
    masked = mask_bands(sizes_B, 50, width, band_draws(len(sizes), count))
    assert masked.shape == (len(sizes), 50)
    for row, size in zip(masked, sizes, strict=True):
        assert not row[size:].any()
        assert int(row.sum()) <= count * (width * size + 1e-3)


@given(LENGTHS, st.floats(0, 0.5), st.integers(0, 2**31))
def test_a_shift_moves_frames_in_order_and_fills_with_zero(
    lengths: list[int], fraction: float, seed: int
) -> None:
    torch.manual_seed(seed)
    lengths_B = torch.tensor(lengths)
    x_BTF = torch.arange(1.0, 51.0)[None, :, None].expand(len(lengths), 50, 2).clone()
    moved = time_shift(x_BTF, lengths_B, fraction, torch.rand(len(lengths)))
    for row, size in zip(moved[..., 0], lengths, strict=True):
        assert torch.equal(row[size:], x_BTF[0, size:, 0])
        kept = row[:size][row[:size] != 0]
        assert torch.equal(kept.diff(), torch.ones(len(kept) - 1))
        assert size - len(kept) <= fraction * size
        assert kept.max() <= size


def test_both_directions_and_the_widest_band_occur() -> None:
    torch.manual_seed(0)
    lengths_B = torch.full((400,), 20)
    x_BTF = torch.ones(400, 20, 3)
    moved = time_shift(x_BTF, lengths_B, 0.1, torch.rand(400))[..., 0]
    assert {int(n) for n in (moved == 0).sum(1)} == {0, 1, 2}
    assert (moved[:, 0] == 0).any()
    assert (moved[:, -1] == 0).any()
    widths = mask_bands(lengths_B, 20, 0.2, band_draws(400, 1)).sum(1)
    assert {int(n) for n in widths} == {0, 1, 2, 3, 4}


def alone(x_BTF: Tensor, lengths_B: Tensor, config: SpecAugmentConfig) -> Tensor:
    """One spectrogram, augmented."""
    return spec_augment({"mel": x_BTF}, {"mel": lengths_B}, config, SHAPES)["mel"]


def test_masks_are_zero_bands_over_bins_and_frames() -> None:
    torch.manual_seed(3)
    config = SpecAugmentConfig(
        freq_mask_width=0.5, time_mask_width=0.4, time_mask_count=1, time_shift=0
    )
    out = alone(torch.ones(64, 30, 10), torch.full((64,), 25), config)
    zero = out == 0
    whole_bins, whole_frames = zero.all(dim=1), zero.all(dim=2)
    explained = whole_bins[:, None, :] | whole_frames[:, :, None]
    # Frequency masks reach into the padding too, so that padding never marks a masked bin.
    assert torch.equal(zero, explained)
    assert whole_bins.any()
    assert whole_frames.any()
    assert not whole_frames[:, 25:].any()


def test_off_changes_nothing_and_an_empty_share_passes() -> None:
    x_BTF = torch.randn(3, 12, 5)
    assert torch.equal(alone(x_BTF, torch.tensor([12, 3, 1]), OFF), x_BTF)
    empty = torch.empty(0, 12, 5)
    out = alone(empty, torch.empty(0, dtype=torch.long), SpecAugmentConfig())
    assert out.shape == (0, 12, 5)


def test_torchs_seed_decides() -> None:
    x_BTF, lengths_B = torch.randn(4, 30, 8), torch.full((4,), 30)
    outs = []
    for seed in (5, 5, 6):
        torch.manual_seed(seed)
        outs.append(alone(x_BTF, lengths_B, SpecAugmentConfig()))
    assert torch.equal(outs[0], outs[1])
    assert not torch.equal(outs[0], outs[2])


def test_masking_most_of_a_clip_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"above 0\.4 of a clip"):
        build(SpecAugmentConfig, {"time_mask_width": 0.3, "time_mask_count": 2})
    assert SpecAugmentConfig(time_mask_width=0.2, time_mask_count=2).time_mask_count == 2


def shape(kind: StreamKind) -> StreamShape:
    return StreamShape(num_bins=1, num_frames=1, kind=kind)


SHAPES = {
    "mel": shape("spectrogram"),
    "prosody": shape("frames"),
    "ssl": shape("frames"),
    "wave": shape("waveform"),
    "egemaps": shape("vector"),
}
FRAMES_A_SECOND = {"mel": 100, "prosody": 50, "ssl": 50, "wave": 1600, "egemaps": 1}


def streams(seconds_B: list[float], num_bins: int = 3) -> tuple[dict[str, Tensor], ...]:
    """Every kind of stream of the same clips, each frame holding its own second plus one."""
    inputs, lengths = {}, {}
    for stream, rate in FRAMES_A_SECOND.items():
        num_frames = 3 * rate if stream != "egemaps" else 1
        second_T = 1 + torch.arange(num_frames) / rate
        inputs[stream] = second_T[None, :, None].repeat(len(seconds_B), 1, num_bins)
        lengths[stream] = (torch.tensor(seconds_B) * rate).long().clamp(1, num_frames)
    return inputs, lengths


@given(st.lists(st.floats(0.5, 3), min_size=1, max_size=5), st.integers(0, 2**31))
def test_all_streams_of_a_row_are_shifted_alike(seconds: list[float], seed: int) -> None:
    torch.manual_seed(seed)
    config = SpecAugmentConfig(freq_mask_count=0, time_mask_count=0, time_shift=0.3)
    inputs, lengths = streams(seconds)
    out = spec_augment(inputs, lengths, config, SHAPES)
    assert torch.equal(out["egemaps"], inputs["egemaps"])
    # In seconds: how far the first second that is left has moved.
    moved = {}
    for stream in ("mel", "prosody", "ssl", "wave"):
        kept_BT = out[stream][..., 0] != 0
        first_B = kept_BT.long().argmax(dim=1)
        second_B = out[stream][..., 0].gather(1, first_B[:, None])[:, 0] - 1
        moved[stream] = first_B / FRAMES_A_SECOND[stream] - second_B
    # Each shift is rounded to a frame, and is 0.3 of a length that is rounded, too.
    for stream, gap in (("prosody", 0.027), ("ssl", 0.027), ("wave", 0.014)):
        assert (moved[stream] - moved["mel"]).abs().max() <= gap
    assert torch.equal(moved["prosody"], moved["ssl"])


@given(st.integers(0, 2**31))
def test_all_streams_of_a_row_are_masked_at_the_same_time(seed: int) -> None:
    torch.manual_seed(seed)
    config = SpecAugmentConfig(
        freq_mask_count=0, time_mask_width=0.4, time_mask_count=1, time_shift=0
    )
    inputs, lengths = streams([3.0, 1.7, 0.9])
    out = spec_augment(inputs, lengths, config, SHAPES)
    assert torch.equal(out["wave"], inputs["wave"])
    assert torch.equal(out["egemaps"], inputs["egemaps"])
    assert torch.equal(out["prosody"], out["ssl"])
    widths, starts = {}, {}
    for stream in ("mel", "ssl"):
        masked_BT = (out[stream] == 0).all(dim=2)
        widths[stream] = masked_BT.sum(dim=1) / FRAMES_A_SECOND[stream]
        starts[stream] = masked_BT.long().argmax(dim=1) / FRAMES_A_SECOND[stream]
    assert (widths["mel"] - widths["ssl"]).abs().max() <= 0.02 + 1e-6  # one SSL frame
    both_B = (widths["mel"] > 0) & (widths["ssl"] > 0)
    assert ((starts["mel"] - starts["ssl"]).abs()[both_B] <= 0.04 + 1e-6).all()


def test_only_spectrograms_are_masked_in_frequency_and_each_by_itself() -> None:
    torch.manual_seed(1)
    config = SpecAugmentConfig(
        freq_mask_width=0.5, freq_mask_count=1, time_mask_count=0, time_shift=0
    )
    inputs, lengths = streams([3.0] * 32, num_bins=20)
    inputs["high"], lengths["high"] = inputs["mel"], lengths["mel"]
    out = spec_augment(inputs, lengths, config, {**SHAPES, "high": SHAPES["mel"]})
    for stream in ("prosody", "ssl", "wave", "egemaps"):
        assert torch.equal(out[stream], inputs[stream])
    assert not torch.equal(out["mel"], out["high"])
    assert (out["mel"] == 0).all(dim=1).any()


def test_one_stream_alone_and_the_first_of_several_draw_the_same() -> None:
    inputs, lengths = streams([3.0, 2.0], num_bins=8)
    torch.manual_seed(4)
    single = alone(inputs["mel"], lengths["mel"], SpecAugmentConfig())
    torch.manual_seed(4)
    beside = spec_augment(inputs, lengths, SpecAugmentConfig(), SHAPES)
    assert torch.equal(beside["mel"], single)
