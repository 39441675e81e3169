"""What of this machine a submitted search takes along: the package, the space, the user's modules.

Never the corpus, and nothing that only lies near: the folder is made for the one search.
"""

import importlib.util
import shutil
import site
import sys
import sysconfig
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import raysearch
from raysearch.errors import UserError
from raysearch.files import write_text
from raysearch.spec import SearchSpec

__all__ = ["SPACE", "pack"]

SPACE = "space.yaml"
# A user's package is code. More than this is something else that lies in its folder.
MAX_MODULE_BYTES = 20 * 2**20
_LEFT_OUT = shutil.ignore_patterns("__pycache__", "*.pyc", ".*")


def pack(folder: Path, specs: Sequence[SearchSpec], *, resumed: bool = False) -> Path:
    """Fill ``folder`` with all that the search of ``specs`` needs beside a corpus and storage.

    Args:
        folder: an empty one.
        specs: of a race that is resumed every system's, else one; none if this machine cannot
            read them.
        resumed: the run's own settings are in its storage.

    Returns:
        ``folder``.

    Raises:
        UserError: a module of the user's own is not to be found, or too large.
    """
    package = Path(raysearch.__file__).parent
    shutil.copytree(package, folder / package.name, ignore=_LEFT_OUT)
    for spec in specs:
        if not resumed:
            write_text(folder / SPACE, spec.to_yaml())
        for name in sorted({path.partition(":")[0] for path in _dotted(spec.to_dict())}):
            _add_module(folder, name.partition(".")[0])
    return folder


# The keys whose values may be ``module:Class``.
NAMING = ("name", "extractor", "on", "objective", "scheduler")


def _dotted(data: Any) -> Iterator[str]:
    """The values ``package.module:Class`` of the settings that name something to load."""
    if isinstance(data, dict):
        for key, value in data.items():
            if key in NAMING and isinstance(value, str) and ":" in value:
                yield value
            else:
                yield from _dotted(value)


def _add_module(folder: Path, name: str) -> None:
    found = importlib.util.find_spec(name)
    if found is None or found.origin is None:
        raise UserError(f"{name}: no such module here, so it cannot be sent along")
    origin = Path(found.origin)
    if _installed(origin) or (folder / name).exists():
        return  # the nodes have what is installed, in the pinned versions
    source = origin.parent if origin.name == "__init__.py" else origin
    files = [source] if source.is_file() else [p for p in source.rglob("*") if p.is_file()]
    size = sum(file.stat().st_size for file in files)
    if size > MAX_MODULE_BYTES:
        raise UserError(f"{source}: {size / 2**20:.0f} MiB are too much for code; clean it up")
    if source.is_file():
        shutil.copy(source, folder / source.name)
    else:
        shutil.copytree(source, folder / name, ignore=_LEFT_OUT)


def _installed(origin: Path) -> bool:
    places = [*site.getsitepackages(), site.getusersitepackages(), sysconfig.get_path("stdlib")]
    return any(origin.is_relative_to(place) for place in (*places, sys.base_prefix))
