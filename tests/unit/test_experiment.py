"""What an experiment trains in which fold, what that costs, and what it need not train again."""

import pytest
from searched_run import (
    EPOCH_S,
    EPOCHS,
    NUM_FOLDS,
    predictions,
    search_nested,
    searched_run,
    train,
)

from raysearch.errors import ConfigError, UserError
from raysearch.evaluation.arm import NUM_SEEDS
from raysearch.evaluation.experiment import plan_experiment
from raysearch.evaluation.figures import folds_shown
from raysearch.evaluation.outlay import in_words
from raysearch.evaluation.run_splits import RunSplits
from raysearch.evaluation.winner_folds import (
    folds_asked,
    folds_of,
    is_answer,
    scored_arms,
    winner_configs,
    winners_of,
)

OF_WINNER = 2 + NUM_SEEDS * (NUM_FOLDS - 1)  # the searched net is there
OF_CHANGE = NUM_SEEDS * NUM_FOLDS


@pytest.fixture
def run(tmp_path):
    return searched_run(tmp_path)


def planned(run, folds=None, **changes):
    made = {name: lambda own, v=values: own.replace(v) for name, values in changes.items()}
    return plan_experiment(run, made, folds=folds, splits=RunSplits(run, run.root))


WIDER = {"model.width": 48}


def test_every_fold_trains_on_its_own_speakers_and_tests_another(run):
    found = planned(run, wider=WIDER)
    assert folds_of(found.winner) == [0, 1, 2, 3]
    assert [bool(arm.searched) for arm in found.winner] == [True, False, False, False]
    for own, changed in zip(found.winner, found.changed["wider"], strict=True):
        split = changed.audited.split
        assert split is own.audited.split
        test = {row.speaker for row in split.test}
        assert len(test) == 1
        assert not test & {row.speaker for row in (*split.train, *split.validation)}
        assert changed.config.model.width == 48
    tested = {row.speaker for arm in found.winner for row in arm.audited.split.test}
    assert len(tested) == NUM_FOLDS


def test_the_cost_is_what_is_not_there_by_the_recorded_epochs(run):
    outlay = planned(run, wider=WIDER).outlay()
    assert outlay.trainings == outlay.missing == OF_WINNER + OF_CHANGE
    assert outlay.seconds == pytest.approx(outlay.missing * EPOCHS * EPOCH_S)
    longer = planned(run, longer={"training.epochs": 2 * EPOCHS}).outlay()
    assert longer.seconds == pytest.approx((OF_WINNER + 2 * OF_CHANGE) * EPOCHS * EPOCH_S)
    assert planned(run, [0], wider=WIDER).outlay().missing == 2 + NUM_SEEDS


def test_an_epoch_of_a_search_trained_a_net_for_each_inner_fold(tmp_path):
    outlay = planned(searched_run(tmp_path, **{"search.inner_folds": 2}), [0]).outlay()
    assert outlay.epoch_s == pytest.approx(EPOCH_S / 2)
    assert outlay.seconds == pytest.approx(2 * EPOCHS * EPOCH_S / 2)


def test_what_was_trained_before_is_not_trained_again(run):
    first = planned(run, wider=WIDER)
    arm = first.changed["wider"][2]
    train(arm.folder / arm.identity / "seed-2" / "weights")
    again = planned(run, by_another_name=WIDER, slower={"training.learning_rate": 1e-5})
    assert again.changed["by_another_name"][2].missing == [0, 2]
    assert again.outlay().missing == OF_WINNER + 2 * OF_CHANGE - 1
    assert "1 of them there already" in again.outlay_line()
    for each in first.arms:
        for seed in range(each.num_retrained):
            train(each.folder / each.identity / f"seed-{seed + 1}" / "weights")
    assert first.outlay().missing == 0
    assert "all of them there already" in first.outlay_line()


def test_other_settings_and_other_folds_are_other_trainings(run):
    found = planned(run, wider=WIDER, longer={"training.epochs": 7})
    places = {(arm.folder, arm.identity) for arm in found.arms}
    assert len(places) == 3 * NUM_FOLDS
    assert {arm.identity for arm in found.winner} == {"t0"}


def test_equal_settings_are_trained_once(run):
    own = winner_configs(run, None)[0].model.width
    found = planned(run, wider=WIDER, again=WIDER, same={"model.width": own})
    assert found.outlay().trainings == OF_WINNER + OF_CHANGE
    assert found.changed["same"] == found.winner


def judged(run, folds=None):
    found = planned(run, folds, wider=WIDER, same={})
    shares = {"winner": 0.9, "wider": 0.1, "same": 0.9}
    arms = {"winner": found.winner, **found.changed}
    results = {
        name: [(predictions(arm, shares[name]), {}) for arm in of_fold]
        for name, of_fold in arms.items()
    }
    return found.judge(results)


def notes(run, folds):
    return "\n".join(judged(run, folds).figures["winner"]["notes"])


def test_what_figures_of_one_and_of_several_folds_cannot_say_is_said(run):
    one, several, other = notes(run, [0]), notes(run, None), notes(run, [2])
    assert "fold 0 alone: raysearch evaluate" in one
    assert "--nested searches in the others, too; --folds all trains" in one
    assert "settings saw these speakers" not in one
    assert "alone" not in several
    assert "settings saw these speakers: chosen on one fold" in several
    assert "may gain by it above its changes" in several
    assert "settings saw these speakers: chosen on one fold" in other
    search_nested(run)
    assert "saw these speakers" not in notes(run, None)
    assert "fold 2 alone: --folds all takes every fold" in notes(run, [2])
    assert "final model" not in notes(run, None)


