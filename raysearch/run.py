"""``python -m raysearch.run ...``: the same as ``raysearch run ...``."""

import sys

from raysearch.cli.main import run_command

if __name__ == "__main__":
    sys.exit(run_command(["run", *sys.argv[1:]]))
