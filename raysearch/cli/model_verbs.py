"""Adds the verbs that put a finished model to work."""

from __future__ import annotations

from typing import TYPE_CHECKING

from raysearch.cli.model_options import ExportOptions, PredictOptions

if TYPE_CHECKING:
    import argparse

__all__ = ["add"]


def add(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add them to the parser; what a verb does is imported once it is chosen."""
    parser = verbs.add_parser(
        "predict", help="the emotion in recordings", description=_first_line(PredictOptions)
    )
    PredictOptions.add(parser)
    parser.set_defaults(verb=_predict)
    parser = verbs.add_parser(
        "export", help="the model for other runtimes", description=_first_line(ExportOptions)
    )
    ExportOptions.add(parser)
    parser.set_defaults(verb=_export)


def _first_line(options: type) -> str:
    return (options.__doc__ or "").partition("\n")[0]


def _predict(arguments: argparse.Namespace) -> int:
    from raysearch.cli.predict import predict

    return predict(PredictOptions.of(arguments))


def _export(arguments: argparse.Namespace) -> int:
    from raysearch.cli.export import export

    return export(ExportOptions.of(arguments))
