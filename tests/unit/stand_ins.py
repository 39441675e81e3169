"""Executables that stand in for a cluster's tools, and note how they were called."""

from pathlib import Path

__all__ = ["NOTE", "calls", "stand_ins"]

# The first lines of a stand-in: it appends its name and arguments to the file $CALLS.
NOTE = '#!/usr/bin/env bash\necho "$(basename "$0") $*" >>"$CALLS"\n'


def stand_ins(folder: Path, **scripts: str) -> Path:
    """Executables of the given text, in one folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in scripts.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    return folder


def calls(environment: dict[str, str]) -> list[str]:
    """What was called so far, a line each."""
    file = Path(environment["CALLS"])
    return file.read_text().splitlines() if file.exists() else []
