"""Writes what ``raysearch systems`` knows without torch; run it when a shipped space changed."""

import json
import os
import tempfile
from dataclasses import asdict

from raysearch.cli.described_systems import facts_of
from raysearch.cli.system_facts import FILE
from raysearch.config.shipped_spaces import shipped_spaces


def text():
    """The facts as they are now."""
    names = [name for name in sorted(shipped_spaces()) if "-" not in name]
    return json.dumps([asdict(facts_of(name)) for name in names], indent=1) + "\n"


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as empty:
        os.environ["TORCH_HOME"] = empty
        FILE.write_text(text(), encoding="utf-8")
