"""docs/questions.md: every question with its command, and what each corpus answered."""

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from question_cost import search_s, seconds_of
from question_table import CORPORA, KINDS, NEEDS, Budget, Paper, Question, Questions, Search

from raysearch.evaluation.markdown import markdown_table, percent
from raysearch.files import write_text

__all__ = ["ANSWERS", "PAGE", "page", "write_page"]

PROJECT = Path(__file__).parents[2]
ANSWERS = PROJECT / "results" / "reference" / "questions"
PAGE = PROJECT / "docs" / "questions.md"

WIDTH = 94
PLAIN = Budget()
# Question's id to its answer's JSON.
Answers = Mapping[str, Mapping[str, Any]]

HEAD = """# What the papers leave open

Four papers end with experiments that somebody should make. This page has each of them as one
command: what a published system uses without a word of what it is worth (*experiment*), what its
paper leaves open (*left open*), and what it says comes next (*next check*). What was measured here
stands below the command, of EMO-DB (a copy cut or padded to 2.0 s, ten speakers) and of a part of
nEMO (nine speakers): never figures of the whole corpora.

An answer holds for these speakers. A cell says the UA of all folds together (of `reproduce` what
the paper prints, where it prints something), with its 95% interval where there are speakers enough;
then the difference in points, with its 90% interval, and what may be said of it: *better*, *worse*,
a *tie* (within 2 points), *not distinguished*, or *cannot be tested*, which marks what so few
speakers cannot answer. All that was asked of one winner's parts is corrected together (Holm). No
setting was chosen by these figures.

`python tests/benchmarks/questions.py --corpus emodb --data EMO-DB/` asks what has no answer yet,
goes on where it was interrupted, and writes this page; `--dry-run` says the commands and what they
take.
"""

SEARCHES = """## The winners that are asked

A search of {trials} trials of at most {epochs} epochs, in every outer fold, whose winner is trained
with three seeds; only training speakers of that fold choose it. No network has a partner, so that
a figure is the system's own. Where a question is about a part, the
search fixes it, so that every winner has it. For nEMO write
`--corpus manifest --data nEMO/manifest.csv`.
"""


def write_page(questions: Questions) -> None:
    """Write it, of all answers that there are."""
    write_text(PAGE, page(questions, {name: _answers(name) for name in CORPORA}))


def page(questions: Questions, answers: Mapping[str, Answers]) -> str:
    """The page's Markdown.

    Args:
        questions: all of them.
        answers: corpus to answers.
    """
    lines = [HEAD, *_searches(questions, answers)]
    for paper in questions.papers:
        lines += _paper(questions, paper, answers)
    return "\n".join(lines).rstrip() + "\n"


def _answers(corpus: str) -> Answers:
    found = (json.loads(path.read_text()) for path in sorted((ANSWERS / corpus).glob("*.json")))
    return {answer["id"]: answer for answer in found}


def _searches(questions: Questions, answers: Mapping[str, Answers]) -> list[str]:
    budgets = [one["budget"] for of in answers.values() for one in of.values()]
    trials, epochs = (_span(budgets, key, plain) for key, plain in asdict(PLAIN).items())
    commands = [shlex.join(["raysearch", *_search(one)]) for one in questions.searches.values()]
    evaluated = f"raysearch evaluate results/{next(iter(questions.searches))} --nested"
    every = (search_s(one, "emodb", PLAIN) for one in questions.searches.values())
    cost = f"All of them take at most {sum(every) / 3600:.0f} h of two cores"
    return [
        SEARCHES.format(trials=trials, epochs=epochs),
        *_console([_folded(one) for one in (*commands, evaluated)]),
        "",
        "`evaluate --nested` is given of each, and repeats the search inside the other folds.",
        f"{cost}, by the epochs that the reference tables recorded.",
        "",
    ]


def _span(budgets: Sequence[Mapping[str, int]], key: str, plain: int) -> str:
    return " or ".join(map(str, sorted({one[key] for one in budgets} or {plain})))


def _search(search: Search) -> list[str]:
    """How the page has the search of a winner, on EMO-DB."""
    data = CORPORA["emodb"]
    words = ["run", "--name", search.name, "--corpus", data.option, "--data", data.shown]
    words += search.words(PLAIN)
    if search.needs:
        words += ["--set", f"{NEEDS[search.needs][1]}={search.needs.upper()}"]
    return words


