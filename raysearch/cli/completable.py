"""What a shell may complete after ``raysearch``: the verbs, their options and the options' values.

All of it is read from the parsers, so a new verb or option is completed without another word.
"""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import get_args

from raysearch.cli.verb_table import VERBS
from raysearch.config.shipped_spaces import shipped_spaces
from raysearch.corpora.corpus_table import CORPORA
from raysearch.protocols.protocol_section import ProtocolName

__all__ = ["Completable", "CompletableVerb", "completable_verbs"]

# In a metavar: what is asked for is a file or a folder.
_PATHS = ("DIR", "FILE", "FOLDER", "PATH", "RUN", "STORAGE", "MANIFEST")


@dataclass(frozen=True, slots=True)
class Completable:
    """An option, or an argument that has no name of its own.

    Attributes:
        names: ``--json``; none of an argument.
        help: a line.
        takes_value: whether a word follows it.
        optional_value: whether that may be left out.
        words: what the value may be, where that is known.
        path: whether it is a file or a folder.
        label: what the value is called.
        repeats: whether it may be given again.
    """

    names: Sequence[str]
    help: str
    takes_value: bool
    optional_value: bool = False
    words: Sequence[str] = ()
    path: bool = False
    label: str = ""
    repeats: bool = False


@dataclass(frozen=True, slots=True)
class CompletableVerb:
    """A verb, its help's line, its options, and its arguments in their order."""

    name: str
    help: str
    options: Sequence[Completable]
    arguments: Sequence[Completable]


def completable_verbs() -> list[CompletableVerb]:
    """Read every verb's parser."""
    known: dict[str, Sequence[str]] = {
        "space": ("auto", *sorted(shipped_spaces())),
        "system": sorted(shipped_spaces()),
        "corpus": CORPORA.built_in,
        "protocol": get_args(ProtocolName),
    }
    verbs = []
    for name, verb in VERBS.items():
        parser = argparse.ArgumentParser(prog=name)
        verb.load_options().add(parser)
        found = [_of(action, known) for action in parser._actions if _shown(action)]
        options = [one for one in found if one.names]
        verbs.append(
            CompletableVerb(name, verb.help, options, [one for one in found if not one.names])
        )
    return verbs


def _shown(action: argparse.Action) -> bool:
    return action.help != argparse.SUPPRESS


def _of(action: argparse.Action, known: Mapping[str, Sequence[str]]) -> Completable:
    label = action.metavar if isinstance(action.metavar, str) else action.dest
    words = [str(choice) for choice in action.choices or known.get(action.dest, ())]
    many = action.nargs in ("*", "+") or isinstance(action, argparse._AppendAction)
    return Completable(
        tuple(action.option_strings),
        " ".join((action.help or "").split()).replace("%%", "%"),
        takes_value=action.nargs != 0,
        optional_value=bool(action.option_strings) and action.nargs == "?",
        words=words,
        # A new run's name is no file's.
        path=action.dest != "name" and any(word in label.upper() for word in _PATHS),
        label=label,
        repeats=many,
    )
