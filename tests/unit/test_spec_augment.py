# Axis letters name tensor shapes.
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from raysearch.config.base import build
from raysearch.errors import ConfigError
from raysearch.training.config import SpecAugmentConfig
from raysearch.training.spec_augment import mask_bands, spec_augment, time_shift

OFF = SpecAugmentConfig(freq_mask_count=0, time_mask_count=0, time_shift=0)
LENGTHS = st.lists(st.integers(1, 50), min_size=1, max_size=6)


@given(LENGTHS, st.floats(0, 0.5), st.integers(0, 4), st.integers(0, 2**31))
def test_bands_lie_inside_the_valid_part(
    sizes: list[int], width: float, count: int, seed: int
) -> None:
    torch.manual_seed(seed)
    sizes_B = torch.tensor(sizes)
    masked = mask_bands(sizes_B, 50, width, count)
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
    moved = time_shift(x_BTF, lengths_B, fraction)
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
    moved = time_shift(x_BTF, lengths_B, 0.1)[..., 0]
    assert {int(n) for n in (moved == 0).sum(1)} == {0, 1, 2}
    assert (moved[:, 0] == 0).any()
    assert (moved[:, -1] == 0).any()
    widths = mask_bands(lengths_B, 20, 0.2, 1).sum(1)
    assert {int(n) for n in widths} == {0, 1, 2, 3, 4}


def test_masks_are_zero_bands_over_bins_and_frames() -> None:
    torch.manual_seed(3)
    config = SpecAugmentConfig(
        freq_mask_width=0.5, time_mask_width=0.4, time_mask_count=1, time_shift=0
    )
    out = spec_augment(torch.ones(64, 30, 10), torch.full((64,), 25), config)
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
    assert torch.equal(spec_augment(x_BTF, torch.tensor([12, 3, 1]), OFF), x_BTF)
    empty = torch.empty(0, 12, 5)
    assert spec_augment(empty, torch.empty(0, dtype=torch.long), SpecAugmentConfig()).shape == (
        0,
        12,
        5,
    )


def test_torchs_seed_decides() -> None:
    x_BTF, lengths_B = torch.randn(4, 30, 8), torch.full((4,), 30)
    outs = []
    for seed in (5, 5, 6):
        torch.manual_seed(seed)
        outs.append(spec_augment(x_BTF, lengths_B, SpecAugmentConfig()))
    assert torch.equal(outs[0], outs[1])
    assert not torch.equal(outs[0], outs[2])


def test_masking_most_of_a_clip_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"above 0\.4 of a clip"):
        build(SpecAugmentConfig, {"time_mask_width": 0.3, "time_mask_count": 2})
    assert SpecAugmentConfig(time_mask_width=0.2, time_mask_count=2).time_mask_count == 2
