"""The questions of ``questions.yaml``, read and checked, and their commands."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from string import Formatter
from typing import Any

import yaml

__all__ = [
    "CORPORA",
    "KINDS",
    "NEEDS",
    "SOLVED_ONCE",
    "Budget",
    "Paper",
    "Question",
    "Search",
    "load",
]

FILE = Path(__file__).parent / "questions.yaml"
KINDS = {"experiment": "experiment", "open": "left open", "next": "next check"}
SOLVED_ONCE = "svm"  # it has no epochs
# What a search may need that does not come with raysearch, and what --NAME of the script is given.
NEEDS = {
    "imagenet": ("ImageNet's ResNet34 weights", "model.weights"),
    "encoder": ("a speech encoder's weights", "features.ssl.weights"),
    "hubert": ("HuBERT's weights", "features.ssl.weights"),
}


@dataclass(frozen=True)
class CorpusData:
    """A corpus that the questions are asked of.

    Attributes:
        title: as tables call it.
        option: what ``--corpus`` and ``--target`` take.
        shown: the path that the page shows for its data.
        num_folds: outer folds.
    """

    title: str
    option: str
    shown: str
    num_folds: int = 5


CORPORA = {
    "emodb": CorpusData("EMO-DB", "emodb", "EMO-DB/"),
    "nemo": CorpusData("nEMO", "manifest", "nEMO/manifest.csv"),
}


@dataclass(frozen=True)
class Budget:
    """How much each search and each experiment may take.

    Attributes:
        trials: of a search, in each fold.
        epochs: of a whole trial, and so of what is trained of a winner; also the most of the
            published epochs.
    """

    trials: int = 8
    epochs: int = 20

    def __str__(self) -> str:
        return f"{self.trials}x{self.epochs}"


@dataclass(frozen=True)
class Search:
    """A search whose winner is asked about; ``needs`` is a file that does not come with it."""

    name: str
    space: str
    settings: tuple[str, ...] = ()
    needs: str | None = None

    def words(self, budget: Budget) -> list[str]:
        """The options of ``raysearch run`` that say what is searched, and for how long."""
        words = ["--space", self.space, "--seed", "0"]
        words += ["--trials", str(budget.trials), "--final", "single"]
        if self.space != SOLVED_ONCE:
            words += ["--max-epochs", str(budget.epochs)]
        # The system itself, without a partner.
        settings = ["search.fusion=false", *self.settings]
        return [*words, *(word for one in settings for word in ("--set", one))]


@dataclass(frozen=True)
class Question:
    """One question.

    Attributes:
        id: its name, and that of its answer's file.
        kind: a key of ``KINDS``.
        asks: the question.
        command: of raysearch, with placeholders.
        corpora: that it can be asked of.
        why: none, if there is none.
    """

    id: str
    kind: str
    asks: str
    command: str
    corpora: tuple[str, ...] = tuple(CORPORA)
    why: str = ""

    @property
    def verb(self) -> str:
        """The verb that answers it."""
        return self.command.split()[0]

    @property
    def placeholders(self) -> list[str]:
        """What the command leaves open, in order."""
        return [name for _, name, _, _ in Formatter().parse(self.command) if name]

    def words(self, values: Mapping[str, str]) -> list[str]:
        """The command with ``values`` in its places; one of several words is quoted as such."""
        return shlex.split(self.command.format_map(values))


@dataclass(frozen=True)
class Paper:
    """A paper and what is asked of its system."""

    system: str
    arxiv: str
    questions: tuple[Question, ...]


@dataclass(frozen=True)
class Questions:
    """All of the file."""

    searches: Mapping[str, Search]
    papers: tuple[Paper, ...]
    by_id: Mapping[str, Question] = field(default_factory=dict)

    def searches_of(self, question: Question) -> list[Search]:
        """Whose winners it asks about."""
        return [self.searches[name] for name in question.placeholders if name in self.searches]

    def needs_of(self, question: Question) -> list[str]:
        """Which files it takes that do not come with raysearch."""
        named = [name for name in question.placeholders if name in NEEDS]
        ofs = [search.needs for search in self.searches_of(question) if search.needs]
        return list(dict.fromkeys([*named, *ofs]))


def load(path: Path = FILE) -> Questions:
    """Read the file; raises ValueError for a question that could not be asked."""
    found = yaml.safe_load(path.read_text(encoding="utf-8"))
    searches = {name: _search(name, one) for name, one in found["searches"].items()}
    papers = tuple(
        Paper(one["system"], str(one["arxiv"]), tuple(map(_question, one["questions"])))
        for one in found["papers"]
    )
    every = [question for paper in papers for question in paper.questions]
    by_id = {question.id: question for question in every}
    if len(by_id) < len(every):
        raise ValueError(f"{path}: two questions have one id")
    return Questions(searches, papers, by_id)


def _search(name: str, found: Mapping[str, Any]) -> Search:
    needs = found.get("needs")
    if needs is not None and needs not in NEEDS:
        raise ValueError(f"search {name}: needs {needs!r}, which is none of {', '.join(NEEDS)}")
    return Search(name, found["space"], tuple(found.get("set", ())), needs)


def _question(found: Mapping[str, Any]) -> Question:
    question = Question(**{**found, "corpora": tuple(found.get("corpora", CORPORA))})
    if question.kind not in KINDS:
        raise ValueError(f"{question.id}: kind {question.kind!r} is none of {', '.join(KINDS)}")
    if not question.corpora and not question.why:
        raise ValueError(f"{question.id}: of no corpus, and no word why")
    return question
