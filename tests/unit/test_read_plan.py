"""The reads of a streamed pass: every crop once, each part about once, no more ahead than told."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from raysearch.streaming.epoch_plan import global_batches
from raysearch.streaming.read_plan import StoredRows, plan_reads, read_units
from raysearch.streaming.windows import WindowBatch

ROWS_A_PART = 64


@given(st.lists(st.integers(0, 9), max_size=200), st.integers(1, 300))
def test_every_crop_is_read_once_within_the_horizon_and_in_time(parts, horizon):
    units = read_units(np.array(parts, dtype=np.int64), horizon)
    assert sorted(c for unit in units for c in unit.tolist()) == list(range(len(parts)))
    assert [unit[0] for unit in units] == sorted(unit[0] for unit in units)
    for unit in units:
        assert len({parts[crop] for crop in unit}) == 1
        assert unit[-1] - unit[0] < horizon


@pytest.mark.parametrize(
    ("num_rows", "shuffle_rows", "most"), [(5_000, 8_192, 1.0), (60_000, 8_192, 1.35)]
)
def test_an_epoch_reads_each_part_about_once(num_rows, shuffle_rows, most):
    parts_R = np.arange(num_rows) // ROWS_A_PART
    order = np.concatenate(global_batches(num_rows, 32, 3, 0, shuffle_rows=shuffle_rows))
    units = read_units(parts_R[order], shuffle_rows)
    assert len(units) / len(np.unique(parts_R)) <= most


def batch(rows, starts, lengths):
    rows = np.array(rows)
    return WindowBatch(
        rows, rows, len(rows), {"mel": np.array(starts)}, {"mel": np.array(lengths)}, {"mel": 4}
    )


def test_requests_name_what_to_cut_and_crops_know_where_it_will_be():
    stored = StoredRows(["part-a", "part-b"], [100, 90], np.array([0, 0, 1]), np.array([7, 8, 0]))
    batches = [batch([2, 0], [1, 0], [4, 3]), batch([1, 2], [0, 5], [2, 4])]
    crops, requests = plan_reads({"mel": stored}, batches, 10)
    assert requests == [
        {
            "stream": "mel",
            "part": "part-b",
            "num_bytes": 90,
            "rows": [0, 0],
            "starts": [1, 5],
            "lengths": [4, 4],
        },
        {
            "stream": "mel",
            "part": "part-a",
            "num_bytes": 100,
            "rows": [7, 8],
            "starts": [0, 0],
            "lengths": [3, 2],
        },
    ]
    mel = crops["mel"]
    assert (mel.last_read(0, 2), mel.last_read(2, 4), mel.last_read(2, 2)) == (1, 1, -1)
    frames_SF = np.arange(8, dtype=np.float32)[:, None]
    mel.values.update({0: frames_SF, 1: 10 + frames_SF})
    x_BTF = np.full((2, 4, 1), -1, np.float32)
    mel.take(x_BTF, 0)
    assert x_BTF[..., 0].tolist() == [[0, 1, 2, 3], [10, 11, 12, -1]]
    x_BTF = np.full((2, 4, 1), -1, np.float32)
    mel.take(x_BTF, 2)
    assert x_BTF[..., 0].tolist() == [[13, 14, -1, -1], [4, 5, 6, 7]]
    assert mel.values == {}
