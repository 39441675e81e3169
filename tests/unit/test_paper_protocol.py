"""The split that each paper used, as ``evaluate --protocol paper`` repeats it."""

import numpy as np
import pytest
import soundfile

from raysearch.evaluation.arm import Arm, paper_arm
from raysearch.spec import SearchSpec
from raysearch.streaming.preparation import prepare_split

NUM_SPEAKERS, PER_CLASS = 5, 5


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """A manifest of five speakers with five recordings of two classes each."""
    folder = tmp_path_factory.mktemp("corpus")
    draws = np.random.default_rng(0)
    lines = ["path,speaker,emotion"]
    for speaker in range(NUM_SPEAKERS):
        for emotion in ("joy", "anger"):
            for take in range(PER_CLASS):
                name = f"{speaker}-{emotion}-{take}.wav"
                soundfile.write(folder / name, draws.uniform(-0.1, 0.1, 1600), 16_000)
                lines.append(f"{name},{speaker},{emotion}")
    (folder / "m.csv").write_text("\n".join(lines))
    return folder / "m.csv"


def arm(space, table, *settings):
    corpus = [("corpus.name", "manifest"), ("corpus.data", str(table))]
    spec = SearchSpec.load(space, [*corpus, *settings])
    own = Arm(spec, prepare_split(spec, table.parent), spec.base, "t", table, table.parent)
    return own, paper_arm(own, table.parent / "paper")


def names(rows):
    return {row.id for row in rows}


def test_a_paper_that_does_not_say_gets_64_16_20(table):
    own, paper = arm("emohrnet", table)
    split = paper.audited.split
    assert [len(side) for _, side in split.sides()] == [32, 8, 10]
    assert paper.audited.audit.verdict == "optimistic"
    assert (paper.config, paper.searched) == (own.config, ())
    assert own.spec.published.protocol_note.startswith("random 64/16/20 split: a stand-in")


def test_the_1d_cnns_test_rows_choose_its_epoch(table):
    own, paper = arm("cnn1d_attention", table)
    split = paper.audited.split
    assert [len(side) for _, side in split.sides()] == [40, 10, 10]
    assert split.validation == split.test
    assert not names(split.train) & names(split.test)
    assert own.audited.split.validation != own.audited.split.test
    assert own.spec.published.protocol_note.startswith("invalid: random 80/20 split")


def test_mfhca_leaves_one_speaker_out_and_chooses_on_it(table):
    settings = {"model.modality": "mel", "search.published_first": False}
    own, paper = arm("mfhca", table, *settings.items())
    split = paper.audited.split
    assert {row.speaker for row in split.test} == {"0"}
    assert len(split.train) == (NUM_SPEAKERS - 1) * 2 * PER_CLASS
    assert split.validation == split.test
    assert paper.audited.audit.verdict == "clean"
    assert own.spec.published.protocol_note.startswith("invalid: one speaker left out")


def test_a_class_that_only_the_test_has_cannot_choose(table):
    tested = sorted(names(arm("cnn1d_attention", table)[1].audited.split.test))
    rare = table.with_name("rare.csv")
    lines = table.read_text().splitlines()
    rare.write_text("\n".join(_relabelled(line, tested[:2]) for line in lines))
    _, paper = arm("cnn1d_attention", rare)
    assert names(paper.audited.split.test) == set(tested)
    assert names(paper.audited.split.validation) == set(tested[2:])


def _relabelled(line, paths):
    path, speaker, _ = line.split(",")
    return f"{path},{speaker},fear" if path in paths else line
