"""Each speaker normalised by the speaker's own rows: the same on every tier, rank and side."""

# Axis letters name tensor shapes.

import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from raysearch.corpora.utterance import Utterance
from raysearch.features.extractor import StreamShape
from raysearch.streaming.arrays import FeatureArrays, RowStats
from raysearch.streaming.batches import SplitData
from raysearch.streaming.readers import DeviceReader, HostReader
from raysearch.streaming.speakers import SpeakerIndex, speaker_mean_std, speakers_of_one
from raysearch.streaming.split_rows import RowTable, SplitRows, speaker_key
from raysearch.streaming.store import FeatureSource
from raysearch.training.data import Batch
from raysearch.training.normalise import LIMIT, Normaliser

CPU = torch.device("cpu")
CELLS = ("noise:10",)
# Whose rows they are; "ann" speaks on both sides, "lone" once.
TRAIN = ("ann", "bob", "ann", "cat", "bob", "ann", "cat", "bob", "cat")
VALIDATION = ("dan", "ann", "dan", "lone", "ann")
SOURCES = {
    "mel": FeatureSource("mel", "/x", "{}", 4, -23.0, 100.0),
    "egemaps": FeatureSource("egemaps", "/x", "{}", 3, 0.0, 0.0, kind="vector"),
}


def table(speakers: tuple[str, ...], side: str) -> RowTable:
    names = tuple(f"{side}-{i}" for i in range(len(speakers)))
    return RowTable(names, names, tuple(i % 3 for i in range(len(speakers))), speakers)


ROWS = SplitRows(table(TRAIN, "t"), table(VALIDATION, "v"), ("angry", "calm", "sad"), CELLS)


@pytest.fixture(scope="module")
def arrays() -> dict[str, FeatureArrays]:
    """Values about each speaker's own level; the cells' rows lie far from the clean ones."""
    rng = np.random.default_rng(2)
    speakers = (*TRAIN, *VALIDATION)
    level = {name: 3.0 * number for number, name in enumerate(dict.fromkeys(speakers))}
    found = {}
    for stream, source in SOURCES.items():
        rows = [
            rng.normal(far + level[name], 1 + level[name] / 5, (frames, source.num_bins))
            for far, names in ((0.0, speakers), (500.0, TRAIN))
            for name in names
            for frames in [1 if stream == "egemaps" else int(rng.integers(20, 60))]
        ]
        num_frames = np.array([len(row) for row in rows], dtype=np.int64)
        values = np.concatenate(rows).astype(np.float32)
        values.setflags(write=False)
        first = np.cumsum(num_frames) - num_frames
        sums = [np.add.reduceat(values.astype(np.float64) ** p, first, axis=0) for p in (1, 2)]
        found[stream] = FeatureArrays(values, RowStats(num_frames, *sums))
    return found


def opened(
    arrays: dict[str, FeatureArrays],
    *,
    rows: SplitRows = ROWS,
    device: bool = False,
    by_speaker: bool = True,
    probability: float = 0.0,
    rank: int = 0,
    world_size: int = 1,
) -> SplitData:
    floors = {name: source.floor for name, source in SOURCES.items()}
    reader = DeviceReader(arrays, floors, CPU) if device else HostReader(arrays, floors)
    return SplitData(
        rows,
        SOURCES,
        reader,
        clip_s=0.6,
        batch_size=4,
        seed=3,
        rank=rank,
        world_size=world_size,
        cells=CELLS,
        probability=probability,
        by_speaker=by_speaker,
    )


def own_values(arrays: FeatureArrays, speaker: str, side: str) -> np.ndarray:
    """All clean frames of a speaker on one side."""
    first, names = (0, TRAIN) if side == "train" else (len(TRAIN), VALIDATION)
    rows = [first + i for i, name in enumerate(names) if name == speaker]
    ends = arrays.offsets + arrays.stats.num_frames
    return np.concatenate([arrays.values[arrays.offsets[r] : ends[r]] for r in rows]).astype(float)


def normaliser(data: SplitData) -> Normaliser:
    return Normaliser("speaker", data.normalisation, data.shapes, CPU)


@pytest.mark.parametrize("side", ["train", "validation"])
@pytest.mark.parametrize("stream", ["mel", "egemaps"])
def test_a_row_is_normalised_by_its_speakers_clean_rows_of_its_side(arrays, stream, side):
    data = opened(arrays)
    batches = data.train_batches(0) if side == "train" else data.validation_batches()
    names, seen = (TRAIN if side == "train" else VALIDATION), set()
    for batch in batches:
        inputs, _ = normaliser(data)(batch)
        for i, row in enumerate(batch.index.tolist()):
            own = own_values(arrays[stream], names[row], side)
            raw = batch.inputs[stream][i].numpy()
            deviation = np.sqrt(np.maximum(own.var(axis=0), 1e-10)) + 1e-5
            expected = np.clip((raw - own.mean(axis=0)) / deviation, -LIMIT, LIMIT)
            np.testing.assert_allclose(inputs[stream][i], expected, atol=1e-3)
            seen.add(row)
    assert seen == set(range(len(names)))


def test_augmented_rows_take_the_clean_speakers_statistics(arrays):
    clean, augmented = opened(arrays), opened(arrays, probability=1.0)
    for stream in SOURCES:
        for one, other in zip(
            clean.normalisation[stream], augmented.normalisation[stream], strict=True
        ):
            assert torch.equal(one, other)
    raw = [batch.inputs["egemaps"].min() for batch in augmented.train_batches(0)]
    assert min(raw) > 400  # the cell's rows are what is read
    for one, other in zip(clean.train_batches(0), augmented.train_batches(0), strict=True):
        assert torch.equal(one.speakers, other.speakers)


