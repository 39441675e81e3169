"""Parts and the store's folder: whole or not at all, never another's, never damaged."""

import errno
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile

from raysearch.corpora.scan import content_hash as hash_of
from raysearch.errors import DataError
from raysearch.features.extractor import Extractor, FeatureConfig
from raysearch.features.log_mel import LogMelConfig
from raysearch.features.ssl import SslConfig
from raysearch.storage.replica import open_storage
from raysearch.streaming.featurize import publish_chunk
from raysearch.streaming.split_rows import row_key
from raysearch.streaming.store import feature_source, write_manifest
from raysearch.streaming.store_index import scan
from raysearch.streaming.store_parts import (
    PartRow,
    part_name,
    read_index,
    read_rows,
    write_part,
)


def rows(num_rows, num_bins=8, prefix="h"):
    rng = np.random.default_rng(num_rows)
    return [
        PartRow(f"u{i}", f"{prefix}{i}", rng.normal(size=(3 + i, num_bins)).astype(np.float32))
        for i in range(num_rows)
    ]


class OwnConfig(FeatureConfig):
    pass


class Reciprocal(Extractor):
    """Two bins, one of them infinite in every second frame of silence."""

    Config = OwnConfig
    num_bins, floor, frames_per_second = 2, 0.0, 40.0

    def __init__(self, config):
        self.config = config

    def __call__(self, waveforms):
        frames = [np.abs(wave_N[:20]).reshape(20, 1).astype(np.float32) for wave_N in waveforms]
        even_T1 = (np.arange(20) % 2).reshape(20, 1).astype(np.float32)
        return [np.hstack([1 / (x_T1 + even_T1), x_T1 / x_T1 * even_T1]) for x_T1 in frames]


@pytest.fixture
def source(tmp_path):
    source = feature_source(tmp_path, "demo", "mel", LogMelConfig(n_mels=8))
    Path(source.folder).mkdir()
    return source


def publish(source, items):
    path = Path(source.folder) / part_name(row.content_hash for row in items)
    write_part(path, items, source.identity)
    return path


def test_rows_come_back_bit_equal(source):
    items = rows(11)
    path = publish(source, items)
    found = read_rows(path, source.identity, [10, 0, 4], 8)
    assert sorted(found) == [0, 4, 10]
    for row, (content_hash, values) in found.items():
        assert content_hash == f"h{row}"
        np.testing.assert_array_equal(values, items[row].values)
    index = read_index(path, source.identity, 8)
    assert index.keys == tuple(f"h{i}" for i in range(11))
    for i, item in enumerate(items):
        values = item.values.astype(np.float64)
        np.testing.assert_allclose(index.bin_sum[i], values.sum(axis=0))
        np.testing.assert_allclose(index.bin_sumsq[i], (values**2).sum(axis=0))


def test_half_precision_halves_the_bytes_and_rounds_little(source):
    items = rows(40, num_bins=64)
    items[0].values[0, :2] = 1e6, -1e6  # beyond float16
    paths = [Path(source.folder) / f"part-{name}.parquet" for name in ("whole", "half")]
    for path, half in zip(paths, (False, True), strict=True):
        write_part(path, items, source.identity, half=half)
    whole, half = (read_rows(path, source.identity, range(40), 64) for path in paths)
    for row in range(1, 40):
        assert half[row][1].dtype == np.float32
        np.testing.assert_array_equal(whole[row][1], items[row].values)
        np.testing.assert_allclose(half[row][1], whole[row][1], rtol=2**-11, atol=1e-7)
    assert half[0][1][0, :2].tolist() == [65504.0, -65504.0]
    index = read_index(paths[1], source.identity, 64)
    for row in range(40):
        stored = half[row][1].astype(np.float64)
        np.testing.assert_allclose(index.bin_sum[row], stored.sum(axis=0), err_msg="as stored")
    values, small = (pq.read_metadata(path) for path in paths)
    sizes = [_bytes_of_values(found) for found in (values, small)]
    assert sizes[1] < 0.51 * sizes[0]


