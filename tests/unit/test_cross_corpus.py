"""Who is scored on what across corpora, and what is refused."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from protocol_corpora import regular

from raysearch.errors import DataError, LeakError
from raysearch.evaluation.arm import Arm
from raysearch.evaluation.crossing import among, crossing
from raysearch.protocols.audit import audit
from raysearch.protocols.splits import ProtocolConfig, make_split
from raysearch.spec import SearchSpec
from raysearch.streaming.preparation import AuditedSplit

SPEC = SearchSpec.load("cnn")


def arm(*emotions):
    corpus = regular(10, emotions=emotions)
    split = make_split(corpus, ProtocolConfig())
    return Arm(SPEC, AuditedSplit(corpus, split, audit(split)), SPEC.base, "t", None, Path("x"))


def other(*emotions):
    corpus = regular(4, name="other", emotions=emotions)
    rows = tuple(replace(row, content_hash=f"other {row.id}") for row in corpus.utterances)
    return replace(corpus, utterances=rows)


def test_labels_meet_in_the_common_classes():
    trained = arm("anxiety", "boredom", "fear", "joy")
    found = crossing("made", trained, "other", other("fearful", "happiness", "sad"))
    assert found.classes == ("fear", "happy")
    assert found.columns == ((0, 2), (3,))  # anxiety and fear are one class, boredom is none
    assert {row.emotion for row in found.rows} == {"fear", "happy"}
    assert len(found.rows) == 2 * 4 * 4


@pytest.mark.parametrize("emotions", [("sad", "neutral"), ("fear", "sad")])
def test_fewer_than_two_common_classes_are_refused(emotions):
    with pytest.raises(DataError, match="under the label map: two are needed"):
        crossing("made", arm("fear", "joy"), "other", other(*emotions))


def test_a_label_that_the_map_lacks_is_refused_on_either_side():
    with pytest.raises(DataError, match="'bliss' has no common class"):
        crossing("made", arm("bliss", "fear"), "other", other("fear", "joy"))
    with pytest.raises(DataError, match="'bliss'"):
        crossing("made", arm("fear", "joy"), "other", other("bliss", "fear"))


def test_recordings_that_were_learned_from_are_refused():
    trained = arm("fear", "joy")
    split, target = trained.audited.split, other("fear", "joy")
    for side, refused in ((split.train, True), (split.validation, True), (split.test, False)):
        known = replace(target.utterances[0], content_hash=side[0].content_hash)
        with_known = replace(target, utterances=(known, *target.utterances[1:]))
        if refused:
            with pytest.raises(LeakError, match="1 recordings"):
                crossing("made", trained, "other", with_known)
        else:
            assert crossing("made", trained, "other", with_known)


@given(st.lists(st.floats(0, 1, width=32), min_size=5, max_size=5))
def test_the_choice_is_among_the_common_classes_alone(values):
    probs_1K = np.asarray([values], dtype=np.float32)
    among_1C = among(probs_1K, ((0, 2), (3,)))
    assert np.isfinite(among_1C).all()
    assert among_1C.sum() == pytest.approx(1)
    first, second = probs_1K[0, 0] + probs_1K[0, 2], probs_1K[0, 3]
    if max(first, second) > 1e-30:
        assert (among_1C[0, 0] > among_1C[0, 1]) == (first > second)
