"""Featurizing with Ray Data, the node's cache and the tiers, on a real local cluster."""

import dataclasses
import hashlib
import threading
from pathlib import Path

import numpy as np
import pytest
import ray
import soundfile
import torch

from raysearch.corpora.utterance import Utterance
from raysearch.errors import DataError, QuarantineError
from raysearch.features.audio import read_audio
from raysearch.features.log_mel import LogMel, LogMelConfig
from raysearch.features.waveform_augment import apply_cell
from raysearch.streaming.node_cache import NodeCache, cached_arrays
from raysearch.streaming.shards import ROWS_PER_PART, ensure_features
from raysearch.streaming.split_rows import RowTable, SplitRows
from raysearch.streaming.store_parts import part_name
from raysearch.streaming.tiers import open_trial_data

pytestmark = [pytest.mark.ray, pytest.mark.usefixtures("cluster")]

NUM_UTTERANCES, NUM_TRAIN = 150, 110
MEL = LogMelConfig(n_mels=12, hop_ms=20.0)
FAST = LogMelConfig(n_mels=8, hop_ms=10.0)


def utterance(path):
    content = hashlib.sha256(path.read_bytes()).hexdigest()[:32]
    return Utterance(path.stem, str(path), "tones", "s", "calm", content, 16000, None)