def _bytes_of_values(metadata):
    groups = [metadata.row_group(i) for i in range(metadata.num_row_groups)]
    columns = [group.column(i) for group in groups for i in range(group.num_columns)]
    found = [c.total_uncompressed_size for c in columns if c.path_in_schema.startswith("values")]
    assert found
    return sum(found)


def test_only_an_encoders_frames_are_stored_in_half_precision(tmp_path):
    frozen, pooled = SslConfig(), SslConfig(pool="mean_std")
    kinds = {
        name: feature_source(tmp_path, "demo", "ssl", config).identity
        for name, config in {"frames": frozen, "pooled": pooled, "mel": LogMelConfig()}.items()
    }
    assert [name for name, identity in kinds.items() if "float16" in identity] == ["frames"]


def test_parts_are_plain_parquet(source):
    schema = pq.read_schema(publish(source, rows(2)))
    assert not any(isinstance(field.type, pa.BaseExtensionType) for field in schema)


def test_a_failed_write_leaves_nothing(source):
    lone_surrogate = PartRow("\ud800", "x", np.zeros((2, 8), np.float32))
    with pytest.raises(UnicodeError):
        write_part(Path(source.folder) / "part-x.parquet", [lone_surrogate], source.identity)
    assert list(Path(source.folder).iterdir()) == []


def test_damaged_values_are_refused(source):
    path = publish(source, rows(40, prefix="d"))
    content = bytearray(path.read_bytes())
    needle = rows(40)[3].values.tobytes()
    position = content.find(needle)
    assert position > 0
    content[position + 5] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(DataError, match="damaged"):
        read_rows(path, source.identity, [3], 8)


@pytest.mark.parametrize("wanted", [[-1], [2], [0, 99]])
def test_absent_rows_are_refused(source, wanted):
    with pytest.raises(DataError, match="not all there"):
        read_rows(publish(source, rows(2)), source.identity, wanted, 8)


def test_shapes_that_contradict_each_other_are_refused(source):
    path = publish(source, rows(3))
    table = pq.read_table(path)
    lying = table.set_column(2, "num_frames", pa.array([3, 4, 900], pa.int32()))
    pq.write_table(lying, path)
    with pytest.raises(DataError, match="do not have its shape"):
        read_rows(path, source.identity, [2], 8)
    with pytest.raises(DataError, match="out of range"):
        read_index(path, source.identity, 9)


def test_scan_adopts_unlisted_parts_and_removes_torn_ones(source):
    whole, torn = publish(source, rows(3)), publish(source, rows(2, prefix="t"))
    torn.write_bytes(torn.read_bytes()[:-20])
    assert set(scan(source).locations) == {"h0", "h1", "h2"}
    assert torn.exists(), "a reader removes nothing"
    assert scan(source, repair=True).locations["h1"] == (whole.name, 1, 4)
    assert not torn.exists()


def test_a_part_of_another_configuration_is_not_taken(source):
    other = feature_source(Path(source.folder).parent, "demo", "mel", LogMelConfig(n_mels=9))
    assert other.folder != source.folder
    write_part(Path(source.folder) / "part-other.parquet", rows(2), other.identity)
    assert scan(source).locations == {}


def test_a_manifest_of_another_configuration_is_refused(source):
    publish(source, rows(2))
    write_manifest(source, scan(source).listing())
    path = Path(source.folder) / "manifest.json"
    manifest = json.loads(path.read_text())
    assert [part["rows"] for part in manifest["parts"]] == [2]
    manifest["identity"]["config"]["n_mels"] = 40
    path.write_text(json.dumps(manifest))
    with pytest.raises(DataError, match="another configuration"):
        scan(source)


def test_a_torn_manifest_costs_nothing(source):
    publish(source, rows(2))
    (Path(source.folder) / "manifest.json").write_text('{"identity": {')
    index = scan(source)
    assert set(index.locations) == {"h0", "h1"}
    write_manifest(source, index.listing())
    assert json.loads((Path(source.folder) / "manifest.json").read_text())["parts"]


