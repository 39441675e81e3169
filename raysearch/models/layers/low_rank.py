"""Low-rank updates of an encoder's attention (LoRA, arXiv 2106.09685, section 4).

A weight W of d x k becomes W + (alpha / r) B A with A of r x k and B of d x r. A begins random, B
with zeros, so that the encoder begins as it was. As in the paper, queries and values are updated.
"""

import math
import re

import torch
from torch import Tensor, nn

__all__ = ["LowRankUpdates"]

# Projections of their own, or the rows of queries, keys and values in one weight.
_SINGLE = re.compile(r"(^|\.)(q_proj|v_proj)\.weight$")
_JOINED = re.compile(r"(^|\.)in_proj_weight$")


class LowRankUpdates(nn.Module):
    """What is added to an encoder's query and value projections; nothing else of it changes.

    Args:
        encoder: whose projections are found by their names.
        rank: r, at most a projection's smaller side.
        alpha: the update is scaled by alpha / r.
    """

    def __init__(self, encoder: nn.Module, rank: int, alpha: float) -> None:
        super().__init__()
        self._scale = alpha / rank
        self._names: list[str] = []
        self.down, self.up = nn.ParameterList(), nn.ParameterList()
        for name, weight in encoder.named_parameters():
            if _SINGLE.search(name):
                self._add(name, 1, weight.shape[0], weight.shape[1], rank)
            elif _JOINED.search(name):
                self._add(name, 2, weight.shape[0] // 3, weight.shape[1], rank)
        assert self._names, "the encoder has no query or value projections"

    def _add(self, name: str, count: int, num_out: int, num_in: int, rank: int) -> None:
        down_CRI = torch.empty(count, rank, num_in)
        for down_RI in down_CRI:
            nn.init.kaiming_uniform_(down_RI, a=math.sqrt(5))
        self._names.append(name)
        self.down.append(nn.Parameter(down_CRI))
        self.up.append(nn.Parameter(torch.zeros(count, num_out, rank)))

    def updated(self, encoder: nn.Module) -> dict[str, Tensor]:
        """Name to weight of each projection, its update added."""
        weights = {}
        for name, down_CRI, up_COR in zip(self._names, self.down, self.up, strict=True):
            delta_COI = self._scale * (up_COR @ down_CRI)
            parts = [*delta_COI]
            if len(parts) == 2:  # no update of the keys, which lie between
                parts.insert(1, torch.zeros_like(parts[0]))
            weights[name] = encoder.get_parameter(name) + torch.cat(parts)
        return weights
