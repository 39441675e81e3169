"""Learning the distribution of votes in place of one label, and being measured by it."""

# Axis letters name tensor shapes.

import numpy as np
import pyarrow as pa
import pytest
import soundfile
import torch
from scipy.spatial.distance import jensenshannon
from test_learner import EVERYTHING, OFF, learner
from tiny_data import NUM_CLASSES, POOLED_LINEAR, TinyData

from raysearch.config.base import Places
from raysearch.corpora.utterance import Utterance
from raysearch.errors import ConfigError, DataError
from raysearch.evaluation.predict import prediction_table
from raysearch.evaluation.scores import score
from raysearch.protocols.splits import Split
from raysearch.spec import SearchSpec
from raysearch.streaming.preparation import prepare_split
from raysearch.streaming.split_rows import split_rows
from raysearch.streaming.votes_in_use import votes_field
from raysearch.training.data import Batch
from raysearch.training.losses import class_weights, distribution_targets, soft_targets
from raysearch.training.metrics import jensen_shannon
from raysearch.training.scoring import Scores
from raysearch.training.training_sections import TrainingConfig

# A quarter of the votes is for the next class.
SPLIT = (0.75, 0.25, 0.0)


class VotedData(TinyData):
    """``TinyData`` whose listeners were not of one mind, or were."""

    def __init__(self, shares=SPLIT, **sizes):
        super().__init__(**sizes)
        ring_KK = torch.stack([torch.tensor(shares).roll(k) for k in range(NUM_CLASSES)])
        self._shares = {id(side[2]): ring_KK[side[2]] for side in (self.train, self.validation)}
        self.class_shares = self._shares[id(self.train[2])].sum(dim=0).tolist()

    def _batch(self, source, rows, num_global) -> Batch:
        batch = super()._batch(source, rows, num_global)
        batch.shares = self._shares[id(source[2])][rows]
        return batch


def trained(data, **fields):
    one = learner(data, model=POOLED_LINEAR, epochs=12, learning_rate=0.01, **fields)
    while not one.finished:
        one.run_epoch()
    return one.history


def test_who_learns_the_votes_is_nearer_to_them_and_recognises_as_much():
    data = VotedData(num_train=240, num_validation=30)
    by_label, by_votes = (
        trained(data, augment=OFF, targets=targets)[-1] for targets in ("majority", "distribution")
    )
    assert 0 < by_votes["val_js"] < 0.6 * by_label["val_js"]
    assert by_votes["val_uar"] > 0.85


def test_votes_of_one_mind_are_learned_as_labels_are():
    fields = {"label_smoothing": 0.1, "mixup_alpha": 0.4, "class_weight": "balanced"}
    alike = trained(VotedData((1.0, 0.0, 0.0)), targets="distribution", **fields)
    labels = trained(VotedData((1.0, 0.0, 0.0)), targets="majority", **fields)
    assert alike == labels


def test_votes_that_nobody_learns_change_nothing_but_what_is_measured():
    without = trained(TinyData(), **EVERYTHING)
    beside = trained(VotedData(), **EVERYTHING)
    assert all("val_js" not in epoch for epoch in without)
    assert [{k: v for k, v in epoch.items() if k != "val_js"} for epoch in beside] == without


def test_it_goes_together_with_mixup_class_weights_and_smoothing():
    history = trained(VotedData(), targets="distribution", **EVERYTHING)
    assert all(np.isfinite(list(epoch.values())).all() for epoch in history)
    assert history[-1]["val_js"] < history[0]["val_js"]


def test_targets_are_weighted_by_the_mean_of_their_classes():
    shares_BK = torch.tensor([[0.6, 0.4, 0.0], [0.0, 0.5, 0.5], [0.0, 1.0, 0.0]])
    weights_K = class_weights(shares_BK.sum(dim=0).tolist(), "balanced")
    plain_BK = distribution_targets(shares_BK, weights_K, 0.0)
    torch.testing.assert_close(plain_BK.sum(dim=1), shares_BK @ weights_K)
    assert float(plain_BK.sum(dim=1).mean()) == pytest.approx(1)
    smooth_BK = distribution_targets(shares_BK, torch.ones(3), 0.3)
    torch.testing.assert_close(smooth_BK, 0.7 * shares_BK + 0.1)
    one_hot_BK = torch.eye(3)[[2, 0]]
    assert torch.equal(
        distribution_targets(one_hot_BK, weights_K, 0.1),
        soft_targets(torch.tensor([2, 0]), weights_K, 0.1),
    )


def test_the_divergence_is_that_of_jensen_and_shannon():
    rng = np.random.default_rng(0)
    first, second = rng.dirichlet(np.ones(4) * 0.2, 6), rng.dirichlet(np.ones(4), 6)
    expected = [jensenshannon(p, q, base=2) ** 2 for p, q in zip(first, second, strict=True)]
    np.testing.assert_allclose(jensen_shannon(first, second), expected, atol=1e-12)
    apart = jensen_shannon(np.array([[1.0, 0.0]]), np.array([[0.0, 1.0]]))
    assert apart.tolist() == [1.0]
    assert jensen_shannon(first, first).tolist() == [0.0] * 6