def test_names_do_not_escape_the_store(tmp_path):
    source = feature_source(tmp_path, "../../etc:x", "mel", LogMelConfig())
    assert Path(source.folder).parent == tmp_path


def test_a_part_with_values_that_are_not_finite_is_computed_again(source):
    bad = rows(2)
    bad[1].values[0, 0] = np.inf
    with np.errstate(all="ignore"):
        publish(source, bad)
    publish(source, rows(3, prefix="g"))
    assert sorted(scan(source, repair=True).locations) == ["g0", "g1", "g2"]
    assert len(list(Path(source.folder).glob("part-*"))) == 1


def chunk(folder, waveforms):
    """Files of these float samples, and the table that asks for their features."""
    lines = []
    for name, samples in waveforms.items():
        path = folder / f"{name}.wav"
        soundfile.write(path, samples, 16_000, subtype="FLOAT")
        lines.append([name, str(path), hash_of(path), ""])
    return pa.table({"chunk": [json.dumps(lines)]}), {name: digest for name, _, digest, _ in lines}


@pytest.fixture
def no_gpu(monkeypatch):
    monkeypatch.setattr("ray.get_gpu_ids", list)


@pytest.mark.usefixtures("no_gpu")
def test_a_row_whose_features_are_not_finite_is_quarantined_alone(tmp_path):
    rng = np.random.default_rng(0)
    speech = rng.uniform(-0.1, 0.1, 8_000)
    config = OwnConfig(extractor="test_feature_store:Reciprocal")
    source = feature_source(tmp_path, "demo", "own", config)
    Path(source.folder).mkdir()
    table, hashes = chunk(tmp_path, {"good": speech, "silent": speech * 0, "absurd": speech * 1e25})
    (report,) = publish_chunk(table, source, config.model_dump(mode="json"), "")["report"]
    report = json.loads(report.as_py())
    assert (report["error"], report["machine"]) == ("", "")
    assert report["quarantined"] == {
        row_key(hashes["silent"]): "test_feature_store:Reciprocal: 30 of 40 values are NaN or"
        " infinite (in 20 of 20 frames)",
        row_key(hashes["absurd"]): "samples of up to 1e+24, where full scale is 1",
    }
    assert list(scan(source).locations) == [row_key(hashes["good"])]


@pytest.mark.usefixtures("no_gpu")
def test_a_full_disk_is_the_machines_fault(tmp_path, monkeypatch):
    config = LogMelConfig(n_mels=8)
    source = feature_source(tmp_path, "demo", "mel", config)
    Path(source.folder).mkdir()
    table, _ = chunk(tmp_path, {"good": np.zeros(8_000)})

    def full(*args, **kwargs):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(pq, "write_table", full)
    (report,) = publish_chunk(table, source, config.model_dump(mode="json"), "")["report"]
    assert json.loads(report.as_py())["machine"] == "no space left on device"
    assert list(Path(source.folder).iterdir()) == []  # and a resumption finds nothing torn


@pytest.mark.usefixtures("no_gpu")
def test_a_machine_that_knows_nothing_of_the_storage_makes_a_part(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    storage = open_storage(f"file://{tmp_path}/objects")
    config = LogMelConfig(n_mels=8)
    source = feature_source(storage / ".features", "demo", "mel", config)
    shutil.rmtree(storage)  # it is the driver's
    table, _ = chunk(tmp_path, {"good": np.sin(np.arange(8_000) / 9) / 9})
    (report,) = publish_chunk(table, source, config.model_dump(mode="json"), "")["report"]
    report = json.loads(report.as_py())
    assert (report["error"], report["machine"]) == ("", "")
    sent = (path.name.partition("-")[0] for path in (tmp_path / "objects").rglob("*.parquet"))
    assert sorted(sent) == ["index", "part"]
