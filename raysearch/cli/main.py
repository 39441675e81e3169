"""The command line as a whole: its verbs, and what each kind of error ends with."""

import argparse
import sys
from collections.abc import Sequence

from raysearch import __version__
from raysearch.cli import (
    ablate,
    compare,
    corpus,
    cross_corpus,
    doctor,
    evaluate,
    leak_study,
    list_jobs,
    logs,
    resume,
    run,
    status,
    stop,
    submit,
    systems,
)
from raysearch.errors import RaysearchError

__all__ = ["parser_of_all", "run_command"]

EXIT_CODES = (
    "exit codes: 0 done; 1 every trial failed; 2 something to correct; 3 bad data; "
    "4 lost infrastructure; 130 interrupted, resumable"
)


def run_command(argv: Sequence[str]) -> int:
    """Carry out ``argv``; the exit code. Mistakes are told in one line on standard error."""
    try:
        arguments = parser_of_all().parse_args(argv)  # a storage is opened as it is read
        code: int = arguments.verb(arguments)
        return code
    except RaysearchError as error:
        print(f"raysearch: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("raysearch: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        sys.stderr.close()  # the reader of our output went away
        return 1


def parser_of_all() -> argparse.ArgumentParser:
    """Every verb and its options."""
    parser = argparse.ArgumentParser(
        prog="raysearch",
        description="Find the best speech-emotion-recognition model for a corpus.",
        epilog=EXIT_CODES,
    )
    parser.add_argument("--version", action="version", version=__version__)
    verbs = parser.add_subparsers(metavar="VERB", required=True)
    for module in (
        *(run, corpus, evaluate, ablate, compare, cross_corpus, leak_study, systems),
        *(submit, status, logs, stop, list_jobs, resume, doctor),
    ):
        module.add(verbs)
    return parser
