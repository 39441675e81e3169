"""Has a process note which functions of a package it calls, and which of them handle what.

``begin`` goes first in a process. A module of the package that is imported later is changed on its
way in: each of its functions begins with a call of ``note_call``, what it returns or yields goes
through ``note_result``, and each of its dataclasses tells when it is made. All else runs as fast as
ever, and it does not matter in whose thread a function is called: a profiler would see neither the
threads that C++ starts nor those that were there before it, and would make each import several
times slower.
"""

import ast
import functools
import os
import sys
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import is_dataclass
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType
from typing import TypeVar

__all__ = ["FOLDER", "SUFFIX", "begin", "note_call", "note_made", "note_result"]

FOLDER = "RAYSEARCH_CALL_TRACE"
"""The environment variable that names the folder of the files."""

SUFFIX = ".calls"
"""What the files' names end with; a process has one of its own."""

Made = TypeVar("Made")
Result = TypeVar("Result")
Definition = ast.FunctionDef | ast.AsyncFunctionDef
Out = TypeVar("Out", ast.Return, ast.Yield)


_goods: frozenset[str] = frozenset()
_owners: dict[CodeType, tuple[str, str]] = {}


def begin(package: str, goods: Iterable[str] = ()) -> None:
    """Note what the modules of ``package`` do that are imported from now on.

    Args:
        package: the name of it.
        goods: names of classes of it. A function that is given an object of one, alone or as a
            value of a mapping, or returns it, or is returned it, is noted as one that handles it.
    """
    global _goods
    _goods = frozenset(goods)
    sys.meta_path.insert(0, _Finder(package))


def note_call(owner: str, function: str) -> None:
    """Note that a function is called.

    Args:
        owner: the dotted name of the class that the function is written in; empty for no method.
        function: its dotted name.
    """
    frame = sys._getframe(1)
    _owners[frame.f_code] = owner, function
    _write(owner, function, handles=any(map(_is_good, frame.f_locals.values())))


def note_result(result: Result) -> Result:
    """Return what a function returns; if that is one of the goods, note who handles it."""
    if _is_good(result):
        frame = sys._getframe(1)
        for one in (frame, frame.f_back):
            if one is not None and one.f_code in _owners:
                _write(*_owners[one.f_code], handles=True)
    return result


def _is_good(value: object) -> bool:
    several = value.values() if isinstance(value, dict) else (value,)
    return any(type(one).__name__ in _goods for one in several)


def _write(owner: str, function: str, *, handles: bool) -> None:
    """Write a line: time, thread, class, function, and whether it handles one of the goods."""
    in_main = threading.current_thread() is threading.main_thread()
    words = (
        f"{time.time():.6f}",
        "main" if in_main else "other",
        owner,
        function,
        "handles" if handles else "",
    )
    os.write(_file(os.getpid()), ("\t".join(words) + "\n").encode())


def note_made(kind: type[Made]) -> type[Made]:
    """Return a class as it is; a dataclass notes from now on when it is made."""
    made = vars(kind).get("__init__")
    if not is_dataclass(kind) or made is None or made.__code__.co_filename != "<string>":
        return kind
    owner = f"{kind.__module__}.{kind.__qualname__}"

    @functools.wraps(made)
    def noted(self: Made, *args: object, **kwargs: object) -> None:
        _write(owner, f"{owner}.__init__", handles=kind.__name__ in _goods)
        made(self, *args, **kwargs)

    kind.__init__ = noted  # type: ignore[method-assign]
    return kind


@functools.cache
def _file(pid: int) -> int:
    """Open the file of this process; one that was forked has its own."""
    path = Path(os.environ[FOLDER]) / f"{pid}{SUFFIX}"
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)


class _Finder(MetaPathFinder):
    """Finds the package's modules where they lie, and has them changed."""

    def __init__(self, package: str) -> None:
        self._package = package

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname.partition(".")[0] != self._package:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and isinstance(spec.loader, SourceFileLoader):
            spec.loader = _Loader(fullname, str(spec.loader.path))
        return spec


class _Loader(SourceFileLoader):
    """Compiles a module's source, with the calls in it, and keeps no bytecode of that."""

    def get_code(self, fullname: str) -> CodeType:
        path = self.get_filename(fullname)
        tree = _Changed(fullname).visit(ast.parse(self.get_data(path), path))
        code: CodeType = compile(ast.fix_missing_locations(tree), path, "exec", dont_inherit=True)
        return code


class _Changed(ast.NodeTransformer):
    """A module's tree, whose functions and dataclasses tell of themselves."""

    def __init__(self, module: str) -> None:
        self._names = [module]
        self._in_class = [False]

    def visit_Module(self, node: ast.Module) -> ast.Module:
        self.generic_visit(node)
        told = (note_call, note_made, note_result)
        imported = [ast.alias(one.__name__, _own(one.__name__)) for one in told]
        index = _num_first(node.body)
        node.body.insert(index, ast.ImportFrom(__name__, imported, level=0))
        return node

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.ClassDef:
        self._inside(node, is_class=True)
        node.decorator_list.insert(0, ast.Name(_own(note_made.__name__), ast.Load()))
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        self._told(node)
        return node

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AsyncFunctionDef:
        self._told(node)
        return node

    def visit_Return(self, node: ast.Return) -> ast.Return:
        return self._with_result(node)

    def visit_Yield(self, node: ast.Yield) -> ast.Yield:
        return self._with_result(node)

    def _with_result(self, node: Out) -> Out:
        self.generic_visit(node)
        if node.value is not None:
            node.value = ast.Call(
                ast.Name(_own(note_result.__name__), ast.Load()), [node.value], []
            )
        return node

    def _told(self, node: Definition) -> None:
        owner = ".".join(self._names) if self._in_class[-1] else ""
        names = [ast.Constant(owner), ast.Constant(".".join([*self._names, node.name]))]
        call = ast.Call(ast.Name(_own(note_call.__name__), ast.Load()), names, [])
        self._inside(node, is_class=False)
        node.body.insert(_num_first(node.body), ast.Expr(call))

    def _inside(self, node: Definition | ast.ClassDef, *, is_class: bool) -> None:
        self._names.append(node.name)
        self._in_class.append(is_class)
        self.generic_visit(node)
        self._names.pop()
        self._in_class.pop()


def _own(name: str) -> str:
    """What a name is called in a changed module, where it must not meet another."""
    return f"_traced_{name}"


def _num_first(body: Sequence[ast.stmt]) -> int:
    """How many statements must stay first: the docstring, and imports from __future__."""
    count = 0
    for node in body:
        is_docstring = (
            count == 0
            and isinstance(node, ast.Expr)
            and isinstance(node.value, ast.Constant)
            and isinstance(node.value.value, str)
        )
        if not is_docstring and getattr(node, "module", None) != "__future__":
            break
        count += 1
    return count
