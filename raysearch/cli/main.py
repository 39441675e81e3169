"""The command line as a whole: its verbs, and what each kind of error ends with."""

import argparse
import inspect
from collections.abc import Sequence

from raysearch import __version__
from raysearch.cli.failures import of_system, output_failed, tell
from raysearch.cli.help_text import add_examples
from raysearch.cli.interruptions import interruptions_noted
from raysearch.cli.verb_table import VERBS, Options
from raysearch.errors import InfrastructureError, RaysearchError, SearchInterruptedError
from raysearch.proxies import speak_directly

__all__ = ["parsed", "run_command"]

EXAMPLES = """examples:
  raysearch run --space emohrnet  # a search on the demo corpus
  raysearch runs                  # what has been searched
  raysearch run --help            # every verb's own help has examples, too

exit codes: 0 done; 1 every trial failed; 2 something to correct; 3 bad data;
4 lost infrastructure; 130 interrupted, resumable
"""


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
        name, options = parsed(argv)
        code = VERBS[name].load_work()(options)
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


def parsed(argv: Sequence[str]) -> tuple[str, Options]:
    """Read the command line: the verb's name, and its options.

    Raises:
        RaysearchError: what is named is not there, or a storage cannot be opened.
        SystemExit: help was asked for, or the command line is wrong.
    """
    # Arguments of the whole command have no values: the first of another kind is the verb.
    name = next((word for word in argv if not word.startswith("-")), "")
    verb = VERBS.get(name)
    options = verb.load_options() if verb else None
    arguments = _parser(name, options).parse_args(argv)
    if options is None:
        raise AssertionError("the parser takes the verbs of the table alone")
    return name, options.of(arguments)


def _parser(chosen: str, options: type[Options] | None) -> argparse.ArgumentParser:
    """The parser of the whole command, in which the chosen verb alone has its arguments."""
    parser = argparse.ArgumentParser(
        prog="raysearch",
        description="Find the best speech-emotion-recognition model for a corpus.",
    )
    add_examples(parser, EXAMPLES)
    parser.add_argument("--version", action="version", version=__version__)
    verbs = parser.add_subparsers(metavar="VERB", required=True)
    for name, verb in VERBS.items():
        of_verb = verbs.add_parser(name, help=verb.help)
        if name == chosen and options is not None:
            about, _, _ = (inspect.getdoc(options) or "").partition("\n\nAttributes:")
            of_verb.description = about.replace("``", "")
            options.add(of_verb)
    return parser
