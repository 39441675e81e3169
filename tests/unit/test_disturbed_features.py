"""Features of disturbed recordings, as the task computes them of files."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import soundfile

from raysearch.corpora.scan import content_hash as hash_of
from raysearch.features.disturbance_table import KINDS, levels_of
from raysearch.features.log_mel import LogMelConfig
from raysearch.streaming.featurize import publish_chunk
from raysearch.streaming.split_rows import row_key
from raysearch.streaming.store import feature_source
from raysearch.streaming.store_index import scan
from raysearch.streaming.store_parts import read_rows

CONFIG = LogMelConfig(n_mels=8)
CELLS = ["", *(level.cell for level in levels_of(tuple(KINDS)) if level.lacking is None)]


@pytest.fixture
def files(tmp_path, monkeypatch):
    """A test recording, and two talkers: each with the hash of its file."""
    monkeypatch.setattr("ray.get_gpu_ids", list)
    rng, found = np.random.default_rng(0), {}
    for name, seconds in (("test", 1.0), ("first", 0.4), ("second", 1.3)):
        path = tmp_path / f"{name}.wav"
        soundfile.write(path, 0.1 * rng.standard_normal(int(16_000 * seconds)), 16_000)
        found[name] = [str(path), hash_of(path)]
    return found


def published(folder, files, cells, talkers=("first", "second")):
    """The task's report, and the frames by cell."""
    source = feature_source(folder, "demo", "mel", CONFIG)
    Path(source.folder).mkdir(parents=True)
    path, digest = files["test"]
    lines = [
        ["test", path, digest, cell, *(files[name] for name in talkers if "babble" in cell)]
        for cell in cells
    ]
    table = pa.table({"chunk": [json.dumps(lines)]})
    (report,) = publish_chunk(table, source, CONFIG.model_dump(mode="json"), "")["report"]
    frames = {}
    for cell in cells:
        if place := scan(source).locations.get(row_key(digest, cell)):
            part, row, _ = place
            read = read_rows(Path(source.folder) / part, source.identity, [row], 8)
            frames[cell] = read[row][1]
    return json.loads(report.as_py()), frames


def test_every_kind_has_features_of_its_own_and_the_same_twice(tmp_path, files):
    report, found = published(tmp_path / "a", files, CELLS)
    assert (report["error"], report["machine"], report["quarantined"]) == ("", "", {})
    assert set(found) == set(CELLS)
    assert len({values_TF.tobytes() for values_TF in found.values()}) == len(CELLS)
    assert len({values_TF.shape for values_TF in found.values()}) == 1
    _, again = published(tmp_path / "b", files, CELLS)
    for cell, values_TF in found.items():
        np.testing.assert_array_equal(again[cell], values_TF)


def test_a_babble_is_of_its_talkers(tmp_path, files):
    _, both = published(tmp_path / "a", files, ["babble:0:mark"])
    _, one = published(tmp_path / "b", files, ["babble:0:mark"], talkers=["first"])
    assert not np.array_equal(both["babble:0:mark"], one["babble:0:mark"])


def test_a_talker_whose_file_changed_is_refused(tmp_path, files):
    soundfile.write(files["second"][0], np.zeros(900), 16_000)
    report, found = published(tmp_path / "a", files, ["", "babble:0:mark"])
    assert report["error"].endswith("second.wav: changed since the corpus was read; start again")
    assert found == {}