def test_what_another_side_holds_does_not_matter(arrays):
    item = arrays["mel"]
    spoiled = item.stats.bin_sum.copy()
    spoiled[len(TRAIN) :] = 1e9
    stats = dataclasses.replace(item.stats, bin_sum=spoiled)
    data = opened(arrays)
    other = opened({**arrays, "mel": dataclasses.replace(item, stats=stats)})
    mean_SF, other_SF = data.normalisation["mel"][0], other.normalisation["mel"][0]
    assert torch.equal(mean_SF[:3], other_SF[:3])
    assert not torch.equal(mean_SF[3:], other_SF[3:])


def test_tiers_and_ranks_see_the_same(arrays):
    alone = [*opened(arrays).train_batches(1), *opened(arrays).validation_batches()]
    device = opened(arrays, device=True)
    for one, other in zip(
        alone, [*device.train_batches(1), *device.validation_batches()], strict=True
    ):
        assert torch.equal(one.speakers, other.speakers)
    ranks = [opened(arrays, rank=rank, world_size=3) for rank in range(3)]
    for stream in SOURCES:
        for data in ranks:
            assert torch.equal(data.normalisation[stream][0], device.normalisation[stream][0])
    shares = zip(*(data.train_batches(1) for data in ranks), strict=True)
    for whole, parts in zip(alone, shares, strict=False):
        assert torch.equal(torch.cat([part.speakers for part in parts]), whole.speakers)
        found = [normaliser(data)(part)[0]["mel"] for data, part in zip(ranks, parts, strict=True)]
        assert torch.equal(torch.cat(found), normaliser(device)(whole)[0]["mel"])


def test_other_kinds_are_not_touched(arrays):
    data = opened(arrays, by_speaker=False)
    nameless = SplitRows(
        dataclasses.replace(ROWS.train, speakers=()),
        dataclasses.replace(ROWS.validation, speakers=()),
        ROWS.labels,
        CELLS,
    )
    without = opened(arrays, rows=nameless, by_speaker=False)
    assert data.normalisation["mel"][0].shape == (4,)
    for one, other in zip(data.train_batches(0), without.train_batches(0), strict=True):
        assert one.speakers is None
        assert torch.equal(one.inputs["mel"], other.inputs["mel"])
    with pytest.raises(AssertionError, match="without their speakers"):
        opened(arrays, rows=nameless)


def test_statistics_of_the_wrong_kind_are_never_used(arrays):
    data, plain = opened(arrays), opened(arrays, by_speaker=False)
    with pytest.raises(AssertionError, match="another kind"):
        Normaliser("train_bin", data.normalisation, data.shapes, CPU)(next(data.train_batches(0)))
    with pytest.raises(AssertionError, match="another kind"):
        Normaliser("speaker", plain.normalisation, plain.shapes, CPU)(next(plain.train_batches(0)))


def test_a_waveform_stays_as_it_is():
    x_BN1, statistics = torch.randn(2, 9, 1), (torch.ones(2, 1), torch.ones(2, 1))
    batch = Batch(
        {"wave": x_BN1},
        {"wave": torch.tensor([9, 4])},
        torch.zeros(2, dtype=torch.long),
        2,
        torch.arange(2),
        speakers=torch.tensor([1, 0]),
    )
    shapes = {"wave": StreamShape(1, 9, 16000.0, "waveform")}
    inputs, _ = Normaliser("speaker", {"wave": statistics}, shapes, CPU)(batch)
    assert torch.equal(inputs["wave"], x_BN1)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 3), min_size=1, max_size=12), st.integers(0, 2**31 - 1))
def test_statistics_are_those_of_all_frames_of_a_speaker(speakers: list[int], seed: int) -> None:
    names = [f"s{k}" for k in speakers]
    rows = SplitRows(table(tuple(names), "t"), table(("x",), "v"), ("angry",))
    index = SpeakerIndex.of(rows)
    assert index.both.tolist() == [*index.train.tolist(), *index.validation.tolist()]
    assert index.validation.tolist() == [len(set(names))]
    rng = np.random.default_rng(seed)
    values = [rng.normal(size=(int(rng.integers(1, 9)), 2)) for _ in range(len(names) + 1)]
    stats = RowStats(
        np.array([len(v) for v in values]),
        np.stack([v.sum(0) for v in values]),
        np.stack([(v**2).sum(0) for v in values]),
    )
    mean_SF, std_SF = speaker_mean_std(stats, index.both)
    for number, name in enumerate(dict.fromkeys(names)):
        own = np.concatenate([v for v, n in zip(values, names, strict=False) if n == name])
        np.testing.assert_allclose(mean_SF[number], own.mean(0), atol=1e-9)
        np.testing.assert_allclose(std_SF[number], own.std(0), atol=1e-4)


def test_a_refit_has_no_validation_rows():
    train, nobody = table(("ann", "bob", "ann"), "t"), table((), "v")
    assert SpeakerIndex.of(SplitRows(train, nobody, ("a",))).both.tolist() == [0, 1, 0]


def test_speakers_of_two_corpora_are_two():
    def spoken(corpus, speaker):
        return Utterance("u", "/u.wav", corpus, speaker, "sad", "0" * 32, 16000, 1.0)

    assert speaker_key(spoken("emodb", "03")) != speaker_key(spoken("savee", "03"))
    # Joined corpora name their speakers so themselves.
    assert speaker_key(spoken("emodb", "emodb/03")) == speaker_key(spoken("emodb", "03"))


def test_single_recordings_are_told():
    sides = {"train": TRAIN, "validation": VALIDATION}
    assert speakers_of_one(sides).startswith("1 speaker(s) with a single recording")
    assert "lone (validation)" in speakers_of_one(sides)
    assert speakers_of_one({"train": TRAIN}) == ""
