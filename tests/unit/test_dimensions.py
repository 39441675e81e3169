"""Predicting arousal, valence and dominance in place of the emotion."""

# Axis letters name tensor shapes.

import numpy as np
import pytest
import torch
from test_learner import CPU, OFF, learner
from tiny_data import POOLED_LINEAR, RatedData

from raysearch.config.base import Places
from raysearch.corpora.utterance import Corpus, Utterance
from raysearch.errors import ConfigError
from raysearch.models.dimension_net import DimensionNet
from raysearch.protocols.splits import Split
from raysearch.spec import SearchSpec
from raysearch.streaming.rated_rows import rated_rows
from raysearch.streaming.split_rows import split_rows
from raysearch.training.concordance import ccc, ccc_loss, sums_of
from raysearch.training.scoring import Scores, dimension_metrics
from raysearch.training.training_sections import TrainingConfig

RATED = ("arousal", "valence")
TASK = {"task": "dimensions", "labels": RATED, "objective": "val_ccc"}
ON = [
    ("training.task", "dimensions"),
    ("training.label_smoothing", 0),
    ("training.class_weight", "none"),
]


def lin(x_N: np.ndarray, y_N: np.ndarray) -> float:
    """The coefficient as its formula is written."""
    shared = 2 * np.mean((x_N - x_N.mean()) * (y_N - y_N.mean()))
    return float(shared / (x_N.var() + y_N.var() + (x_N.mean() - y_N.mean()) ** 2))


def test_the_coefficient_is_that_of_lin():
    rng = np.random.default_rng(0)
    y_ND = rng.normal(3, 1, (40, 2))
    x_ND = 0.5 * y_ND + rng.normal(1, 0.5, (40, 2))
    found = ccc(sums_of(torch.from_numpy(x_ND), torch.from_numpy(y_ND))).tolist()
    assert found == pytest.approx([lin(x_ND[:, d], y_ND[:, d]) for d in range(2)])
    y_ND = torch.from_numpy(y_ND)
    assert ccc(sums_of(y_ND, y_ND)).tolist() == pytest.approx([1, 1])
    moved = ccc(sums_of(y_ND + 1000, y_ND + 1000))  # no digits are lost far from 0
    assert moved.tolist() == pytest.approx([1, 1], abs=1e-6)


@pytest.mark.parametrize("num_rows", [0, 1, 3])
def test_what_does_not_vary_has_no_agreement_and_no_gradient(num_rows):
    rated_BD = torch.full((num_rows, 2), 3.0)
    predicted_BD = torch.full((num_rows, 2), 3.5, requires_grad=True)
    loss = ccc_loss(predicted_BD, rated_BD, 1)
    loss.backward()
    assert loss.item() == pytest.approx(1)
    assert torch.equal(predicted_BD.grad, torch.zeros(num_rows, 2))
    assert ccc(sums_of(rated_BD, rated_BD)).tolist() == [0, 0]


def test_it_learns_ratings_and_predicts_them_on_their_own_scale():
    for heads in ("one", "several"):
        trial = learner(
            RatedData(240, 30),
            model=POOLED_LINEAR,
            augment=OFF,
            epochs=12,
            learning_rate=0.02,
            heads=heads,
            **TASK,
        )
        while not trial.finished:
            result = trial.run_epoch()
        first, last = trial.history[0], result.metrics
        assert last["val_ccc"] > 0.8
        assert last["train_loss"] < 0.6 * first["train_loss"]
        assert last["val_ccc"] == pytest.approx(
            (last["val_ccc_arousal"] + last["val_ccc_valence"]) / 2
        )
        assert last["val_loss"] == pytest.approx(1 - last["val_ccc"])
        assert not {"val_uar", "val_ccc_dominance"} & last.keys()
        x_ND, y_ND = trial._scores.log_probs, trial._scores.ratings
        torch.testing.assert_close(x_ND.mean(0), y_ND.double().mean(0), atol=0.3, rtol=0)


def test_heads_share_or_have_their_own():
    nets = {
        heads: learner(RatedData(), model=POOLED_LINEAR, heads=heads, **TASK).model
        for heads in ("one", "several")
    }
    assert isinstance(nets["one"], DimensionNet)
    assert len(nets["one"].heads) == 0
    assert list(nets["several"].parameter_groups()) == ["all", "dimension heads"]
    trained = sum(p.numel() for ps in nets["several"].parameter_groups().values() for p in ps)
    assert trained == nets["several"].num_params


def test_a_resumed_trial_equals_an_uninterrupted_one(tmp_path):
    fields = {"mixup_alpha": 0.4, "model": POOLED_LINEAR, "heads": "several", **TASK}
    straight, first = learner(RatedData(), **fields), learner(RatedData(), **fields)
    expected = [straight.run_epoch().metrics for _ in range(4)]
    got = [first.run_epoch().metrics for _ in range(2)]
    first.save(tmp_path / "last")
    second = learner(RatedData(), **fields)
    second.load(tmp_path / "last")
    assert [*got, *(second.run_epoch().metrics for _ in range(2))] == expected
    assert second.model.mean_D.tolist() == pytest.approx(RatedData().rating_scale[0].tolist())


