"""The options of ``raysearch serve``."""

import argparse
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Self

from raysearch.cli.model_options import add_model
from raysearch.cli.options import add_cluster
from raysearch.errors import UserError
from raysearch.serving.limits import Limits

__all__ = ["ServeOptions"]

HOST, PORT = "127.0.0.1", 8000
NEEDED = ("fastapi", "starlette", "uvicorn")
# What a recording may be at most, however it comes (raysearch/corpora/header.py).
MOST_MIB = 512
MOST_S = 24 * 3600

EXAMPLES = """examples:
  raysearch serve results/emo                # for this machine alone
  curl --data-binary @speech.wav http://127.0.0.1:8000/predict
  curl --data-binary @talk.mp3 'http://127.0.0.1:8000/predict?timeline=1'
  raysearch serve best/ --replicas 4 --host 0.0.0.0 --token-file token
  raysearch serve best/ --address HEAD:6379  # on a cluster; its head listens
"""


@dataclass(frozen=True)
class ServeOptions:
    """``raysearch serve``: the final model behind HTTP, and a page to try it on.

    ``POST /predict`` takes a recording as its body, in any format and rate that
    libsndfile reads, and answers with JSON: label, probabilities and, with
    ``?timeline=1``, those of its windows. ``GET /health`` tells that the server is
    ready. Nothing that is sent is kept.

    Attributes:
        model: a run's folder, or its ``best/``.
        host: where the server listens.
        port: its port; 0 for any that is free.
        replicas: processes with the model.
        limits: what it takes.
        token_file: holds the token that clients must show.
        address: a Ray cluster's address.
    """

    model: str
    host: str
    port: int
    replicas: int
    limits: Limits
    token_file: Path | None
    address: str | None

    @classmethod
    def add(cls, parser: argparse.ArgumentParser) -> None:
        """Add the verb's arguments to its parser."""
        add_model(parser, EXAMPLES)
        parser.add_argument(
            "--replicas",
            type=int,
            default=1,
            metavar="N",
            help="processes with the model, each on a CPU (default: 1)",
        )
        group = parser.add_argument_group("who reaches it")
        group.add_argument(
            "--host",
            default=HOST,
            help=f"where it listens (default: {HOST}, this machine alone); another one needs a"
            " token of its clients",
        )
        group.add_argument(
            "--port", type=int, default=PORT, help=f"0: any that is free (default: {PORT})"
        )
        group.add_argument(
            "--token-file",
            type=Path,
            metavar="FILE",
            help="holds the token that clients show (default: RAYSEARCH_TOKEN; else, where one is"
            " needed, one is made and printed)",
        )
        limits = Limits()
        group = parser.add_argument_group("limits")
        group.add_argument(
            "--max-mib",
            type=int,
            default=limits.max_mib,
            metavar="M",
            help=f"of a request, in MiB (default: {limits.max_mib})",
        )
        group.add_argument(
            "--max-seconds",
            type=int,
            default=limits.max_s,
            metavar="S",
            help=f"of a recording (default: {limits.max_s})",
        )
        add_cluster(parser)

    @classmethod
    def of(cls, arguments: argparse.Namespace) -> Self:
        """Read what was parsed.

        Raises:
            UserError: a number that is out of bounds, or Ray Serve is not installed.
        """
        if lacking := [name for name in NEEDED if find_spec(name) is None]:
            raise UserError(f"serve needs {', '.join(lacking)}: pip install 'raysearch[serve]'")
        for name, value, least, most in (
            ("replicas", arguments.replicas, 1, 1024),
            ("port", arguments.port, 0, 65535),
            ("max-mib", arguments.max_mib, 1, MOST_MIB),
            ("max-seconds", arguments.max_seconds, 1, MOST_S),
        ):
            if not least <= value <= most:
                raise UserError(f"--{name} {value}: from {least} to {most}")
        return cls(
            arguments.model,
            arguments.host,
            arguments.port,
            arguments.replicas,
            Limits(arguments.max_mib, arguments.max_seconds),
            arguments.token_file,
            arguments.address,
        )
