"""``python -m raysearch.run ...``: the same as ``raysearch run ...``."""

import sys

from raysearch.__main__ import main

if __name__ == "__main__":
    sys.argv.insert(1, "run")
    sys.exit(main())
