"""The tiers' ways to a GPU give the same batches, and the same losses."""

import numpy as np
import pytest
import torch
from plain_rows import plain_rows
from random_streams import NOT_AUGMENTED

from raysearch.features.log_mel import LogMelConfig
from raysearch.features.mfcc import MfccConfig
from raysearch.models.model_table import model_config
from raysearch.ray_cluster.gpu_memory import free_gpu_bytes
from raysearch.ray_cluster.resources import Node, plan_slots
from raysearch.streaming.arrays import FeatureArrays, RowStats
from raysearch.streaming.batches import SplitData
from raysearch.streaming.prefetch import PrefetchReader
from raysearch.streaming.readers import DeviceReader, HostReader
from raysearch.streaming.store import feature_source
from raysearch.streaming.tiers import DEVICE_SHARE, choose_tier
from raysearch.training.learner import Learner
from raysearch.training.training_sections import TrainingConfig

pytestmark = pytest.mark.gpu

NUM_TRAIN, NUM_VALIDATION = 90, 21
STREAMS = {"mel": LogMelConfig(n_mels=24), "mfcc": MfccConfig(n_mfcc=13)}
TIERS = ("host", "prefetch", "device")

ROWS = plain_rows(NUM_TRAIN, NUM_VALIDATION)


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """The streams' sources, and their values in memory."""
    store, sources, arrays = tmp_path_factory.mktemp("store"), {}, {}
    frames_R = np.random.default_rng(0).integers(20, 150, NUM_TRAIN + NUM_VALIDATION)
    for number, (name, config) in enumerate(STREAMS.items()):
        source = sources[name] = feature_source(store, "demo", name, config)
        rng = np.random.default_rng(number)
        rows = [rng.normal(size=(n, source.num_bins)).astype(np.float32) for n in frames_R]
        sums, squares = (np.stack([(r.astype(float) ** k).sum(0) for r in rows]) for k in (1, 2))
        values_SF = np.concatenate(rows)
        values_SF.flags.writeable = False  # as shared memory is
        arrays[name] = FeatureArrays(values_SF, RowStats(frames_R.astype(np.int64), sums, squares))
    return sources, arrays


def opened(stored, tier, device, **options):
    sources, arrays = stored
    floors = {name: source.floor for name, source in sources.items()}
    if tier == "device":
        reader = DeviceReader(arrays, floors, device)
    else:
        reader = HostReader(arrays, floors)
        if tier == "prefetch":
            pin = torch.Tensor.pin_memory if device.type == "cuda" else torch.clone
            reader = PrefetchReader(reader, pin)
    place = {"rank": 0, "world_size": 1, "batch_size": 16, **options}
    return SplitData(ROWS, sources, reader, clip_s=0.6, seed=5, **place)


@pytest.mark.parametrize("place", [(16, 0, 1), (1, 1, 2)], ids=["whole", "empty shares"])
@pytest.mark.parametrize("tier", TIERS[1:])
def test_batches_are_the_host_tiers(stored, device, tier, place):
    batch_size, rank, world_size = place
    options = {"batch_size": batch_size, "rank": rank, "world_size": world_size}
    host, other = (opened(stored, one, device, **options) for one in ("host", tier))
    for batches in (lambda data: data.train_batches(2), lambda data: data.validation_batches()):
        count = 0
        for one, two in zip(batches(host), batches(other), strict=True):
            assert torch.equal(one.labels, two.labels.cpu())
            assert torch.equal(one.index, two.index.cpu())
            for name in STREAMS:
                assert torch.equal(one.inputs[name], two.inputs[name].cpu())
                assert torch.equal(one.lengths[name], two.lengths[name].cpu())
            count += 1
        assert count
    other.close()


def test_the_host_tiers_batches_are_pinned_and_the_device_tiers_are_there(stored, cuda):
    with opened(stored, "prefetch", cuda) as data:
        pinned = [x.is_pinned() for batch in data.train_batches(0) for x in batch.inputs.values()]
    assert pinned
    assert all(pinned)
    with opened(stored, "device", cuda) as data:
        batch = next(data.train_batches(0))
    assert all(x.is_cuda for x in (*batch.inputs.values(), *batch.lengths.values(), batch.labels))


def test_leaving_the_device_tier_frees_it(stored, cuda):
    before = torch.cuda.memory_allocated(cuda)
    data = opened(stored, "device", cuda)
    held = torch.cuda.memory_allocated(cuda) - before
    assert held >= sum(array.values.nbytes for array in stored[1].values())
    data.close()
    assert torch.cuda.memory_allocated(cuda) == before


def test_losses_are_equal_over_tiers(stored, device):
    found = {}
    model = model_config({"name": "cnn", "width": 8, "blocks": 2, "dropout": 0.0})
    training = TrainingConfig(epochs=2, batch_size=16, precision="fp32", learning_rate=1e-4)
    for tier in TIERS:
        with opened(stored, tier, device) as data:
            trial = Learner(model, training, NOT_AUGMENTED, data, seed=1, device=device)
            found[tier] = [trial.run_epoch().metrics["train_loss"] for _ in range(2)]
            trial.close()
    assert found["prefetch"] == pytest.approx(found["host"], rel=1e-4)
    assert found["device"] == pytest.approx(found["host"], rel=1e-4)


def test_half_a_card_counts_on_half_of_what_is_free(cuda):
    torch.zeros(1, device=cuda)
    whole, half = free_gpu_bytes(1.0), free_gpu_bytes(0.5)
    free, total = torch.cuda.mem_get_info(cuda)
    # Others may come and go in between.
    assert abs(whole - free) < 0.05 * total
    assert abs(half - whole / 2) < 0.05 * total
    fits_all = int(0.9 * DEVICE_SHARE * whole)
    assert choose_tier(fits_all, whole, 2**60)[0] == "device"
    assert choose_tier(fits_all, half, 2**60)[0] == "host"
    assert choose_tier(fits_all // 2, half, 2**60)[0] == "device"


def test_two_halves_of_a_card_are_two_slots(device):
    node = [Node(cpus=4.0, gpus=1.0)]
    halves = {"workers": 1, "cpus_per_worker": 1, "gpus_per_worker": 0.5}
    assert plan_slots(node, **halves, slots=None, trials=9).slots == 2
