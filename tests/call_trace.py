"""Notes every call of a function of raysearch in this process, by time, in a file of its own."""

import inspect
import os
import sys
import threading
import time
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

__all__ = ["FOLDER", "begin"]

FOLDER = "RAYSEARCH_CALL_TRACE"
"""The environment variable that names the folder of the files."""

PACKAGE = "raysearch"


def begin() -> None:
    """Note calls from now on, in threads to come as well; each line is time, class, module, name.

    The class is the one that defines a method; a function has none. What a dataclass does when it
    is made counts as a method of it.
    """
    path = Path(os.environ[FOLDER]) / f"{os.getpid()}.calls"
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    ours: dict[CodeType, bool] = {}

    def note(frame: FrameType, event: str, arg: Any) -> None:
        code = frame.f_code
        if event != "call" or ours.get(code) is False:
            return
        made = code.co_filename == "<string>" and code.co_name == "__init__"
        module = frame.f_globals.get("__name__") or ""
        if not made and code not in ours:
            inside = module == PACKAGE or module.startswith(f"{PACKAGE}.")
            function = bool(code.co_flags & inspect.CO_OPTIMIZED)  # not the body of a class
            ours[code] = inside and function and not code.co_name.startswith("<")
            if not ours[code]:
                return
        owner = _owner(frame)
        if owner or not made:
            module = owner.__module__ if owner and made else module
            name = f"{owner.__qualname__}.__init__" if owner and made else code.co_qualname
            shown = f"{owner.__module__}.{owner.__qualname__}" if owner else ""
            os.write(file, f"{time.time():.6f}\t{shown}\t{module}\t{name}\n".encode())

    threading.setprofile(note)
    sys.setprofile(note)


def _owner(frame: FrameType) -> type | None:
    """The class of raysearch that defines the method which ``frame`` runs."""
    code = frame.f_code
    if not code.co_argcount or code.co_varnames[0] not in ("self", "cls"):
        return None
    first = frame.f_locals.get(code.co_varnames[0])
    kind = first if isinstance(first, type) else type(first)
    for one in kind.__mro__:
        if code.co_name in vars(one) and one.__module__.startswith(f"{PACKAGE}."):
            return one
    return None
