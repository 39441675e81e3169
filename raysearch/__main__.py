"""``raysearch VERB ...``, also ``python -m raysearch VERB ...``.

Nothing heavy is imported before an interruption, an ASCII locale and the working folder are dealt
with.
"""

import os
import signal
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
    at_once = _end_at_once()
    from raysearch.cli.main import run_command

    if at_once:
        signal.signal(signal.SIGINT, signal.default_int_handler)
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


def _end_at_once() -> bool:
    """Let an interruption end the process while modules are imported: nothing is to be tidied up.

    An import turns it into other errors, or tracebacks of its own. Returns whether it was set.
    """
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        return False
    try:
        signal.signal(signal.SIGINT, _say_interrupted)
    except ValueError:  # not in the main thread
        return False
    return True


def _say_interrupted(number: int, frame: object) -> None:
    del number, frame
    os.write(2, b"raysearch: interrupted\n")
    os._exit(130)


if __name__ == "__main__":
    sys.exit(main())
