"""Crops stay inside, validation windows cover everything, ranks lose no row."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from raysearch.streaming.windows import clip_frames, train_windows, validation_windows

FRAMES = st.lists(st.integers(1, 500), min_size=1, max_size=30)


@given(frames=FRAMES, clip=st.integers(1, 120), data=st.data())
def test_crops_lie_inside_their_rows(frames, clip, data):
    num_frames = np.array(frames)
    positions = data.draw(
        st.lists(st.floats(0, 1, exclude_max=True), min_size=len(frames), max_size=len(frames))
    )
    rows = np.arange(len(frames))
    batch = train_windows({"mel": num_frames}, {"mel": clip}, rows, rows, np.array(positions), 7)
    assert (batch.starts["mel"] >= 0).all()
    assert (batch.starts["mel"] + batch.lengths["mel"] <= num_frames).all()
    np.testing.assert_array_equal(batch.lengths["mel"], np.minimum(num_frames, clip))


@given(frames=FRAMES, clip=st.integers(1, 120), max_windows=st.integers(1, 40))
def test_validation_windows_cover_each_frame_and_keep_rows_whole(frames, clip, max_windows):
    num_frames = {"mel": np.array([9, *frames]), "ssl": np.array([9, *frames]) // 2 + 1}
    clips = {"mel": clip, "ssl": clip // 2 + 1}
    index = np.arange(len(frames))
    batches = list(validation_windows(num_frames, clips, index + 1, index, max_windows))
    seen = np.concatenate([np.unique(batch.index) for batch in batches])
    assert sorted(seen.tolist()) == index.tolist()
    for batch in batches:
        assert len(batch.index) <= max_windows or len(np.unique(batch.index)) == 1
        assert batch.num_global == len(np.unique(batch.index))
        for stream in clips:
            ends = batch.starts[stream] + batch.lengths[stream]
            assert (batch.starts[stream] >= 0).all()
            assert (ends <= num_frames[stream][batch.rows]).all()
        for row in np.unique(batch.index):
            covered = np.zeros(frames[row], bool)
            mine = batch.index == row
            for start, length in zip(
                batch.starts["mel"][mine], batch.lengths["mel"][mine], strict=True
            ):
                covered[start : start + length] = True
            assert covered.all()


def test_no_rows_no_batches():
    none = np.empty(0, int)
    assert list(validation_windows({"mel": none}, {"mel": 10}, none, none)) == []


def test_clip_is_clamped_to_the_longest_row():
    assert clip_frames(3.0, 100, np.array([120, 500])) == 300
    assert clip_frames(3.0, 100, np.array([120, 198])) == 198
    assert clip_frames(0.001, 100, np.array([120])) == 1
