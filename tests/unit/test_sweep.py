"""Which values a sweep takes, what it plans and finds stored, and what is drawn of it."""

import json

import pytest
from searched_run import NUM_FOLDS, searched_run

from raysearch.config.loader import dump_yaml
from raysearch.errors import ConfigError, UserError
from raysearch.evaluation.experiment import plan_experiment
from raysearch.evaluation.run_splits import RunSplits
from raysearch.evaluation.sweep import stored_sweep, sweep_file
from raysearch.evaluation.sweep_axes import points_of, read_axis
from raysearch.reporting.sweep_plot import draw_sweep
from raysearch.spec import SearchSpec

CNN = SearchSpec.load("cnn", []).base


def points(*texts, winner=CNN):
    return points_of([winner], [read_axis(text) for text in texts])


def test_values_are_read_as_yaml_and_settled_by_the_settings():
    found = points("training.mixup_alpha=0,0.2, 0.4")
    assert [point.of(CNN).training.mixup_alpha for point in found] == [0.0, 0.2, 0.4]
    assert [point.name for point in found][:2] == [
        "training.mixup_alpha=0.0",
        "training.mixup_alpha=0.2",
    ]
    (cut,) = points("training.gradient_clip=null")
    assert cut.of(CNN) == CNN.replace({"training.gradient_clip": None})


def test_two_fields_give_every_pair_once():
    found = points("model.width=16,32,16", "training.mixup_alpha=0,0.2")
    assert [tuple(point.values.values()) for point in found] == [
        (16, 0.0),
        (16, 0.2),
        (32, 0.0),
        (32, 0.2),
    ]


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        (["model.widht=16"], "did you mean 'model.width'"),
        (["features.mel.n_mel=16"], "did you mean 'features.mel.n_mels'"),
        (["model.width=16,broad"], "model.width"),
        (["model.width=16,4000"], "model.width"),
        (["model.width=16,[1"], "model.width"),
        (["model.name=cnn,lstm"], "cannot be swept"),
        (["features.mel.extractor=log_mel"], "cannot be swept"),
        (["training.pretrained=null"], "cannot be swept"),
        (["model.width"], "write FIELD=VALUE"),
        (["model.width="], "write FIELD=VALUE"),
        (["=3"], "write FIELD=VALUE"),
        (["model.width=8", "model.width=16"], "one field or two different ones"),
        (["model.width=8", "model.blocks=2", "model.dropout=0"], "one field or two"),
        (["training.normalise=utterance,speaker"], "transductive"),
        (["spec_augment.time_mask_count=2,8"], "time_mask_width"),
    ],
)
def test_what_cannot_be_swept_is_told_in_a_line(texts, said):
    with pytest.raises((UserError, ConfigError), match=r"(?s).*") as caught:
        points(*texts, winner=CNN.replace({"spec_augment.time_mask_width": 0.2}))
    assert said in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_a_stream_that_the_winner_does_not_read_is_told():
    winner = SearchSpec.load("cnn", ["features.prosody.extractor=prosody"]).base
    assert "prosody" not in winner.used_features
    field = next(name for name in winner.fields() if name.startswith("features.prosody.hop"))
    value = dump_yaml(winner.fields()[field]).split("\n")[0]
    with pytest.raises(ConfigError, match="reads no stream 'prosody'"):
        points(f"{field}={value}", winner=winner)


def test_a_value_is_refused_if_the_winner_of_any_fold_refuses_it():
    masked = CNN.replace({"spec_augment.time_mask_width": 0.3})
    axis = [read_axis("spec_augment.time_mask_count=2")]
    assert points_of([CNN], axis)
    with pytest.raises(ConfigError, match="time_mask_width x time_mask_count"):
        points_of([CNN, masked], axis)


def test_a_feature_is_swept_in_every_fold_beside_the_winner(tmp_path):
    run = searched_run(tmp_path)
    winner = run.spec().base
    own = winner.features["mel"].n_mels
    found = points(f"features.mel.n_mels=16,{own}", winner=winner)
    changes = {point.name: point.of for point in found}
    planned = plan_experiment(run, changes, folds=None, splits=RunSplits(run, tmp_path))
    narrow, same = planned.changed.values()
    assert [arm.config.features["mel"].n_mels for arm in narrow] == [16] * NUM_FOLDS
    assert same == planned.winner


def figures(mean, interval):
    speakers = {"a": mean - 0.1, "b": mean + 0.1}
    return {"ua": {"mean": mean, "per_seed": [mean], "interval": interval}} | {
        "per_speaker_ua": speakers
    }


def swept(points, interval):
    return {
        "trial": "t0",
        "fields": list(points[0].values),
        "winners": {str(fold): "t0" for fold in range(NUM_FOLDS)},
        "asked_folds": None,
        "own": {field: [32, 64] for field in points[0].values},
        "winner": figures(0.6, interval),
        "points": [
            {
                "name": point.name,
                "values": point.values,
                "figures": figures(0.5 + 0.01 * place, interval),
                "comparison": None,
            }
            for place, point in enumerate(points)
        ],
    }


def test_what_was_swept_before_is_found_for_the_same_question_alone(tmp_path):
    run = searched_run(tmp_path)
    asked = points("model.width=8,16", winner=run.spec().base)
    assert stored_sweep(run, asked, None) is None
    path = sweep_file(run, ["model.width"])
    path.parent.mkdir()
    path.write_text(json.dumps(swept(asked, None)))
    assert stored_sweep(run, asked, None)["trial"] == "t0"
    assert stored_sweep(run, asked, [0]) is None
    assert stored_sweep(run, points("model.width=8", winner=run.spec().base), None) is None
    path.write_text(json.dumps(swept(asked, None) | {"winners": {"0": "another"}}))
    assert stored_sweep(run, asked, None) is None


@pytest.mark.parametrize("texts", [["model.width=8,16"], ["model.width=8,16", "model.blocks=1,2"]])
@pytest.mark.parametrize("interval", [None, [0.4, 0.7]])
def test_the_figure_has_each_value_and_the_winner(tmp_path, texts, interval):
    pytest.importorskip("matplotlib")
    draw_sweep(swept(points(*texts), interval), tmp_path / "sweep.svg")
    svg = (tmp_path / "sweep.svg").read_text()
    assert "winner (" in svg
    assert "<!-- 16 -->" in svg
    assert ("<!-- model.blocks=2 -->" in svg) == (len(texts) == 2)
