"""Where the default precision is bfloat16."""

import pytest
import torch

from raysearch.training.gradient import _bf16_is_fast


@pytest.mark.parametrize("ampere", [True, False])
def test_a_gpu_that_only_emulates_bfloat16_keeps_float32(ampere, monkeypatch):
    def supported(including_emulation=True):
        return including_emulation or ampere

    monkeypatch.setattr(torch.cuda, "is_bf16_supported", supported)
    assert _bf16_is_fast(torch.device("cuda")) is ampere