def _paper(questions: Questions, paper: Paper, answers: Mapping[str, Answers]) -> list[str]:
    lines = [f"## {paper.system} (arXiv {paper.arxiv})", ""]
    for question in paper.questions:
        command = shlex.join(["raysearch", *shown_words(questions, question)])
        lines += [
            f"### `{question.id}`",
            "",
            f"*{KINDS[question.kind]}*: {question.asks}",
            "",
            *_console([_folded(command)]),
            "",
            *_answered(questions, question, answers),
            "",
        ]
    return lines


def shown_words(questions: Questions, question: Question) -> list[str]:
    """The command as the page has it, of EMO-DB."""
    data = CORPORA["emodb"]
    places = {name: f"results/{name}" for name in questions.searches}
    places |= {name: name.upper() for name in NEEDS}
    places["data"] = f"--corpus {data.option} --data {data.shown}"
    places["other"] = f"{CORPORA['nemo'].option}={CORPORA['nemo'].shown}"
    places |= {"new": question.id, "epochs": str(PLAIN.epochs)}
    return question.words(places)


def _console(commands: Sequence[str]) -> list[str]:
    return ["```console parse", *(f"$ {command}" for command in commands), "```"]


def _folded(command: str) -> str:
    """In lines that a page is wide enough for, each option beside its value."""
    lines = [""]
    for part in command.split(" --"):
        part = f" --{part}" if lines != [""] else part
        if len(lines[-1]) + len(part) > WIDTH:
            lines.append("   ")
        lines[-1] += part
    return " \\\n".join(lines)


def _answered(
    questions: Questions, question: Question, answers: Mapping[str, Answers]
) -> list[str]:
    if not question.corpora:
        return [f"Cannot be asked here: {question.why}."]
    found = {name: answers[name].get(question.id) for name in question.corpora}
    if not any(found.values()):
        needs = [NEEDS[need][0] for need in questions.needs_of(question)]
        why = f"; it needs {needs[0]}" if needs else ""
        return [f"Not measured here yet{why}. It takes {_cost(questions, question)}."]
    cells = {name: {row["name"]: row for row in one["rows"]} for name, one in found.items() if one}
    names = list(dict.fromkeys(row for of in cells.values() for row in of))
    header = ["", *(CORPORA[name].title for name in question.corpora)]
    rows = [
        [row, *(cell(cells[n].get(row)) if n in cells else "" for n in question.corpora)]
        for row in names
    ]
    told = [_told(name, one, question) for name, one in found.items()]
    return [*markdown_table(header, rows), "", *told]


def _cost(questions: Questions, question: Question) -> str:
    """What it takes at the plain budget, of EMO-DB."""
    minutes = max(1, round(seconds_of(question, questions, "emodb", PLAIN) / 60))
    winners = ", with its winner there" if questions.searches_of(question) else ""
    return f"about {minutes} min of two cores{winners}"


def _told(name: str, answer: Mapping[str, Any] | None, question: Question) -> str:
    title = CORPORA[name].title
    if answer is None:
        return f"- {title}: not measured here yet."
    budget, minutes = answer["budget"], max(1, round(answer["wall_s"] / 60))
    words = (
        f"- {title}: {budget['trials']} trials a fold of at most {budget['epochs']} epochs, commit "
    )
    words += f"{answer['commit']}, {minutes} min"
    if answer["has_table"]:
        words += f"; [its whole table](../results/reference/questions/{name}/{question.id}.md)"
    return f"{words}."


def cell(row: Mapping[str, Any] | None) -> str:
    """One figure: its value, its difference, and what may be said of it."""
    if row is None:
        return ""
    parts = []
    if row["value"] is not None:
        parts.append(percent(row["value"]) + _bounds(row["interval"], "{:.1f}"))
    if row["difference"] is not None:
        gap = row["gap"][:2] if row["gap"] else None
        parts.append(f"{100 * row['difference']:+.1f}" + _bounds(gap, "{:+.1f}"))
    if row["verdict"]:
        why = f" ({row['why']})" if row["why"] else ""
        parts.append(f"**{row['verdict']}**{why}")
    return "; ".join(parts) or "-"


def _bounds(bounds: Sequence[float] | None, form: str) -> str:
    if bounds is None:
        return ""
    low, high = (form.format(100 * one) for one in bounds)
    return f" [{low}, {high}]"
