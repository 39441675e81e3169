"""A model of the user's own that learns on the device it is told of, and breaks at some widths."""

import os

import torch

from raysearch.models.cnn import Cnn

__all__ = ["GREEDY", "WILD", "PickyCnn"]

GREEDY, WILD = 12, 20
# No card has so many bytes.
FAR_TOO_MUCH = 2**50


class PickyCnn(Cnn):
    """Wants more memory than there is at width 12; reads beyond a tensor at width 20."""

    def forward(self, inputs, lengths):
        x_BTF = inputs["mel"]
        expected = os.environ.get("EXPECTED_DEVICE", "cuda")
        if x_BTF.device.type != expected:
            raise ValueError(f"features on {x_BTF.device.type}, not on {expected}")
        logits_BK = super().forward(inputs, lengths)
        if self.config.width == GREEDY:
            torch.empty(FAR_TOO_MUCH, dtype=torch.uint8, device=x_BTF.device)
        if self.config.width == WILD:
            # The kernel asserts; the error comes with the next wait for the device.
            beyond = torch.full((1,), 10**6, device=x_BTF.device)
            logits_BK = logits_BK + x_BTF.flatten()[:4][beyond]
        return logits_BK
