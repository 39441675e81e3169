"""CONTRIBUTING.md is true: its files and names are there, its floors are the import contract's."""

import ast
import re
import tomllib
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "CONTRIBUTING.md"
TEXT = PAGE.read_text(encoding="utf-8")
TOP = {path.name for path in ROOT.iterdir()}
# A name, and in brackets the file that defines it.
DEFINED = re.findall(r"`(\w+)`s?(?:,[^,`()]*,)? \(`([\w/]+\.py)`\)", TEXT.replace("\n", " "))
PATHS = sorted({*re.findall(r"`([\w./]+(?:/|\.\w+))`", TEXT), *re.findall(r"\]\(([^)]+)\)", TEXT)})

# Above the line, and still they never import Ray.
WITHOUT_RAY = {"raysearch.reporting", "raysearch.tracking", "raysearch.inference"}


def place(path):
    beside = path.split("/")[0] in TOP
    return ROOT / path if beside else ROOT / "raysearch" / path


def contracts():
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    return {one["type"]: one for one in tomllib.loads(text)["tool"]["importlinter"]["contracts"]}


def picture():
    """The drawing's rows above the line, and those below it: the modules of each."""
    tokens = MarkdownIt().parse(TEXT)
    (drawing,) = [token.content for token in tokens if token.info == "floors"]
    rows = [re.split(r" {3,}", line.strip())[0].split() for line in drawing.splitlines()]
    (line,) = [number for number, row in enumerate(rows) if row[0].startswith("---")]
    return rows[:line], rows[line + 1 :]


def named(rows):
    return [f"raysearch.{name}" for row in rows for name in row]


def test_the_floors_are_those_of_the_contract():
    above, below = picture()
    assert named(above + below) == contracts()["layers"]["layers"]


def test_below_the_line_nothing_imports_ray():
    above, below = picture()
    without_ray = set(contracts()["forbidden"]["source_modules"])
    assert without_ray - set(named(below)) == WITHOUT_RAY
    assert not without_ray & set(named(above)) - WITHOUT_RAY
    assert set(named(below)) <= without_ray


@pytest.mark.parametrize("path", PATHS)
def test_what_it_names_is_there(path):
    assert place(path).exists()


@pytest.mark.parametrize(("name", "path"), DEFINED)
def test_what_a_file_is_said_to_define_is_defined_there(name, path):
    tree = ast.parse(place(path).read_text(encoding="utf-8"))
    kinds = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    assert name in {node.name for node in ast.walk(tree) if isinstance(node, kinds)}


def test_it_is_one_page():
    assert len(TEXT.splitlines()) <= 150
    assert len(PATHS) > 50
    assert len(DEFINED) > 15


def test_every_make_target_it_names_is_one():
    targets = re.findall(r"^(\w[\w-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert set(re.findall(r"\bmake (\w[\w-]*)", TEXT)) <= set(targets)
