"""``raysearch VERB ...``, also ``python -m raysearch VERB ...``."""

import sys
from collections.abc import Sequence

from raysearch.cli.main import run_command

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Carry out one verb; the exit code."""
    return run_command(sys.argv[1:] if argv is None else argv)


if __name__ == "__main__":
    sys.exit(main())
