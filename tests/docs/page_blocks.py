"""What a page of docs/ holds for a test: its fenced blocks, read by markdown-it.

The first word of a fence is its language, for whoever reads the page; the words after it say what
the test does:

- ``console``: each line that begins with ``$`` is run, and what follows it is what it prints;
- ``console ray``: the same, and it starts Ray;
- ``console parse``: nothing is run; the options of each command must exist;
- ``python``: run as a program of its own;
- ``LANGUAGE file=NAME``: written to that file;
- anything else: only shown.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt

__all__ = ["DOCS", "Block", "Command", "Page", "pattern_of"]

DOCS = Path(__file__).parents[2] / "docs"

_NUMBER = r"[-+]?\d[\d,]*(?:\.\d+)?(?:e[-+]?\d+)?"
_ANY_LINES = r"(?:[^\n]*\n)*?"


@dataclass(frozen=True)
class Command:
    """A command of a ``console`` block, and what the page says that it prints."""

    line: int
    text: str
    output: str


@dataclass(frozen=True)
class Block:
    """A fenced block: its first line in the page, the words of its fence, what is inside."""

    line: int
    words: tuple[str, ...]
    text: str

    @property
    def file(self) -> str | None:
        """The file that it is written to."""
        names = [word.removeprefix("file=") for word in self.words if word.startswith("file=")]
        return names[0] if names else None

    @property
    def commands(self) -> list[Command]:
        """Its commands, each with the output that is shown below it."""
        found: list[Command] = []
        for number, line in enumerate(self.text.splitlines(), start=self.line + 1):
            if line.startswith("$ "):
                found.append(Command(number, line.removeprefix("$ "), ""))
            elif found and found[-1].text.endswith("\\") and not found[-1].output:
                found[-1] = Command(found[-1].line, f"{found[-1].text}\n{line}", "")
            else:
                assert found, f"line {number}: {line!r} comes before any command"
                last = found[-1]
                found[-1] = Command(last.line, last.text, f"{last.output}{line}\n")
        return found


@dataclass(frozen=True)
class Page:
    """A page of docs/."""

    path: Path

    @property
    def blocks(self) -> list[Block]:
        """Its fenced blocks, in order."""
        tokens = MarkdownIt().parse(self.path.read_text(encoding="utf-8"))
        fences = [token for token in tokens if token.type == "fence"]
        return [Block(t.map[0] + 1, tuple(t.info.split()), t.content) for t in fences]

    @property
    def starts_ray(self) -> bool:
        """Whether one of its commands does."""
        return any("ray" in block.words[1:] for block in self.blocks)

    @property
    def goes_on_from(self) -> "Page | None":
        """The page whose results it takes up, named in a comment at its top."""
        found = re.match(r"<!-- goes on from (\S+) -->", self.path.read_text(encoding="utf-8"))
        return Page(DOCS / found[1]) if found else None


def pattern_of(shown: str) -> re.Pattern[str]:
    """What output must look like to be the one that is shown.

    A number stands for any number and space for any space; a line ``...`` for any lines, and
    ``...`` in a line for anything there.
    """
    return re.compile("".join(_line_pattern(line) for line in shown.strip().splitlines()))


def _line_pattern(line: str) -> str:
    if line.strip() == "...":
        return _ANY_LINES
    parts = re.split(rf"(\.\.\.|\s+|{_NUMBER})", line.strip())
    return r"\s*?" + "".join(_part_pattern(part) for part in parts) + r"[^\S\n]*\n"


def _part_pattern(part: str) -> str:
    if part == "...":
        return r"[^\n]*?"
    if part and part.isspace():
        return r"[^\S\n]+"
    return _NUMBER if re.fullmatch(_NUMBER, part) else re.escape(part)
