"""Batches from planned windows: every tier's values, every rank's rows, honest statistics."""

import dataclasses
import weakref

import numpy as np
import pytest
import torch

from raysearch.errors import DataError, EmptyCorpusError
from raysearch.streaming.arrays import FeatureArrays, RowStats
from raysearch.streaming.batches import SplitData
from raysearch.streaming.readers import DeviceReader, HostReader
from raysearch.streaming.split_rows import RowTable, SplitRows, split_rows
from raysearch.streaming.store import FeatureSource
from raysearch.streaming.tiers import choose_tier

NUM_TRAIN, NUM_VALIDATION, FLOOR = 37, 11, -23.0
STREAMS = {"mel": (100.0, 4), "ssl": (50.0, 6)}


def table(num_rows, seed):
    rng = np.random.default_rng(seed)
    names = tuple(f"{seed}-{i}" for i in range(num_rows))
    return RowTable(names, names, tuple(int(k) for k in rng.integers(0, 3, num_rows)))


ROWS = SplitRows(table(NUM_TRAIN, 0), table(NUM_VALIDATION, 1), ("angry", "calm", "sad"))
SOURCES = {s: FeatureSource(s, "/x", "{}", bins, FLOOR, fps) for s, (fps, bins) in STREAMS.items()}


@pytest.fixture(scope="module")
def arrays():
    rng = np.random.default_rng(5)
    seconds = rng.uniform(0.05, 2.5, NUM_TRAIN + NUM_VALIDATION)
    found = {}
    for stream, (fps, bins) in STREAMS.items():
        num_frames = np.maximum(1, (seconds * fps).astype(np.int64))
        values = rng.normal(3, 2, (num_frames.sum(), bins)).astype(np.float32)
        values.setflags(write=False)
        first = np.cumsum(num_frames) - num_frames
        sums = [np.add.reduceat(values.astype(np.float64) ** p, first, axis=0) for p in (1, 2)]
        found[stream] = FeatureArrays(values, RowStats(num_frames, *sums))
    return found


def open_data(arrays, *, device=False, rank=0, world_size=1, batch_size=8, rows=ROWS):
    floors = dict.fromkeys(STREAMS, FLOOR)
    reader = (
        DeviceReader(arrays, floors, torch.device("cpu")) if device else HostReader(arrays, floors)
    )
    return SplitData(
        rows,
        SOURCES,
        reader,
        clip_s=1.0,
        batch_size=batch_size,
        seed=3,
        rank=rank,
        world_size=world_size,
    )


def everything(data):
    return [*data.train_batches(0), *data.train_batches(1), *data.validation_batches()]


def test_device_tier_gives_the_host_tiers_batches(arrays):
    host, device = everything(open_data(arrays)), everything(open_data(arrays, device=True))
    assert len(host) == len(device)
    for first, second in zip(host, device, strict=True):
        assert first.num_global == second.num_global
        for name in ("labels", "index"):
            assert torch.equal(getattr(first, name), getattr(second, name))
        for stream in STREAMS:
            assert torch.equal(first.inputs[stream], second.inputs[stream])
            assert torch.equal(first.lengths[stream], second.lengths[stream])


def test_windows_hold_the_rows_values_and_the_floor_beyond(arrays):
    for batch in open_data(arrays).train_batches(4):
        assert batch.inputs["mel"].shape[1:] == (100, 4)
        assert batch.inputs["ssl"].shape[1:] == (50, 6)
        for i, row in enumerate(batch.index.tolist()):
            item = arrays["mel"]
            first, length = item.offsets[row], int(batch.lengths["mel"][i])
            values = item.values[first : first + item.stats.num_frames[row]]
            window = batch.inputs["mel"][i].numpy()
            assert np.all(window[length:] == np.float32(FLOOR))
            starts = range(len(values) - length + 1)
            assert any(np.array_equal(values[s : s + length], window[:length]) for s in starts)
            assert batch.labels[i] == ROWS.train.labels[row]


@pytest.mark.parametrize("world_size", [2, 3, 12])
def test_ranks_together_see_what_one_sees(arrays, world_size):
    alone = list(open_data(arrays).train_batches(2))
    ranks = [
        list(open_data(arrays, rank=rank, world_size=world_size).train_batches(2))
        for rank in range(world_size)
    ]
    assert {len(batches) for batches in ranks} == {len(alone)}
    for whole, *shares in zip(alone, *ranks, strict=True):
        assert torch.equal(torch.cat([s.inputs["mel"] for s in shares]), whole.inputs["mel"])
        assert torch.equal(torch.cat([s.index for s in shares]), whole.index)
        assert {share.num_global for share in shares} == {len(whole.index)}
    judged = [
        set(torch.cat([torch.empty(0, dtype=torch.long), *[b.index for b in batches]]).tolist())
        for batches in (
            list(open_data(arrays, rank=r, world_size=world_size).validation_batches())
            for r in range(world_size)
        )
    ]
    assert sum(map(len, judged)) == NUM_VALIDATION
    assert set().union(*judged) == set(range(NUM_VALIDATION))


