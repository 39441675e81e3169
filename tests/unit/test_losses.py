# Axis letters name tensor shapes.
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional

from raysearch.training.losses import (
    class_weights,
    mix,
    mixing_share,
    soft_cross_entropy,
    soft_targets,
)


@given(
    st.lists(st.integers(0, 500), min_size=2, max_size=8).filter(any),
    st.sampled_from(["none", "sqrt", "balanced"]),
)
def test_weights_average_to_one_over_the_rows(counts: list[int], kind: str) -> None:
    weights_K = class_weights(counts, kind)  # type: ignore[arg-type]
    mean = sum(float(w) * n for w, n in zip(weights_K, counts, strict=True)) / sum(counts)
    assert mean == pytest.approx(1.0, rel=1e-5)


def test_balanced_is_inverse_frequency_and_sqrt_its_root() -> None:
    balanced, root = class_weights([10, 40, 0], "balanced"), class_weights([10, 40, 0], "sqrt")
    assert float(balanced[0] / balanced[1]) == pytest.approx(4)
    assert float(root[0] / root[1]) == pytest.approx(2)
    assert float(balanced[2]) == 0


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_equals_torchs_cross_entropy(smoothing: float) -> None:
    logits_BK, labels_B = torch.randn(6, 4), torch.tensor([0, 1, 2, 3, 0, 1])
    weights_K = torch.tensor([1.0, 2.0, 0.5, 1.0])
    ours = soft_cross_entropy(logits_BK, soft_targets(labels_B, weights_K, smoothing))
    plain = functional.cross_entropy(
        logits_BK, labels_B, reduction="none", label_smoothing=smoothing
    )
    torch.testing.assert_close(ours, plain * weights_K[labels_B])


def test_mixing_interpolates_between_pairs() -> None:
    values = torch.tensor([[0.0], [10.0], [20.0]])
    mixed = mix(values, torch.tensor([1, 2, 0]), 0.75)
    torch.testing.assert_close(mixed, torch.tensor([[2.5], [12.5], [15.0]]))


def test_the_share_follows_torchs_seed_and_stays_in_range() -> None:
    torch.manual_seed(1)
    shares = [mixing_share(0.2) for _ in range(50)]
    torch.manual_seed(1)
    assert shares == [mixing_share(0.2) for _ in range(50)]
    assert all(0 <= share <= 1 for share in shares)
    assert len(set(shares)) > 10
