"""What a question takes, by the epochs that the reference tables recorded on two cores."""

import json
from pathlib import Path

from question_answers import arguments_of
from question_table import CORPORA, SOLVED_ONCE, Budget, Question, Questions, Search

REFERENCE = Path(__file__).parents[2] / "results" / "reference"
SEEDS = 3  # of every experiment on a winner
# Of four arms that learn and one more at the winner's epochs, and of a leak study.
ARMS = {"reproduce": 5, "leak-study": 4}
START_S = 15  # of Ray, and of reading the corpus
SCORING_S = 300  # of all levels of noise: features mostly


def search_s(search: Search, corpus: str, budget: Budget) -> float:
    """At most, of a search in each fold and its winner's seeds: rules end most trials early."""
    trained = budget.trials + SEEDS  # the winner with its seeds, which experiments share
    return START_S + trained * CORPORA[corpus].num_folds * _training_s(search.space, corpus, budget)


def seconds_of(question: Question, questions: Questions, corpus: str, budget: Budget) -> float:
    """Of a question whose winners are there."""
    winners = [search.space for search in questions.searches_of(question)]
    space = winners[0] if winners else "cnn1d_attention"
    folds, each = CORPORA[corpus].num_folds, _training_s(space, corpus, budget)
    if question.verb in ARMS:
        return START_S + ARMS[question.verb] * folds * each
    return START_S + _changes(question) * SEEDS * folds * each + _scoring_s(question)


def _changes(question: Question) -> int:
    """How many settings are trained in each fold."""
    asked = arguments_of(question.command.split())
    if question.verb == "ablate":
        return len(asked.only.split(","))
    if question.verb == "sweep":
        number = 1
        for axis in asked.axes:
            number *= len(axis.split(","))
        return number
    return 0


def _scoring_s(question: Question) -> float:
    return SCORING_S if "--noise" in question.command else 0


def _training_s(space: str, corpus: str, budget: Budget) -> float:
    return _epoch_s(space, corpus) * (1 if space == SOLVED_ONCE else budget.epochs)


def _epoch_s(space: str, corpus: str) -> float:
    """Wall time of one of two slots' epochs, in the reference table's searches of the corpus.

    The table's of EMO-DB where it has no such row for the corpus.
    """
    for name in (corpus, "emodb"):
        path = REFERENCE / name / f"{space}.json"
        if path.exists():
            folds = json.loads(path.read_text())["folds"]
            epochs = sum(fold["num_epochs"] for fold in folds)
            return float(sum(fold["search_s"] for fold in folds) / epochs)
    raise ValueError(f"no row of {space} in results/reference/")
