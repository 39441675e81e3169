"""Streamed batches equal the host tier's, with each read done in place instead of by Ray."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch
from plain_rows import plain_rows

from raysearch.errors import DataError, InfrastructureError
from raysearch.features.log_mel import LogMelConfig
from raysearch.streaming import stream
from raysearch.streaming.arrays import FeatureArrays
from raysearch.streaming.batches import SplitData
from raysearch.streaming.readers import HostReader
from raysearch.streaming.store import feature_source
from raysearch.streaming.store_index import publish_index, scan
from raysearch.streaming.store_parts import PartRow, part_name, write_part
from raysearch.streaming.stream import StreamReader
from raysearch.training.training_sections import TrainingConfig

NUM_TRAIN, NUM_VALIDATION, WINDOW = 400, 60, 128
STREAMS = {"mel": (LogMelConfig(n_mels=8), 64), "fast": (LogMelConfig(n_mels=9, hop_ms=5.0), 50)}

ROWS = plain_rows(NUM_TRAIN, NUM_VALIDATION)


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """Sources in a plain folder, and the same values as the host tier holds them."""
    store = tmp_path_factory.mktemp("store")
    sources, arrays, keys = {}, {}, ROWS.keys()
    for name, (config, rows_a_part) in STREAMS.items():
        source = feature_source(store, "demo", name, config)
        Path(source.folder).mkdir()
        rng = np.random.default_rng(len(name))
        values = [
            rng.normal(size=(int(rng.integers(1, 90)), source.num_bins)).astype(np.float32)
            for _ in keys
        ]
        rows = [PartRow(k, k, v) for k, v in zip(keys, values, strict=True)]
        for low in range(0, len(rows), rows_a_part):
            part = rows[low : low + rows_a_part]
            path = Path(source.folder) / part_name(row.content_hash for row in part)
            write_part(path, part, source.identity)
            publish_index(source, path.name)
        sources[name] = source
        arrays[name] = FeatureArrays(np.concatenate(values), scan(source).stats(ROWS.keys()))
    return sources, arrays


@pytest.fixture
def reads(monkeypatch):
    """What was asked of each part, in order, several a task."""
    asked = []

    def in_place(items, task, kwargs, **options):
        for item in items:
            asked.extend(item["reads"])
            yield task(pa.Table.from_pylist([item]), **kwargs)

    monkeypatch.setattr(stream, "run_tasks", in_place)
    context = type("Context", (), {"get_node_id": lambda self: "here"})
    monkeypatch.setattr(stream.ray, "get_runtime_context", context)
    return asked


def opened(sources, reader, **options):
    shape = {"rank": 0, "world_size": 1, "shuffle_rows": WINDOW, **options}
    return SplitData(ROWS, sources, reader, clip_s=0.4, batch_size=16, seed=5, **shape)


@pytest.mark.parametrize(("rank", "world_size"), [(0, 1), (2, 3)])
def test_the_same_batches_as_the_host_tier(stored, reads, rank, world_size):
    sources, arrays = stored
    place = {"rank": rank, "world_size": world_size}
    host = opened(sources, HostReader(arrays, {n: s.floor for n, s in sources.items()}), **place)
    streamed = opened(sources, StreamReader(sources, ROWS.keys(), WINDOW), **place)
    for batches in (lambda data: data.train_batches(2), lambda data: data.validation_batches()):
        pairs = list(zip(batches(host), batches(streamed), strict=True))
        assert pairs
        for one, other in pairs:
            assert torch.equal(one.index, other.index)
            for name in sources:
                assert torch.equal(one.inputs[name], other.inputs[name])
                assert torch.equal(one.lengths[name], other.lengths[name])
    for name in sources:
        assert all(map(torch.equal, host.normalisation[name], streamed.normalisation[name]))


def test_an_epoch_reads_ahead_no_more_than_its_batches_need(stored, reads, monkeypatch):
    sources, _ = stored
    monkeypatch.setattr(stream, "TASK_BYTES", 1)  # a read a task
    with opened(sources, StreamReader(sources, ROWS.keys(), WINDOW)) as data:
        batches = data.train_batches(0)
        next(batches)
        first = len(reads)
        rest = sum(1 for _ in batches)
    num_parts = sum(len(scan(source).parts) for source in sources.values())
    assert rest == NUM_TRAIN // 16 - 1
    assert first < num_parts
    assert len(reads) <= 2.5 * num_parts  # windows of two parts' length, across their bounds


@pytest.mark.parametrize(
    ("error", "kind"),
    [(DataError("damaged"), DataError), (OSError(28, "full"), InfrastructureError)],
)
def test_an_error_of_a_read_arrives_as_whose_fault_it_is(stored, reads, monkeypatch, error, kind):
    sources, _ = stored

    def refuse(*arguments):
        raise error

    monkeypatch.setattr(stream, "stored_rows", refuse)
    with (
        opened(sources, StreamReader(sources, ROWS.keys(), WINDOW)) as data,
        pytest.raises(kind, match=r"damaged|full"),
    ):
        next(data.train_batches(0))


def test_rows_that_the_store_lacks_are_refused(stored):
    with pytest.raises(DataError, match="1 rows are not in the store"):
        StreamReader(stored[0], ("absent", *ROWS.keys()), WINDOW)


def test_rows_of_an_epochs_order_are_part_of_a_trial_only_where_they_were_chosen():
    usual = TrainingConfig()
    assert "shuffle_rows" not in usual.identity()
    chosen = usual.model_copy(update={"shuffle_rows": 512})
    assert chosen.identity() == {**usual.identity(), "shuffle_rows": 512}
