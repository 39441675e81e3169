"""Every question that the four papers leave open, asked of one corpus by the commands of a user.

For each system a small search, repeated inside each outer fold; then each question's command, over
all folds. What each one finds becomes a JSON file in ``results/reference/questions/CORPUS``, and
``docs/questions.md`` is made of all that are there, so the hours may be spent in pieces:

    python tests/benchmarks/questions.py --corpus emodb --data EMO-DB/ --dry-run
    python tests/benchmarks/questions.py --corpus emodb --data EMO-DB/ --only emohrnet-noise
    python tests/benchmarks/questions.py --corpus nemo --data nEMO/manifest.csv --other EMO-DB/
    python tests/benchmarks/questions.py --table-only

A question that has an answer at the same budget is not asked again, and one that was interrupted
goes on where it stopped, by the same command.
"""

import argparse
import json
import shlex
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from question_answers import arguments_of, found_by
from question_cost import search_s, seconds_of
from question_table import CORPORA, NEEDS, Budget, Question, Questions, Search, load
from questions_text import ANSWERS, write_page

from raysearch.evaluation.stored_evaluations import stored_evaluations
from raysearch.files import write_json, write_text
from raysearch.run_folder import RunFolder

ENDED = ("finished", "core budget")
INTERRUPTED = 130


class CommandError(Exception):
    """A command of raysearch did not end well; what it said stands above."""


@dataclass(frozen=True)
class Asker:
    """Who asks one corpus.

    Attributes:
        questions: all of them.
        corpus: a key of ``CORPORA``.
        data: its path.
        other: the path of the other corpus, if it is there.
        files: what does not come with raysearch, by its name.
        budget: of searches and experiments.
        storage: where runs are kept.
    """

    questions: Questions
    corpus: str
    data: str
    other: str | None
    files: Mapping[str, str | None]
    budget: Budget
    storage: Path

    def lacking(self, question: Question) -> str | None:
        """Why the question cannot be asked here; None if it can."""
        if self.corpus not in question.corpora:
            return question.why or f"not a question to {CORPORA[self.corpus].title}"
        for need in self.questions.needs_of(question):
            if not self.files.get(need):
                return f"needs {NEEDS[need][0]}: --{need} FILE"
        if "other" in question.placeholders and not self.other:
            return "needs another corpus: --other PATH"
        return None

    def is_answered(self, question: Question) -> bool:
        """Whether there is an answer at this budget."""
        path = self.path(question)
        if not path.exists():
            return False
        return json.loads(path.read_text())["budget"] == asdict(self.budget)  # type: ignore[no-any-return]

    def path(self, question: Question) -> Path:
        """Where the answer lies."""
        return ANSWERS / self.corpus / f"{question.id}.json"

    def run(self, search: Search) -> RunFolder:
        """The run of a search."""
        return RunFolder(self.storage / f"{self.corpus}-{self.budget}-questions-{search.name}")

    def search_words(self, search: Search) -> list[str]:
        """The command that finds a winner."""
        words = ["run", "--corpus", CORPORA[self.corpus].option, "--data", self.data]
        words += ["--name", self.run(search).root.name, "--storage", str(self.storage)]
        words += search.words(self.budget)
        if search.needs:
            words += ["--set", f"{NEEDS[search.needs][1]}={self.files[search.needs]}"]
        return words

    def nested_words(self, search: Search) -> list[str]:
        """The command that repeats it inside each fold."""
        return ["evaluate", str(self.run(search).root), "--nested"]

    def words(self, question: Question) -> list[str]:
        """The question's command."""
        title = CORPORA[self.corpus]
        others = [one for name, one in CORPORA.items() if name != self.corpus]
        places = {name: str(self.run(one).root) for name, one in self.questions.searches.items()}
        places |= {name: path for name, path in self.files.items() if path}
        places["data"] = f"--corpus {title.option} --data {shlex.quote(self.data)}"
        places["other"] = shlex.quote(f"{others[0].option}={self.other}")
        places["new"] = f"{self.corpus}-{self.budget}-{question.id}"
        places["epochs"] = str(self.budget.epochs)
        words = question.words(places)
        if question.verb == "cross-corpus":  # a file, which is written where it is told
            words[words.index("--output") + 1] = str(self.storage / f"{places['new']}.json")
        if question.verb in ("cross-corpus", "reproduce", "leak-study"):
            words += ["--storage", str(self.storage)]
        return words

    def ask(self, question: Question) -> None:
        """Search for the winners that are missing, carry the command out, store what it found."""
        begun = time.monotonic()
        for search in self.questions.searches_of(question):
            self._search(search)
        words = self.words(question)
        printed = raysearch(words)
        self.store(question, words, printed, wall_s=round(time.monotonic() - begun))

    def store(self, question: Question, words: Sequence[str], printed: str, *, wall_s: int) -> None:
        """Write the answer that a command has left, and those that it has made anew."""
        answer = found_by(words, printed)
        self.path(question).parent.mkdir(parents=True, exist_ok=True)
        write_json(
            self.path(question),
            {
                "id": question.id,
                "corpus": self.corpus,
                "budget": asdict(self.budget),
                "commit": _commit(),
                "wall_s": wall_s,
                **answer.to_dict(),
            },
        )
        if answer.table:
            write_text(self.path(question).with_suffix(".md"), answer.table)
        if question.verb == "ablate":
            self._read_again(words)

    def _read_again(self, words: Sequence[str]) -> None:
        """Holm corrects over all parts of one winner, so each further one changes the others'."""
        run = arguments_of(words).run
        for other in self.questions.by_id.values():
            if other.verb != "ablate" or self.lacking(other) or not self.is_answered(other):
                continue
            theirs = self.words(other)
            if arguments_of(theirs).run == run:
                path = self.path(other)
                stored = json.loads(path.read_text())
                write_json(path, {**stored, **found_by(theirs, "").to_dict()})

    def _search(self, search: Search) -> None:
        run, words = self.run(search), self.search_words(search)
        sessions = run.info().get("sessions", []) if run.spec_file.exists() else []
        if not sessions or sessions[-1].get("outcome") not in ENDED:
            raysearch([*words, *(["--resume"] if run.spec_file.exists() else [])])
        if "nested" not in stored_evaluations(run):
            raysearch(self.nested_words(search))

    def plan(self, asked: Sequence[Question]) -> str:
        """What would be done, a command a line, and what it takes."""
        lines, searched, total = [], set(), 0.0
        for question in asked:
            if why := self.lacking(question):
                lines.append(f"# {question.id}: {why}")
                continue
            for search in self.questions.searches_of(question):
                if search.name not in searched:
                    searched.add(search.name)
                    took = search_s(search, self.corpus, self.budget)
                    total += took
                    lines += [_line(self.search_words(search), took)]
                    lines += [_line(self.nested_words(search), 0)]
            took = seconds_of(question, self.questions, self.corpus, self.budget)
            total += took
            lines.append(_line(self.words(question), took))
        lines.append(f"# at most {total / 3600:.1f} h of two cores, by recorded epochs")
        return "\n".join(lines)