@pytest.fixture(scope="module")
def utterances(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tones")
    rng = np.random.default_rng(0)
    found = []
    for i in range(NUM_UTTERANCES):
        path = folder / f"u{i:03d}.wav"
        soundfile.write(path, rng.uniform(-0.5, 0.5, int(rng.integers(300, 20000))), 16000)
        found.append(utterance(path))
    return found


def ensure(utterances, store, config=MEL, stream="mel", **options):
    return ensure_features(utterances, stream, config, store, corpus="tones", **options)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return tmp_path_factory.mktemp("store")


@pytest.fixture(scope="module")
def sources(utterances, store):
    mel = ensure(utterances, store)
    fast = ensure(utterances, store, FAST, "fast")
    return {"mel": mel.source, "fast": fast.source}


def table(items):
    labels = tuple(i % 2 for i in range(len(items)))
    speakers = tuple(f"s{i % 7}" for i in range(len(items)))
    hashes = tuple(u.content_hash for u in items)
    return RowTable(tuple(u.id for u in items), hashes, labels, speakers)


@pytest.fixture(scope="module")
def rows(utterances):
    return SplitRows(table(utterances[:NUM_TRAIN]), table(utterances[NUM_TRAIN:]), ("calm", "loud"))


def opened(rows, sources, **options):
    return open_trial_data(rows, sources, clip_s=0.7, batch_size=16, seed=2, **options)


def reap(actor):
    ray.kill(actor)


def test_store_grows_by_rows_and_computes_none_twice(utterances, tmp_path):
    seen = []
    first = ensure(utterances[:70], tmp_path, on_progress=lambda *n: seen.append(n))
    assert seen[0] == (0, 70)
    assert seen[-1] == (70, 70)
    before = {path.name: path.stat().st_mtime_ns for path in Path(first.folder).iterdir()}
    parts = {name for name in before if name.startswith("part-")}
    assert len(parts) == 2
    assert ensure(utterances[5:60], tmp_path).rows.keys() < first.rows.keys()
    whole = ensure(utterances, tmp_path, on_progress=lambda *n: seen.append(n))
    assert seen[-1] == (80, 80)
    assert len(whole.rows) == NUM_UTTERANCES
    assert all((Path(whole.folder) / n).stat().st_mtime_ns == before[n] for n in parts)


def test_a_complete_store_needs_no_ray(utterances, tmp_path, monkeypatch):
    ensure(utterances[:20], tmp_path)

    def refuse(*args, **kwargs):
        raise AssertionError("a task was started")

    monkeypatch.setattr("raysearch.streaming.shards.run_tasks", refuse)
    assert len(ensure(utterances[:20], tmp_path).rows) == 20
    with pytest.raises(AssertionError, match="a task was started"):
        ensure(utterances[:21], tmp_path)


def test_interrupted_work_continues(utterances, tmp_path):
    done = ensure(utterances, tmp_path)
    folder = Path(done.folder)
    values = {path.name: path.read_bytes() for path in folder.glob("part-*")}
    lost, torn = sorted(values)[:2]
    (folder / "manifest.json").unlink()
    (folder / lost).unlink()
    (folder / torn).write_bytes(values[torn][: len(values[torn]) // 2])
    seen = []
    again = ensure(utterances, tmp_path, on_progress=lambda *n: seen.append(n))
    assert seen[-1][1] < NUM_UTTERANCES
    assert again.rows.keys() == done.rows.keys()
    assert (folder / "manifest.json").exists()
    assert not list(folder.glob(".staged-*"))


def test_the_same_work_writes_the_same_bytes(utterances, tmp_path):
    folders = [Path(ensure(utterances, tmp_path / name).folder) for name in "ab"]
    written = [{p.name: p.read_bytes() for p in folder.iterdir()} for folder in folders]
    assert written[0] == written[1]
    first = sorted(utterances, key=lambda u: u.id)[:ROWS_PER_PART]
    assert part_name(u.content_hash for u in first) in written[0]


def test_unusable_audio_is_quarantined_once(utterances, tmp_path):
    broken = tmp_path / "broken.wav"
    broken.write_bytes(b"RIFF" + bytes(2000))
    empty = tmp_path / "empty.wav"
    soundfile.write(empty, np.zeros(0), 16000)
    some = [*utterances[:60], utterance(broken), utterance(empty)]
    found = ensure(some, tmp_path / "store")
    assert found.quarantined.keys() == {"broken", "empty"}
    assert found.quarantined["empty"] == "no samples"
    seen = []
    ensure(some, tmp_path / "store", on_progress=lambda *n: seen.append(n))
    assert seen == []
    with pytest.raises(QuarantineError, match=r"2 of 12 .*max_quarantined=0\.1.*empty: no samples"):
        ensure(some[50:], tmp_path / "store", max_quarantined=0.1)


def test_a_file_that_changed_is_refused(tmp_path):
    path = tmp_path / "a.wav"
    soundfile.write(path, np.ones(900) / 2, 16000)
    before = utterance(path)
    soundfile.write(path, np.ones(901) / 2, 16000)
    with pytest.raises(DataError, match=r"a\.wav: changed since the corpus was read"):
        ensure([before], tmp_path / "store")


def test_stored_values_are_the_extractors(utterances, sources):
    cache = ray.remote(NodeCache).options(num_cpus=0).remote(64 << 20)
    hashes = [u.content_hash for u in utterances[::-1]]
    arrays = cached_arrays(cache, sources["mel"], hashes)
    assert not arrays.values.flags.writeable
    extractor = LogMel(MEL)
    for i, item in enumerate(utterances[::-1]):
        (expected,) = extractor([read_audio(item.path, 16000)])
        first = arrays.offsets[i]
        values = arrays.values[first : first + arrays.stats.num_frames[i]]
        # One thread or two may sum in another order.
        np.testing.assert_allclose(values, expected, rtol=1e-6, atol=1e-6)
        np.testing.assert_allclose(arrays.stats.bin_sum[i], values.sum(axis=0), rtol=1e-4)
    reap(cache)


def same(first, second):
    assert first.num_global == second.num_global
    assert torch.equal(first.labels, second.labels)
    assert torch.equal(first.index, second.index)
    assert (first.speakers is None) == (second.speakers is None)
    if first.speakers is not None:
        assert torch.equal(first.speakers, second.speakers)
    for stream in first.inputs:
        assert torch.equal(first.lengths[stream], second.lengths[stream])
        assert torch.equal(first.inputs[stream], second.inputs[stream])


@pytest.mark.parametrize("by_speaker", [False, True])
@pytest.mark.parametrize("tier", ["device", "stream"])
def test_every_tier_gives_the_host_tiers_batches(rows, sources, tier, by_speaker):
    shape = {"rank": 1, "world_size": 3, "by_speaker": by_speaker}
    host = opened(rows, sources, **shape)
    other = opened(rows, sources, tier=tier, **shape)
    for batches in (lambda data: data.train_batches(3), lambda data: data.validation_batches()):
        expected, found = list(batches(host)), list(batches(other))
        assert len(expected) == len(found) > 0
        for first, second in zip(expected, found, strict=True):
            same(first, second)
    for stream in sources:
        for first, second in zip(
            host.normalisation[stream], other.normalisation[stream], strict=True
        ):
            assert torch.equal(first, second)
    host.close()
    other.close()


def test_reading_works_while_every_cpu_is_reserved(rows, sources):
    group = ray.util.placement_group([{"CPU": 1}, {"CPU": 1}])
    ray.get(group.ready(), timeout=60)
    assert ray.available_resources().get("CPU", 0) == 0
    cache = ray.remote(NodeCache).options(num_cpus=0).remote(64 << 20)
    found: dict[str, int] = {}

    def read(tier):
        with opened(rows, sources, tier=tier, cache=cache) as data:
            found[tier] = sum(len(batch.index) for batch in data.train_batches(0))

    for tier in ("host", "stream"):
        thread = threading.Thread(target=read, args=(tier,), daemon=True)
        thread.start()
        thread.join(120)
    ray.util.remove_placement_group(group)
    reap(cache)
    assert found == {"host": NUM_TRAIN, "stream": NUM_TRAIN}


def test_cache_keeps_to_its_budget_and_forgets_the_oldest(utterances, sources):
    hashes = [u.content_hash for u in utterances]
    thirds = [hashes[:50], hashes[50:100], hashes[100:]]
    cache = ray.remote(NodeCache).options(num_cpus=0).remote(1 << 30)
    sizes = [cached_arrays(cache, sources["mel"], third).values.nbytes for third in thirds]
    assert sorted(ray.get(cache.state.remote()).values()) == sorted(sizes)
    reap(cache)
    cache = ray.remote(NodeCache).options(num_cpus=0).remote(sum(sizes) - 1)
    views = [cached_arrays(cache, sources["mel"], third) for third in thirds[:2]]
    kept = views[1].values.copy()
    cached_arrays(cache, sources["mel"], thirds[0])
    cached_arrays(cache, sources["mel"], thirds[2])
    assert list(ray.get(cache.state.remote()).values()) == [sizes[0], sizes[2]]
    np.testing.assert_array_equal(views[1].values, kept)
    reap(cache)


def test_rows_that_the_store_lacks_are_refused_in_every_tier(rows, sources):
    strange = dataclasses.replace(rows.train, keys=("f" * 32, *rows.train.keys[1:]))
    for tier in ("host", "stream"):
        with pytest.raises(DataError, match="1 rows are not in the store"):
            opened(dataclasses.replace(rows, train=strange), sources, tier=tier)


def test_damaged_values_are_refused_in_every_tier(utterances, tmp_path):
    found = ensure(utterances[:30], tmp_path)
    (path,) = Path(found.folder).glob("part-*")
    (values,) = LogMel(MEL)([read_audio(utterances[3].path, 16000)])
    content = bytearray(path.read_bytes())
    position = content.find(values[0].tobytes())
    assert position > 0
    content[position] ^= 0xFF
    path.write_bytes(content)
    part = SplitRows(table(utterances[:20]), table(utterances[20:30]), ("calm", "loud"))
    sources = {"mel": found.source}
    with pytest.raises(DataError, match="damaged"):
        opened(part, sources)
    data = opened(part, sources, tier="stream")
    with pytest.raises(DataError, match="damaged"):
        list(data.train_batches(0))


def test_leaving_streams_early_leaves_no_thread(rows, sources):
    data = opened(rows, sources, tier="stream")
    assert len(list(data.train_batches(0))) == 7
    before = threading.active_count()
    for epoch in range(6):
        batches = data.train_batches(epoch)
        next(batches)
        batches.close()
    assert threading.active_count() <= before
    data.close()


def test_augmentation_cells_stand_beside_the_clean_training_rows(utterances, rows, tmp_path):
    clean = ensure(utterances, tmp_path)
    cells = ("noise:10", "stretch:0.8")
    bank = ensure(utterances[:NUM_TRAIN], tmp_path, cells=cells)
    assert bank.source == clean.source
    assert len(bank.rows) == 2 * NUM_TRAIN
    assert not {key.partition("+")[0] for key in bank.rows} & set(rows.validation.keys)
    first = utterances[0]
    slow = apply_cell(read_audio(first.path, 16000), 16000, "stretch:0.8", 0)
    frames = bank.rows[f"{first.content_hash}+stretch:0.8"][2]
    assert frames == LogMel(MEL)([slow])[0].shape[0]

    with_bank = dataclasses.replace(rows, cells=cells)
    sources = {"mel": clean.source}

    def inputs(epoch=0, **options):
        with opened(with_bank, sources, **options) as data:
            batches = list(data.train_batches(epoch))
            assert sorted(i for b in batches for i in b.index.tolist()) == list(range(NUM_TRAIN))
            scored = [b.inputs["mel"] for b in data.validation_batches()]
        return [b.inputs["mel"] for b in batches], scored

    plain, validation = inputs()
    never, _ = inputs(cells=cells, probability=0.0)
    always, same = inputs(cells=cells[:1], probability=1.0)
    assert all(map(torch.equal, plain, never))
    assert all(map(torch.equal, validation, same))
    # Noise keeps lengths, so crops lie alike and every value differs, but for padding.
    assert not any(map(torch.equal, plain, always))
    both, _ = inputs(cells=cells, probability=0.5)
    streamed, _ = inputs(cells=cells, probability=0.5, tier="stream")
    assert all(map(torch.equal, both, streamed))
    assert not all(map(torch.equal, both, inputs(1, cells=cells, probability=0.5)[0]))
