"""Where the shipped search spaces lie, and which file a name or path means."""

from pathlib import Path

from raysearch.config.base import did_you_mean
from raysearch.errors import MissingPathError, UnknownNameError

__all__ = ["find_space", "shipped_spaces"]

_PACKAGE = Path(__file__).resolve().parent.parent


def _folders() -> list[Path]:
    # In the installed package; in a checkout that is installed editable, beside it.
    return [_PACKAGE / "search_spaces", _PACKAGE.parent / "search_spaces"]


def shipped_spaces() -> dict[str, Path]:
    """Every shipped space's name and file."""
    found: dict[str, Path] = {}
    for folder in _folders():
        for path in sorted(folder.glob("*.yaml")):
            found.setdefault(path.stem, path)
    return found


def find_space(space: str) -> Path:
    """The file of a shipped name, or the path itself.

    Raises:
        UnknownNameError: no such name; says which is near and where it looked.
        MissingPathError: a path that is no file.
    """
    if "/" in space or space.endswith((".yaml", ".yml")):
        path = Path(space)
        if not path.is_file():
            raise MissingPathError(f"{space}: no such search-space file")
        return path
    known = shipped_spaces()
    if space not in known:
        looked = ", ".join(str(folder) for folder in _folders() if folder.is_dir()) or "nowhere"
        raise UnknownNameError(
            f"unknown space {space!r}{did_you_mean(space, list(known))}; looked in {looked}; "
            "a file of your own is given by its path, ending in .yaml"
        )
    return known[space]