def test_speakers_of_all_folds_are_compared_together(tmp_path):
    run = searched_run(tmp_path, num_folds=10)
    found = judged(run)
    assert found.compared.keys() == {"wider"}  # the winner's own settings are no comparison
    compared = found.compared["wider"].comparison
    assert compared.num_speakers == 10
    assert compared.difference < -0.5
    assert compared.verdict == "worse"
    assert found.figures["winner"]["folds"] == 10
    assert found.figures["same"]["ua"] == found.figures["winner"]["ua"]
    assert found.figures["winner"]["ua"]["interval"] is not None
    assert any(n.startswith("settings saw") for n in found.figures["wider"]["notes"])


def test_one_fold_cannot_be_tested(run):
    found = judged(run, [0])
    assert found.compared["wider"].comparison.verdict == "cannot be tested"
    assert found.figures["wider"]["fold"] == 0


def test_a_change_to_votes_is_refused_where_there_are_none(run):
    with pytest.raises(
        ConfigError, match=r"training\.targets is by votes, and no recording of man"
    ):
        planned(run, votes={"training.targets": "distribution"})


def test_a_fold_that_is_not_there_is_refused(run):
    assert folds_of(planned(run, [3, 1, 3]).winner) == [1, 3]
    with pytest.raises(UserError, match=r"--folds 4: no such fold .*: it has 0, 1, 2, 3"):
        planned(run, [0, 4])


def test_the_paper_protocol_has_the_searched_fold_alone(tmp_path):
    run = searched_run(tmp_path, **{"protocol.name": "paper", "protocol.folds": "default"})
    assert folds_of(planned(run).winner) == [0]
    assert folds_asked(run, "all") == [0], "so that its final model is what is scored"


def test_a_nested_run_has_a_winner_of_its_own_in_each_fold(run):
    before = planned(run, wider=WIDER)
    search_nested(run, **WIDER)
    found = planned(run, wider=WIDER)
    assert [arm.identity for arm in found.winner] == ["t0", "t1", "t2", "t3"]
    assert all(arm.searched for arm in found.winner)
    assert [arm.config.model.width for arm in found.winner][-1] == 48
    # What the last fold's winner has already changes nothing there.
    assert found.changed["wider"][3] is found.winner[3]
    assert [arm.identity for arm in found.changed["wider"][:3]] == [
        arm.identity for arm in before.changed["wider"][:3]
    ]
    assert found.outlay().trainings == 2 * NUM_FOLDS + NUM_SEEDS * (NUM_FOLDS - 1)
    assert judged(run).figures["wider"]["nested"] == NUM_FOLDS
    assert len(winner_configs(run, None)) == NUM_FOLDS
    assert [c.model.width for c in winner_configs(run, [3])] == [48]
    with pytest.raises(UserError, match=r"--folds 4: no such fold .*: it has 0, 1, 2, 3"):
        winner_configs(run, [4])


def test_what_is_scored_in_several_folds_is_what_an_evaluation_scores(run):
    assert [arm.method for arm in scored_arms(run, [0], RunSplits(run, run.root))] == ["single"]
    reused = scored_arms(run, None, RunSplits(run, run.root))
    assert [arm.folder.name for arm in reused] == ["refits", "fold-1", "fold-2", "fold-3"]
    search_nested(run)
    nested = scored_arms(run, None, RunSplits(run, run.root))
    assert [arm.folder.parent.name for arm in nested] == ["run", "fold-1", "fold-2", "fold-3"]


def test_a_fold_whose_search_is_not_over_is_told(run):
    search_nested(run)
    (run.nested(2).root / "final.json").unlink()
    with pytest.raises(UserError, match="no finished search inside fold 2"):
        planned(run)


def test_figures_answer_the_same_folds_of_the_same_winners_alone(run):
    found = winners_of(run, planned(run, [0, 1]).winner, [0, 1])
    assert is_answer(run, found, [0, 1])
    assert not is_answer(run, found, None)
    assert not is_answer(run, {"trial": "t0"}, [0])  # an earlier version's
    every = winners_of(run, planned(run).winner, None)
    assert is_answer(run, every, None)
    assert not is_answer(run, {**every, "winners": {"0": "another"}}, None)
    search_nested(run)
    assert not is_answer(run, every, None)
    assert is_answer(run, winners_of(run, planned(run).winner, None), None)


def test_folds_are_those_that_were_searched_unless_they_are_named(run):
    assert folds_asked(run, None) == [0]
    assert folds_asked(run, "all") is None
    search_nested(run)
    assert folds_asked(run, None) is None
    assert folds_asked(run, "2, 0,2") == [0, 2]


@pytest.mark.parametrize("text", ["", "some", "1,", "-1", "1.5", "²"])
def test_what_is_no_fold_is_refused(run, text):
    with pytest.raises(UserError, match="write all, or numbers such as 0,2"):
        folds_asked(run, text)


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.2, "1 s"), (89, "89 s"), (600, "10 min"), (7200, "2.0 h")]
)
def test_a_length_of_time_is_rounded_to_what_matters(seconds, words):
    assert in_words(seconds) == words


@pytest.mark.parametrize(
    ("folds", "words"),
    [([3], "fold 3"), ([0, 1, 2], "folds 0 to 2"), ([0, 2], "folds 0, 2")],
)
def test_folds_are_told_in_words(folds, words):
    assert folds_shown(folds) == words
    assert folds_shown(map(str, folds)) == words
