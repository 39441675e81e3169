"""The plan of an epoch: every row once, near-equal shares, local when large."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from raysearch.streaming.epoch_plan import cell_choices, crop_positions, global_batches, rank_share

SIZES = {"num_rows": st.integers(0, 700), "batch_size": st.integers(1, 90)}


@given(**SIZES, seed=st.integers(0, 99), epoch=st.integers(0, 99), shuffle_rows=st.integers(1, 900))
def test_each_row_once_in_near_equal_batches(num_rows, batch_size, seed, epoch, shuffle_rows):
    batches = global_batches(num_rows, batch_size, seed, epoch, shuffle_rows=shuffle_rows)
    rows = np.concatenate([np.empty(0, int), *batches])
    assert sorted(rows.tolist()) == list(range(num_rows))
    assert len(batches) == -(-num_rows // batch_size)
    sizes = [len(batch) for batch in batches]
    if sizes:
        assert max(sizes) <= batch_size
        assert max(sizes) - min(sizes) <= 1


@given(num_rows=st.integers(0, 300), world_size=st.integers(1, 9))
def test_ranks_share_all_rows_near_equally(num_rows, world_size):
    rows = np.arange(num_rows) * 3
    shares = [rank_share(rows, rank, world_size) for rank in range(world_size)]
    np.testing.assert_array_equal(np.concatenate(shares), rows)
    sizes = [len(share) for share in shares]
    assert max(sizes) - min(sizes) <= 1


def test_seed_and_epoch_each_change_the_plan():
    plans = [
        np.concatenate(global_batches(200, 16, seed, epoch)).tolist()
        for seed, epoch in [(0, 0), (0, 0), (0, 1), (1, 0)]
    ]
    assert plans[0] == plans[1]
    assert plans[0] != plans[2]
    assert plans[0] != plans[3]
    assert plans[2] != plans[3]


def test_large_plans_stay_local():
    batches = global_batches(20_000, 64, 3, 0, shuffle_rows=1024)
    order = np.concatenate(batches)
    assert len(np.unique(order[:1024] // 64)) <= 17
    assert not np.array_equal(order, np.arange(20_000))


@given(num_rows=st.integers(1, 500), seed=st.integers(0, 9), epoch=st.integers(0, 9))
def test_crop_positions_are_shares(num_rows, seed, epoch):
    positions = crop_positions(num_rows, seed, epoch)
    assert positions.shape == (num_rows,)
    assert ((positions >= 0) & (positions < 1)).all()
    np.testing.assert_array_equal(positions, crop_positions(num_rows, seed, epoch))
    assert not np.array_equal(positions, crop_positions(num_rows, seed, epoch + 1))


@given(st.integers(1, 400), st.integers(1, 12), st.integers(0, 9), st.integers(0, 5))
def test_cells_replace_rows_as_often_as_asked(num_rows, num_cells, seed, epoch):
    never = cell_choices(num_rows, num_cells, 0.0, seed, epoch)
    always = cell_choices(num_rows, num_cells, 1.0, seed, epoch)
    half = cell_choices(num_rows, num_cells, 0.5, seed, epoch)
    assert not never.any()
    assert always.min() >= 1
    assert always.max() <= num_cells
    np.testing.assert_array_equal(half[half > 0], always[half > 0])
    assert abs((half > 0).mean() - 0.5) < 3 / num_rows**0.5
