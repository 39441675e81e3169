"""The options of the verbs that put a finished model to work."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self, get_args

from raysearch.cli.help_text import add_examples
from raysearch.errors import UserError
from raysearch.inference.recognised import WINDOW_S
from raysearch.reporting.prediction_format import SUFFIXES, PredictionFormat

__all__ = ["MANY", "ExportFormat", "ExportOptions", "PredictOptions", "add_model"]

# So many recordings are worth the seconds that Ray takes to start.
MANY = 400
ExportFormat = Literal["onnx", "torch"]

PREDICT_EXAMPLES = """examples:
  raysearch predict results/emo speech.wav
  raysearch predict best/ recordings/ --output all.csv  # best/ copied anywhere
  raysearch predict best/ calls.csv --format jsonl      # a manifest
  find . -name '*.flac' | raysearch predict best/ -     # names of files
  raysearch predict best/ talk.mp3 --timeline --plot talk.png
"""

EXPORT_EXAMPLES = """examples:
  raysearch export results/emo --format onnx           # and what its inputs are
  raysearch export best/ --audio mine/ --output a.pt2  # compared on your speech
"""


@dataclass(frozen=True)
class PredictOptions:
    """``raysearch predict``: the emotion in recordings, by the model that a search ended with.

    Attributes:
        model: a run's folder, or its ``best/``.
        recordings: files, folders, manifests, or ``-`` for names on standard input.
        format: what is written; None for what suits where it goes.
        output: the file that is written, instead of standard output.
        timeline: whether each recording is scored window by window.
        window_s: seconds a window.
        hop_s: seconds from one window's start to the next's.
        plot: the file of the timeline's plot.
        address: of a running Ray cluster, whose CPUs compute features.
    """

    model: str
    recordings: Sequence[str]
    format: PredictionFormat | None
    output: Path | None
    timeline: bool
    window_s: float
    hop_s: float
    plot: Path | None
    address: str | None

    @classmethod
    def add(cls, parser: argparse.ArgumentParser) -> None:
        """Add the verb's arguments to its parser."""
        add_model(parser, PREDICT_EXAMPLES)
        parser.add_argument(
            "recordings",
            nargs="+",
            metavar="FILE|FOLDER|MANIFEST|-",
            help="audio of any format and rate that libsndfile reads; a manifest is a .csv, .tsv or"
            " .parquet with the column path, and speaker for a model that normalises by speaker;"
            " -: names of files on standard input, one a line",
        )
        parser.add_argument(
            "--format",
            choices=get_args(PredictionFormat),
            help="default: by the ending of --output, else a table on a terminal and csv elsewhere",
        )
        parser.add_argument("--output", type=Path, metavar="FILE", help="write there")
        group = parser.add_argument_group("long recordings")
        group.add_argument("--timeline", action="store_true", help="emotion over time, by windows")
        group.add_argument(
            "--window", type=float, metavar="S", help=f"seconds a window (default: {WINDOW_S:g})"
        )
        group.add_argument(
            "--hop", type=float, metavar="S", help="from window to window (default: half of one)"
        )
        group.add_argument(
            "--plot", type=Path, metavar="FILE", help="draw one recording's timeline: .png or .svg"
        )
        parser.add_argument(
            "--address",
            metavar="ADDR",
            help="a running Ray cluster, whose nodes see the recordings by their paths (default:"
            f" this machine, with all its CPUs from {MANY} recordings on)",
        )

    @classmethod
    def of(cls, arguments: argparse.Namespace) -> Self:
        """Read what was parsed.

        Raises:
            UserError: options that contradict each other.
        """
        window_s = WINDOW_S if arguments.window is None else arguments.window
        hop_s = window_s / 2 if arguments.hop is None else arguments.hop
        _check(arguments, window_s, hop_s)
        kind = arguments.format
        if kind is None and arguments.output is not None:
            kind = _by_name(arguments.output)
        return cls(
            arguments.model,
            arguments.recordings,
            kind,
            arguments.output,
            arguments.timeline,
            window_s,
            hop_s,
            arguments.plot,
            arguments.address,
        )


def _check(arguments: argparse.Namespace, window_s: float, hop_s: float) -> None:
    if arguments.format == "parquet" and arguments.output is None:
        raise UserError("--format parquet: give --output FILE: it is no text")
    if not arguments.timeline:
        for name in ("window", "hop", "plot"):
            if getattr(arguments, name) is not None:
                raise UserError(f"--{name} belongs to --timeline: give that as well")
    if not 0.1 <= window_s <= 3600:
        raise UserError(f"--window {window_s:g}: from 0.1 to 3600 seconds")
    if not 0.01 <= hop_s <= window_s:
        raise UserError(f"--hop {hop_s:g}: from 0.01 seconds to a whole window ({window_s:g})")
    if arguments.timeline and arguments.address:
        raise UserError("--address: a timeline is computed here; leave --address or --timeline out")
    if arguments.plot is not None and arguments.plot.suffix.lower() not in (".png", ".svg"):
        raise UserError(f"--plot {arguments.plot}: a .png or .svg file")


def _by_name(output: Path) -> PredictionFormat:
    kind = SUFFIXES.get(output.suffix.lower())
    if kind is None:
        raise UserError(f"--output {output}: give --format, or one of {', '.join(SUFFIXES)}")
    return kind


@dataclass(frozen=True)
class ExportOptions:
    """``raysearch export``: the whole final model as one file for onnxruntime or torch alone.

    Attributes:
        model: a run's folder, or its ``best/``.
        format: which runtime it is for.
        output: the file; its description stands beside it as ``.json``.
        audio: recordings on which it is compared with the model; of a run, by default its corpus'.
    """

    model: str
    format: ExportFormat
    output: Path
    audio: str | None

    @classmethod
    def add(cls, parser: argparse.ArgumentParser) -> None:
        """Add the verb's arguments to its parser."""
        add_model(parser, EXPORT_EXAMPLES)
        parser.add_argument(
            "--format",
            choices=get_args(ExportFormat),
            help="onnx runs in onnxruntime, torch (.pt2) in torch without raysearch"
            " (default: by the ending of --output, else onnx)",
        )
        parser.add_argument(
            "--output", type=Path, metavar="FILE", help="default: model.onnx or model.pt2"
        )
        parser.add_argument(
            "--audio",
            metavar="FILE|FOLDER|MANIFEST",
            help="real speech on which it is compared with the model before it is written"
            " (default: the first recordings of the run's corpus)",
        )

    @classmethod
    def of(cls, arguments: argparse.Namespace) -> Self:
        """Read what was parsed."""
        output = arguments.output
        torch_by_name = output is not None and output.suffix == ".pt2"
        by_name: ExportFormat = "torch" if torch_by_name else "onnx"
        kind: ExportFormat = arguments.format or by_name
        output = output or Path("model.pt2" if kind == "torch" else "model.onnx")
        if output.suffix == ".json":
            raise UserError(f"--output {output}: .json is its description's; name it otherwise")
        return cls(arguments.model, kind, output, arguments.audio)


def add_model(parser: argparse.ArgumentParser, examples: str) -> None:
    """Add what such verbs begin with, the model, and end with, the examples."""
    add_examples(parser, examples)
    parser.add_argument("model", metavar="RUN|best/", help="results/<run>, URL/<run> or best/")
