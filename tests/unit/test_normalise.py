"""Statistics that inputs are normalised by."""

# Axis letters name tensor shapes.

import torch

from raysearch.training.normalise import normalise_by_bin, normalise_by_utterance


def test_utterance_statistics_come_from_valid_frames() -> None:
    x_BTF = torch.randn(2, 20, 4) * 3 + 5
    x_BTF[1, 12:] = -11.5
    out = normalise_by_utterance(x_BTF, torch.tensor([20, 12]))
    torch.testing.assert_close(out[1, :12].mean(0), torch.zeros(4), atol=1e-5, rtol=0)
    torch.testing.assert_close(out[1, :12].std(0, unbiased=False), torch.ones(4), atol=1e-3, rtol=0)
    assert (out[1, 12:] < -1).all()
    constant = normalise_by_utterance(torch.full((1, 6, 2), 7.0), torch.tensor([6]))
    assert torch.equal(constant, torch.zeros(1, 6, 2))


def test_bin_statistics_are_applied_and_clamped() -> None:
    x_BTF = torch.tensor([[[3.0, 1000.0]]])
    out = normalise_by_bin(x_BTF, torch.tensor([1.0, 0.0]), torch.tensor([2.0, 1.0]))
    torch.testing.assert_close(out, torch.tensor([[[1.0, 10.0]]]), rtol=1e-4, atol=0)
