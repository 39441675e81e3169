"""The encoder probe's settings: the stream that follows from them, and what they refuse."""

import pytest

from raysearch.errors import ConfigError
from raysearch.prerequisites import feature_sets
from raysearch.spec import SearchSpec

TUNED = ("last_n", "lora", "all")


def test_the_stream_follows_from_what_the_model_is_told():
    def stream(*settings):
        return SearchSpec.load("ssl", settings).base.used_features["ssl"]

    def told(*settings):
        found = stream(*settings)
        return found.mode, found.pool, found.layer

    # One set of all layers' statistics serves every depth.
    for depth in ("0.25", "1.0", "mixture"):
        assert told(f"model.depth={depth}") == ("frozen", "mean_std", "weighted")
    attentive = "model.pooling=attentive"
    # HuBERT-base's twelve, as long as no weights are given.
    assert told(attentive, "model.depth=0.5") == ("frozen", "none", 6)
    assert told(attentive, "model.depth=mixture") == ("frozen", "none", "weighted")
    for tune in TUNED:
        assert told(f"model.tune={tune}", "model.depth=1.0") == ("tuned", "none", 12)


def test_a_search_computes_few_sets_of_features():
    assert len(feature_sets(SearchSpec.load("ssl"))) == 1
    streams = [sets["ssl"] for sets in feature_sets(SearchSpec.load("ssl-gpu"))]
    assert sum(stream.pool == "mean_std" for stream in streams) == 1
    assert {stream.layer for stream in streams if stream.mode == "tuned"} == {
        *(3, 6, 9, 12),
        "weighted",
    }


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"features.ssl.mode": "tuned"}, r"follows from model\.tune here: leave it out"),
        ({"features.ssl.pool": "mean_std"}, r"follows from model\.pooling here: leave it out"),
        ({"features.ssl.layer": 6}, r"follows from model\.depth here: leave it out"),
    ],
)
def test_the_stream_is_not_told_twice(settings, message):
    with pytest.raises(ConfigError, match=message):
        SearchSpec.load("ssl", list(settings.items()))


def test_only_an_encoder_can_be_tuned():
    data = {
        "name": "x",
        "features": {"ssl": {"extractor": "mfcc"}},
        "model": {"name": "encoder_probe", "tune": "lora"},
    }
    with pytest.raises(ConfigError, match=r"features\.ssl is made by 'mfcc'"):
        SearchSpec.from_dict(data)
    data["model"]["tune"] = "frozen"
    assert SearchSpec.from_dict(data).base.used_features["ssl"].extractor == "mfcc"


def test_statistics_are_refused_where_frames_are_needed():
    with pytest.raises(ConfigError, match="set pool to none"):
        SearchSpec.load("mfhca", ["features.ssl.mode=tuned", "features.ssl.pool=mean_std"])
    with pytest.raises(ConfigError, match=r"MFHCA reads frames: set features\.ssl\.pool to none"):
        SearchSpec.load("mfhca", ["features.ssl.pool=mean_std"])
