"""Where a trial's features live while it trains, and the data opened there."""

from collections.abc import Mapping, Sequence
from typing import Literal

import torch

from raysearch.errors import ConfigError
from raysearch.streaming.batches import SplitData
from raysearch.streaming.epoch_plan import SHUFFLE_ROWS
from raysearch.streaming.node_cache import cached_arrays, node_cache
from raysearch.streaming.prefetch import PrefetchReader
from raysearch.streaming.readers import DeviceReader, HostReader, WindowReader
from raysearch.streaming.split_rows import SplitRows
from raysearch.streaming.store import FeatureSource
from raysearch.streaming.stream import StreamReader

__all__ = ["Tier", "choose_tier", "open_trial_data", "scoring_tier"]

Tier = Literal["device", "host", "stream"]
# The rest of a device's memory is the model's.
DEVICE_SHARE = 0.3


def choose_tier(num_bytes: int, device_free: int | None, host_budget: int) -> tuple[Tier, str]:
    """The fastest tier that holds ``num_bytes`` of features, and why.

    Args:
        num_bytes: of all streams' training and validation rows.
        device_free: free bytes of each worker's GPU, or of its part of one; None without one.
        host_budget: bytes of the node's cache, from which a GPU is filled, too.
    """
    size = f"{num_bytes / 2**20:.0f} MiB of features"
    if device_free is not None and num_bytes <= min(DEVICE_SHARE * device_free, host_budget):
        return "device", f"{size} fit in {DEVICE_SHARE:.0%} of a worker's free GPU memory"
    if num_bytes <= host_budget:
        return "host", f"{size} fit in the node's cache of {host_budget / 2**20:.0f} MiB"
    return "stream", f"{size} exceed the node's cache of {host_budget / 2**20:.0f} MiB"


def scoring_tier(tier: Tier) -> Tier:
    """Where nets that trained in ``tier`` are scored: on the CPU, in memory if that holds all."""
    return "stream" if tier == "stream" else "host"


def open_trial_data(
    rows: SplitRows,
    sources: Mapping[str, FeatureSource],
    *,
    clip_s: float,
    batch_size: int,
    seed: int,
    rank: int = 0,
    world_size: int = 1,
    cells: Sequence[str] = (),
    probability: float = 0.0,
    by_speaker: bool = False,
    tier: Tier = "host",
    device: torch.device | str = "cpu",
    cache: object = None,
    shuffle_rows: int = SHUFFLE_ROWS,
) -> SplitData:
    """The data of one trial for one rank; close it when the trial ends.

    Args:
        rows: the split.
        sources: the streams' stores, each holding all rows.
        clip_s: seconds of a crop or window.
        batch_size: rows of a global batch, over all ranks.
        seed: of the permutations and crops.
        rank: this worker's.
        world_size: workers of the group.
        cells: augmentation cells that may replace a training row.
        probability: how often one does.
        by_speaker: give statistics of each speaker's rows, not of all training rows.
        tier: where the features live; the batches are the same in each.
        device: of the batches in the device tier; the other tiers give CPU tensors, made ahead
            and in page-locked memory if the device is a GPU.
        cache: the node's cache actor; by default the one of this node.
        shuffle_rows: rows up to which an epoch's order is uniform, in every tier alike.

    Raises:
        DataError: rows that a store does not hold, or damaged ones.
        ConfigError: no such tier.
    """
    # A rank's share of a shuffled stretch: of each of its batches the larger half, at worst.
    horizon = shuffle_rows // world_size + shuffle_rows // batch_size + 2
    place = torch.device(device)
    reader = _open(rows.keys(cells), sources, tier, place, cache, horizon)
    if place.type == "cuda" and tier != "device":
        reader = PrefetchReader(reader)
    return SplitData(
        rows,
        sources,
        reader,
        clip_s=clip_s,
        batch_size=batch_size,
        seed=seed,
        rank=rank,
        world_size=world_size,
        cells=cells,
        probability=probability,
        shuffle_rows=shuffle_rows,
        by_speaker=by_speaker,
    )


def _open(
    keys: Sequence[str],
    sources: Mapping[str, FeatureSource],
    tier: str,
    device: torch.device,
    cache: object,
    horizon: int,
) -> WindowReader:
    if tier == "stream":
        return StreamReader(sources, keys, horizon)
    if tier not in ("host", "device"):
        raise ConfigError(f"unknown data tier {tier!r} (one of: device, host, stream)")
    actor = cache or node_cache()
    arrays = {name: cached_arrays(actor, source, keys) for name, source in sources.items()}
    floors = {name: source.floor for name, source in sources.items()}
    return HostReader(arrays, floors) if tier == "host" else DeviceReader(arrays, floors, device)