def test_sums_of_ranks_add_up_and_an_empty_rank_has_none():
    rng = np.random.default_rng(1)
    x_ND, y_ND = (torch.from_numpy(rng.normal(size=(9, 2))) for _ in range(2))
    index_N, labels_N = torch.arange(9), torch.zeros(9, dtype=torch.long)

    def scores(a, b):
        return Scores(index_N[a:b], labels_N[a:b], x_ND[a:b], ratings=y_ND[a:b])

    whole = scores(0, 9).agreement()
    empty = Scores(index_N[:0], labels_N[:0], x_ND[:0]).agreement()
    torch.testing.assert_close(scores(0, 4).agreement() + scores(4, 9).agreement() + empty, whole)
    found = dimension_metrics(whole, RATED)
    assert found["val_ccc_valence"] == pytest.approx(lin(x_ND[:, 1].numpy(), y_ND[:, 1].numpy()))
    assert list(found) == ["val_loss", "val_ccc", "val_ccc_arousal", "val_ccc_valence"]


def utterance(number, ratings=()):
    fields = {
        "speaker": f"s{number // 3}",
        "emotion": "ab"[number % 2],
        "content_hash": f"h{number}",
    }
    audio = {"sample_rate": 16_000, "duration_s": 1.0}
    return Utterance(id=f"u{number:02d}", path="/x", corpus="m", **fields, **audio, ratings=ratings)


BOTH = (("arousal", 4.0), ("valence", 2.0))


def corpus(*rows):
    return Corpus("m", "/", tuple(rows), ())


def test_recordings_without_ratings_are_dropped_and_told():
    rows = [utterance(n, BOTH) for n in range(3)] + [utterance(3), utterance(4, BOTH[:1])]
    settings = TrainingConfig(task="dimensions")
    found, dimensions, notes = rated_rows(settings, corpus(*rows))
    assert dimensions == RATED
    assert [row.id for row in found.utterances] == ["u00", "u01", "u02"]
    assert [one.reason for one in found.dropped] == ["without ratings of arousal, valence"] * 2
    assert notes == ("2 recording(s) without ratings of arousal, valence left out",)
    one = settings.model_copy(update={"dimensions": ("arousal",)})
    assert rated_rows(one, corpus(*rows))[1:] == (
        ("arousal",),
        ("1 recording(s) without ratings of arousal left out",),
    )
    assert rated_rows(TrainingConfig(), corpus(*rows)) == (corpus(*rows), (), ())


@pytest.mark.parametrize(
    ("asked", "rows", "message"),
    [
        (None, [utterance(0)], "no recording of m is rated on arousal, valence or dominance"),
        (("dominance",), [utterance(0, BOTH)], "rated on dominance: .*some of: arousal, valence"),
    ],
)
def test_a_corpus_without_the_ratings_is_refused(asked, rows, message):
    settings = TrainingConfig(task="dimensions", dimensions=asked)
    with pytest.raises(ConfigError, match=message):
        rated_rows(settings, corpus(*rows))


def test_ratings_are_part_of_the_split_and_of_its_rows():
    rows = tuple(utterance(n, (("arousal", 1.0 + n), ("valence", 2.0))) for n in range(6))
    split = Split("p", 0, 3, rows[:4], rows[4:], (), dimensions=("valence", "arousal"))
    assert split.labels == ("valence", "arousal")
    made = split_rows(split)
    assert made.train.ratings[1] == (2.0, 2.0)
    assert made.validation.ratings == ((2.0, 5.0), (2.0, 6.0))
    assert split.identity()["ratings"][0] == rows[0].ratings
    assert "ratings" not in Split("p", 0, 3, rows[:4], rows[4:], ()).identity()


def test_the_search_is_by_agreement_unless_it_is_told():
    spec = SearchSpec.load("cnn", ON)
    assert spec.search.objective == "val_ccc"
    assert SearchSpec.from_dict(spec.to_dict()) == spec
    one = SearchSpec.load("cnn", [*ON, ("search.objective", "val_ccc_arousal")])
    assert one.search.objective == "val_ccc_arousal"
    assert SearchSpec.load("cnn").search.objective == "val_uar_mean3"


@pytest.mark.parametrize(
    ("space", "settings", "message"),
    [
        (
            "cnn",
            ON[:1],
            "training.label_smoothing, training.class_weight would be of emotions: "
            "--set training.label_smoothing=0 --set training.class_weight=none$",
        ),
        ("cnn", [*ON, ("training.targets", "distribution")], "--set training.targets=majority$"),
        ("svm", ON, "'svm' is solved for emotions: take a network, such as cnn"),
        ("logistic", ON, "'logistic' is solved for emotions"),
        ("cnn", [*ON, ("search.objective", "val_uar")], "not of .*'dimensions': take val_ccc$"),
        ("cnn", [("search.objective", "val_ccc")], "'emotion': set training.task=dimensions$"),
        ("cnn", [*ON, ("search.final", "ensemble")], "take refit, bag, single or auto$"),
        ("cnn", [*ON, ("pretrain.on", "manifest"), ("pretrain.data", "x")], "leave pretrain out$"),
        ("cnn", [*ON, "space.training.class_weight={choice: [none, sqrt]}"], "class_weight=none$"),
    ],
)
def test_what_is_of_emotions_is_refused_by_its_key(space, settings, message):
    with pytest.raises(ConfigError, match=message):
        SearchSpec.load(space, settings)


def test_a_trial_that_tells_emotions_apart_is_what_it_was():
    assert not {"task", "dimensions", "heads"} & TrainingConfig().identity().keys()
    base = SearchSpec.load("cnn", ON).base
    one = base.replace({"training.heads": "several"}, places=Places("here"))
    assert one.identity()["training"]["heads"] == "several"


def test_a_net_for_one_dimension_is_built():
    trial = learner(RatedData(), model=POOLED_LINEAR, **TASK)
    net = DimensionNet(POOLED_LINEAR, trial.data.shapes, 1, "one").to(CPU)
    batch = next(RatedData().train_batches(0))
    assert net(batch.inputs, batch.lengths).shape == (8, 1)