def test_statistics_come_from_training_rows_alone(arrays):
    data = open_data(arrays)
    item = arrays["mel"]
    frames = item.values[: item.stats.num_frames[:NUM_TRAIN].sum()].astype(np.float64)
    mean, std = data.normalisation["mel"]
    np.testing.assert_allclose(mean, frames.mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(std, frames.std(axis=0), rtol=1e-6)
    stats = item.stats
    spoiled_sum = stats.bin_sum.copy()
    spoiled_sum[NUM_TRAIN:] = 1e9
    spoiled = {
        **arrays,
        "mel": dataclasses.replace(item, stats=dataclasses.replace(stats, bin_sum=spoiled_sum)),
    }
    assert torch.equal(open_data(spoiled).normalisation["mel"][0], mean)
    assert data.class_counts == [ROWS.train.labels.count(k) for k in range(3)]


def test_rows_bring_the_votes_for_them(arrays):
    rng = np.random.default_rng(2)

    def voted(side):
        shares = rng.dirichlet(np.ones(3), len(side))
        return dataclasses.replace(side, shares=tuple(map(tuple, shares.tolist())))

    rows = dataclasses.replace(ROWS, train=voted(ROWS.train))
    data = open_data(arrays, rows=rows)
    assert data.class_shares == pytest.approx(np.sum(rows.train.shares, axis=0))
    assert open_data(arrays).class_shares is None
    for batch in data.train_batches(1):
        wanted = torch.tensor([rows.train.shares[row] for row in batch.index.tolist()])
        torch.testing.assert_close(batch.shares, wanted)
    assert all(batch.shares is None for batch in data.validation_batches())
    both = dataclasses.replace(rows, validation=voted(ROWS.validation))
    judged = list(open_data(arrays, rows=both).validation_batches())
    assert all(batch.shares.shape == (len(batch.index), 3) for batch in judged)


def test_closed_data_hold_nothing(arrays):
    with open_data(arrays) as data:
        assert list(data.train_batches(0))
    with pytest.raises(RuntimeError, match="closed"):
        next(data.train_batches(0))


def test_closing_lets_go_of_the_values(arrays):
    item = arrays["mel"]
    values = np.array(item.values)
    alive = weakref.ref(values)
    data = open_data({**arrays, "mel": dataclasses.replace(item, values=values)})
    del values
    assert alive() is not None
    data.close()
    assert alive() is None


@pytest.mark.parametrize(
    ("num_bytes", "device_free", "expected"),
    [(100, 10_000, "device"), (100, None, "host"), (5000, 10_000, "stream"), (900, 1000, "host")],
)
def test_the_tier_follows_from_the_bytes(num_bytes, device_free, expected):
    tier, reason = choose_tier(num_bytes, device_free, 1000)
    assert tier == expected
    assert "MiB" in reason


@dataclasses.dataclass
class Row:
    id: str
    emotion: str
    corpus: str = "made"
    speaker: str = "03"
    votes: tuple = ()

    @property
    def content_hash(self):
        return f"hash-{self.id}"

    @property
    def speaker_anywhere(self):
        return f"{self.corpus}/{self.speaker}"


@dataclasses.dataclass
class FoldOf:
    train: tuple
    validation: tuple
    fold: int = 0
    dimensions: tuple = ()

    @property
    def labels(self):
        return tuple(sorted({row.emotion for row in self.train}))


def test_split_rows_leaves_out_the_quarantined():
    split = FoldOf((Row("a", "sad"), Row("b", "calm"), Row("c", "sad")), (Row("d", "sad"),))
    rows = split_rows(split, exclude={"c"})
    assert rows.train.ids == ("a", "b")
    assert rows.train.labels == (1, 0)
    assert rows.validation.keys == ("hash-d",)
    assert rows.train.speakers == ("made/03", "made/03")
    with pytest.raises(EmptyCorpusError, match="0 validation rows"):
        split_rows(split, exclude={"d"})
    with pytest.raises(DataError, match="no training row has its emotion 'joy'"):
        split_rows(FoldOf(split.train, (Row("e", "joy"),)))