def test_divergences_of_ranks_add_up_and_an_empty_rank_has_none():
    logs_NK = torch.log(torch.tensor([[0.5, 0.5], [0.9, 0.1]], dtype=torch.float64))
    index_N, labels_N = torch.arange(2), torch.zeros(2, dtype=torch.long)
    shares_NK = torch.tensor([[0.5, 0.5], [0.0, 1.0]])
    whole = Scores(index_N, labels_N, logs_NK, shares_NK).divergence()
    halves = [
        Scores(index_N[n : n + 1], labels_N[n : n + 1], logs_NK[n : n + 1], shares_NK[n : n + 1])
        for n in range(2)
    ]
    torch.testing.assert_close(whole, sum(half.divergence() for half in halves))
    assert float(whole[1]) == 2
    empty = Scores(index_N[:0], labels_N[:0], logs_NK[:0])
    assert empty.divergence().tolist() == [0, 0]


def test_without_votes_there_is_nothing_to_learn():
    with pytest.raises(DataError, match="no training recording has votes"):
        learner(TinyData(), targets="distribution")


def test_what_is_solved_for_labels_refuses_votes():
    base = SearchSpec.load("svm").base
    with pytest.raises(ConfigError, match=r"'svm' is solved for one label a recording"):
        base.replace({"training.targets": "distribution"}, places=Places("here"))


def test_a_trial_that_learns_labels_is_what_it_was():
    assert "targets" not in TrainingConfig().identity()
    assert TrainingConfig(targets="distribution").identity()["targets"] == "distribution"


def utterance(number, votes=(), **more):
    emotion = ("angry", "calm", "sad")[number % 3]
    fields = {"speaker": f"s{number // 3}", "emotion": emotion, "content_hash": f"h{number}"}
    audio = {"sample_rate": 16_000, "duration_s": 1.0}
    return Utterance(id=f"u{number:02d}", path="/x", corpus="m", **fields, **audio, votes=votes)


def test_rows_carry_votes_where_anybody_voted_and_nothing_elsewhere():
    plain = [utterance(n) for n in range(9)]
    voted = [utterance(n, (("angry", 1.0), ("sad", 3.0))) for n in range(2)] + plain[2:]
    for rows, expected in ((plain, ()), (voted, (0.25, 0.0, 0.75))):
        split = Split("speaker_independent", 0, 3, tuple(rows[:6]), tuple(rows[6:]), ())
        made = split_rows(split)
        assert (made.train.shares[1] if made.train.shares else ()) == expected
        assert len(made.validation.shares) == (3 if expected else 0)
    assert made.train.shares[2] == (0.0, 0.0, 1.0)  # who has no votes has one, for the label
    without, within = split.identity(), split.identity(votes=True)
    assert "votes" not in without
    assert within["votes"][0] == (("angry", 1.0), ("sad", 3.0))


def test_test_rows_are_scored_by_divergence_where_they_have_votes():
    votes = (("angry", 1.0), ("sad", 3.0))
    labels = ("angry", "calm", "sad")
    rows = [utterance(n, votes) for n in range(24)]
    probs_NK = np.tile([0.25, 0.0, 0.75], (24, 1))
    where = {"protocol": "p", "where": {"fold": 0}, "notes": []}
    exact = [prediction_table(rows, probs_NK, labels, n // 2, n % 2) for n in range(8)]
    found = score(pa.concat_tables(exact[:2]), **where)
    assert found["js"] == {
        "mean": 0.0,
        "per_seed": [0.0, 0.0],
        "interval": [0.0, found["js"]["interval"][1]],
    }
    assert found["js"]["interval"][1] < 0.05
    far = prediction_table(rows, np.tile([0.0, 1.0, 0.0], (24, 1)), labels, 0, 0)
    assert score(far, **where)["js"]["mean"] == 1.0
    plain = prediction_table([utterance(n) for n in range(24)], probs_NK, labels, 0, 0)
    assert "js" not in score(plain, **where)
    assert not [name for name in plain.column_names if name.startswith("votes_")]


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ([], None),
        ([("training.targets", "distribution")], "training.targets"),
        (["space.training.targets={choice: [majority, distribution]}"], "training.targets"),
        ([("search.objective", "val_js")], "search.objective"),
    ],
)
def test_a_search_by_votes_needs_some_and_they_are_part_of_its_data(tmp_path, settings, field):
    lines = ["path,speaker,emotion,angry,sad"]
    rng = np.random.default_rng(0)
    for n in range(40):
        soundfile.write(tmp_path / f"{n}.wav", rng.uniform(-0.1, 0.1, 160), 16_000)
        emotion = ("angry", "sad")[n % 2]
        lines.append(f"{n}.wav,s{n // 4},{emotion},{3 - n % 2},{1 + n % 2}")
    (tmp_path / "m.csv").write_text("\n".join(lines) + "\n")
    corpus = [("corpus.name", "manifest"), ("corpus.data", str(tmp_path / "m.csv"))]
    plain = SearchSpec.load("cnn", [*corpus, *settings])
    assert votes_field(plain) == field
    columns = ("corpus.vote_columns", ["angry", "sad"])
    voted = SearchSpec.load("cnn", [*corpus, columns, *settings])
    audited = prepare_split(voted, tmp_path)
    if field is None:
        assert audited.identity(voted) == prepare_split(plain, tmp_path).identity(plain)
        return
    assert "votes" in audited.identity(voted)
    with pytest.raises(ConfigError, match=rf"^{field} is by votes, and no recording of manifest"):
        prepare_split(plain, tmp_path)