def _line(words: Sequence[str], took: float) -> str:
    cost = f"  # {max(1, round(took / 60))} min" if took else ""
    return f"raysearch {shlex.join(words)}{cost}"


def raysearch(words: Sequence[str]) -> str:
    """The command line, as a user types it; what it prints, which is shown, too.

    Raises:
        CommandError: it did not end well.
        KeyboardInterrupt: it was interrupted.
    """
    print("+ raysearch", shlex.join(words), flush=True)
    command = [sys.executable, "-m", "raysearch", *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines = []
        for line in process.stdout:
            print(line, end="", flush=True)
            lines.append(line)
    if process.returncode == INTERRUPTED:
        raise KeyboardInterrupt
    if process.returncode:
        raise CommandError(f"raysearch {words[0]} ended with {process.returncode}")
    return "".join(lines)


def _commit() -> str:
    command = ["git", "rev-parse", "--short", "HEAD"]
    folder = Path(__file__).parent
    return subprocess.run(command, cwd=folder, capture_output=True, text=True).stdout.strip()


def main() -> None:
    """Ask what has no answer yet, and write the page of all that were ever given."""
    parser, questions = _parser(), load()
    arguments = parser.parse_args()
    if arguments.table_only:
        write_page(questions)
        return
    if not arguments.data:
        parser.error("--data: where is the corpus?")
    names = arguments.only.split(",") if arguments.only else list(questions.by_id)
    if unknown := [name for name in names if name not in questions.by_id]:
        parser.error(f"--only {','.join(unknown)}: no such question; see questions.yaml")
    asker = Asker(
        questions,
        arguments.corpus,
        arguments.data,
        arguments.other,
        {name: getattr(arguments, name) for name in NEEDS},
        Budget(arguments.trials, arguments.epochs),
        arguments.storage,
    )
    asked = [questions.by_id[name] for name in names]
    asked = [question for question in asked if not asker.is_answered(question)]
    if arguments.dry_run:
        print(asker.plan(asked))
    else:
        _ask_all(asker, asked)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--corpus", choices=sorted(CORPORA), default="emodb")
    parser.add_argument("--data", type=_absolute, help="its folder or manifest")
    parser.add_argument(
        "--other", type=_absolute, metavar="PATH", help="the other corpus, for cross-corpus"
    )
    for name, (what, _) in NEEDS.items():
        parser.add_argument(f"--{name}", type=_absolute, metavar="PATH", help=what)
    parser.add_argument("--only", metavar="ID,..", help="these questions (default: all)")
    parser.add_argument("--trials", type=int, default=Budget.trials, help="of each search")
    parser.add_argument("--epochs", type=int, default=Budget.epochs, help="of a whole trial")
    parser.add_argument("--storage", type=Path, default=Path("results"))
    parser.add_argument("--dry-run", action="store_true", help="print commands and cost")
    parser.add_argument("--table-only", action="store_true", help="write the page, ask nothing")
    return parser


def _absolute(path: str) -> str:
    return str(Path(path).expanduser().absolute())


def _ask_all(asker: Asker, asked: Sequence[Question]) -> None:
    """Ask one after the other; what fails is told at the end, for the others may have answers."""
    failed = []
    for question in asked:
        if why := asker.lacking(question):
            print(f"- {question.id}: {why}")
            continue
        try:
            asker.ask(question)
        except CommandError as error:
            failed.append(f"{question.id}: {error}")
        except KeyboardInterrupt:
            raise SystemExit("interrupted; the same command goes on") from None
        write_page(asker.questions)
    if failed:
        raise SystemExit("no answer:\n" + "\n".join(failed))


if __name__ == "__main__":
    main()
