"""The command line as a whole: its verbs, and what each kind of error ends with."""

import argparse
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
    model_verbs,
    replay,
    resume,
    run,
    status,
    stop,
    submit,
    systems,
)
from raysearch.cli.failures import interruptions_noted, of_system, output_failed, tell
from raysearch.errors import InfrastructureError, RaysearchError, SearchInterruptedError
from raysearch.proxies import speak_directly

__all__ = ["parser_of_all", "run_command"]

EXIT_CODES = (
    "exit codes: 0 done; 1 every trial failed; 2 something to correct; 3 bad data; "
    "4 lost infrastructure; 130 interrupted, resumable"
)


def run_command(argv: Sequence[str]) -> int:
    """Carry out ``argv``; the exit code. Mistakes are told in one line on standard error."""
    with interruptions_noted() as interruptions:
        try:
            code = _carry_out(argv, interruptions)
        except KeyboardInterrupt:
            tell("interrupted")
            code = SearchInterruptedError.exit_code
        except Exception:
            if not interruptions:
                raise
            tell("interrupted")  # which what was under way took for an error of its own
            code = SearchInterruptedError.exit_code
    return code


def _carry_out(argv: Sequence[str], interruptions: Sequence[int]) -> int:
    """The exit code; what fails after an interruption is raised, whatever it is."""
    try:
        speak_directly()
        arguments = parser_of_all().parse_args(argv)  # a storage is opened as it is read
        code: int = arguments.verb(arguments)
    except RaysearchError as error:
        if interruptions and not isinstance(error, SearchInterruptedError):
            raise
        tell(str(error))
        code = error.exit_code
    except BrokenPipeError as error:
        output_failed()
        return _without_output(error)
    except OSError as error:
        if lost := output_failed(error):
            return _without_output(lost)
        if interruptions:
            raise
        known = of_system(error)
        tell(str(known))
        return known.exit_code
    except SystemExit:  # the parser's, which may have printed its help
        if lost := output_failed():
            return _without_output(lost)
        raise
    if lost := output_failed():
        return _without_output(lost)
    return code


def _without_output(error: OSError) -> int:
    """The reader of our output went away, which it may; or what takes it is full."""
    if not isinstance(error, BrokenPipeError):
        tell(f"standard output cannot be written: {(error.strerror or str(error)).lower()}")
        return InfrastructureError.exit_code
    return 1


def parser_of_all() -> argparse.ArgumentParser:
    """Build the parser of the whole command: every verb and its options."""
    parser = argparse.ArgumentParser(
        prog="raysearch",
        description="Find the best speech-emotion-recognition model for a corpus.",
        epilog=EXIT_CODES,
    )
    parser.add_argument("--version", action="version", version=__version__)
    verbs = parser.add_subparsers(metavar="VERB", required=True)
    for module in (
        *(run, corpus, evaluate, ablate, compare, cross_corpus, leak_study, replay, systems),
        model_verbs,
        *(submit, status, logs, stop, list_jobs, resume, doctor),
    ):
        module.add(verbs)
    return parser
