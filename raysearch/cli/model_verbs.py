"""Adds the verbs that put a finished model to work."""

from __future__ import annotations

from typing import TYPE_CHECKING

from raysearch.cli.model_options import PredictOptions

if TYPE_CHECKING:
    import argparse

__all__ = ["add"]


def add(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add them to the parser; what a verb does is imported once it is chosen."""
    description = (PredictOptions.__doc__ or "").partition("\n")[0]
    parser = verbs.add_parser("predict", help="the emotion in recordings", description=description)
    PredictOptions.add(parser)
    parser.set_defaults(verb=_predict)


def _predict(arguments: argparse.Namespace) -> int:
    from raysearch.cli.predict import predict

    return predict(PredictOptions.of(arguments))
