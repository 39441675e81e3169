"""Counts what makes the house hard to carry on: ``python tests/structure.py [--trace]``.

Read from the sources of raysearch/, by their syntax trees:

- signatures with Any: of all functions, methods and nested functions, the share whose parameters or
  return value are annotated with something that holds ``Any``;
- ``dict[str, Any]``: how often that is written, quoted or not;
- imports inside functions: import statements below a ``def``, in all and in cli/.

With ``--trace`` also the classes on a trial's path and the functions on an epoch's, from a real
search on a local Ray (two minutes); ``traced_search.py`` says what is counted.
"""

import argparse
import ast
from collections.abc import Iterator
from pathlib import Path

__all__ = ["PACKAGE", "static_counts"]

PACKAGE = Path(__file__).parents[1] / "raysearch"

DICT = "dict[str, Any]"

Function = ast.FunctionDef | ast.AsyncFunctionDef


def static_counts(package: Path = PACKAGE) -> dict[str, float]:
    """What the sources tell, by name."""
    trees = {path: ast.parse(path.read_text(encoding="utf-8")) for path in package.rglob("*.py")}
    functions = [f for tree in trees.values() for f in _functions(tree)]
    with_any = sum(any(_holds_any(one) for one in _annotations(f)) for f in functions)
    inside = {path: _imports_inside(tree) for path, tree in trees.items()}
    in_cli = sum(count for path, count in inside.items() if path.parent == package / "cli")
    return {
        "files": len(trees),
        "functions": len(functions),
        "signatures with Any, %": round(100 * with_any / len(functions), 1),
        "dict[str, Any]": sum(_count_dicts(tree) for tree in trees.values()),
        "imports inside functions": sum(inside.values()),
        "imports inside functions of cli/": in_cli,
    }


def _functions(tree: ast.AST) -> Iterator[Function]:
    yield from (node for node in ast.walk(tree) if isinstance(node, Function))


def _annotations(function: Function) -> Iterator[ast.expr]:
    arguments = function.args
    every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    every += [one for one in (arguments.vararg, arguments.kwarg) if one]
    found = [*(one.annotation for one in every), function.returns]
    yield from (_unquoted(one) for one in found if one is not None)


def _unquoted(annotation: ast.expr) -> ast.expr:
    """What a quoted annotation quotes."""
    if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
        return ast.parse(annotation.value, mode="eval").body
    return annotation


def _holds_any(annotation: ast.expr) -> bool:
    return any(isinstance(node, ast.Name) and node.id == "Any" for node in ast.walk(annotation))


def _count_dicts(tree: ast.AST) -> int:
    count = 0
    for node in ast.walk(tree):
        if isinstance(node, ast.Subscript):
            named = isinstance(node.value, ast.Name) and node.value.id == "dict"
            count += named and ast.unparse(node) == DICT
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            count += node.value.count(DICT)
    return count


def _imports_inside(tree: ast.AST) -> int:
    inside = {
        node
        for function in _functions(tree)
        for node in ast.walk(function)
        if isinstance(node, ast.Import | ast.ImportFrom)
    }
    return len(inside)


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--trace", action="store_true", help="search, too, and list its path")
    counts, path = static_counts(), []
    if parser.parse_args().trace:
        from traced_search import traced_search

        trace = traced_search()
        counts, path = {**counts, **trace.counts()}, trace.lines()
    for name, count in counts.items():
        print(f"{name:<36} {count:>8g}")
    print(*path, sep="\n", end="\n" if path else "")


if __name__ == "__main__":
    main()
