"""Real Polish speech by a manifest, where RAYSEARCH_NEMO names nEMO's."""

import contextlib
import os

import pytest

from raysearch.corpora.corpus_table import CorpusConfig, load_corpus
from raysearch.errors import ConfigError
from raysearch.protocols.audit import audit
from raysearch.protocols.splits import ProtocolConfig, inner_splits

pytestmark = pytest.mark.skipif(
    "RAYSEARCH_NEMO" not in os.environ, reason="RAYSEARCH_NEMO is unset"
)


def test_every_speaker_is_tested_once_and_validated_once(tmp_path):
    data = os.environ["RAYSEARCH_NEMO"]
    corpus = load_corpus(CorpusConfig(name="manifest", data=data), tmp_path)
    assert (len(corpus.utterances), len({row.speaker for row in corpus.utterances})) == (1057, 9)
    tested = []
    for fold in range(5):
        splits = most_inner_splits(corpus, ProtocolConfig(fold=fold))
        tested += sorted({row.speaker for row in splits[0].test})
        validated = []
        for split in splits:
            audit(split).check()
            validated += sorted({row.speaker for row in split.validation})
        learned = {row.speaker for row in (*splits[0].train, *splits[0].validation)}
        assert sorted(validated) == sorted(learned)
    assert sorted(tested) == sorted({row.speaker for row in corpus.utterances})


def most_inner_splits(corpus, config):
    for number in range(10, 1, -1):
        with contextlib.suppress(ConfigError):
            return inner_splits(corpus, config, number)
    raise AssertionError("no two validation sets")
