"""``raysearch VERB ...``, also ``python -m raysearch VERB ...``.

Nothing but Python's own modules is imported before an ASCII locale and the working folder are dealt
with, and nothing heavy before an interruption is: hence the imports inside ``main``.
"""

import os
import sys
from collections.abc import Sequence

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Carry out one verb; the exit code.

    Args:
        argv: the verb and its options; by default those of the process, which is then taken to be
            the command and nothing else.
    """
    if argv is None:
        _set_up_process()
        argv = sys.argv[1:]
    from raysearch.cli.interruptions import ended_at_once

    with ended_at_once():
        from raysearch.cli.main import run_command
    return run_command(argv)


def _set_up_process() -> None:
    # Names of files, Ray's workers and what they print follow the locale: LANG=C knows ASCII alone.
    if not sys.flags.utf8_mode and sys.getfilesystemencoding().lower() != "utf-8":
        said = getattr(sys.stdout, "encoding", None) or "ascii"
        os.environ.update(PYTHONUTF8="1", PYTHONIOENCODING=f"{said}:replace")
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])
    for stream in (sys.stdout, sys.stderr):
        if reconfigure := getattr(stream, "reconfigure", None):
            reconfigure(errors="replace")
    _working_folder_last()


def _working_folder_last() -> None:
    """A search's own modules are found in the working folder, where they shadow nothing."""
    try:
        here = os.getcwd()
    except OSError:  # it was removed
        return
    if not sys.flags.safe_path and sys.path[:1] in ([""], [here]):
        sys.path.pop(0)  # python -m
    if here not in sys.path:
        sys.path.append(here)


if __name__ == "__main__":
    sys.exit(main())
