import pytest
import torch
from torch import nn

from raysearch.training.memory_format import memory_format

CPU, GPU = torch.device("cpu"), torch.device("cuda")


def network(*channels: int) -> nn.Sequential:
    return nn.Sequential(*(nn.BatchNorm2d(number) for number in channels))


@pytest.mark.parametrize("channels", [(8,), (16, 32), (18, 36, 72), (20,)])
def test_maps_are_stored_channels_last_where_that_is_faster(channels: tuple[int, ...]) -> None:
    assert memory_format(network(*channels), True, CPU) is torch.channels_last


@pytest.mark.parametrize("channels", [(4, 8), (12,), (64, 6)])
def test_few_channels_that_fill_no_vector_keep_torchs_own_order(channels: tuple[int, ...]) -> None:
    assert memory_format(network(*channels), True, CPU) is torch.contiguous_format


def test_a_gpu_stores_few_channels_last_too() -> None:
    assert memory_format(network(4), True, GPU) is torch.channels_last


def test_the_settings_can_ask_for_torchs_own_order() -> None:
    assert memory_format(network(16), False, CPU) is torch.contiguous_format
