"""Where torch hub keeps checkpoints, found without torch."""

import os
from collections.abc import Sequence
from pathlib import Path

__all__ = ["find_in_hub", "hub_folder"]


def find_in_hub(names: Sequence[str]) -> Path | None:
    """The first of ``names`` among torch hub's checkpoints (``$TORCH_HOME`` counts), if any."""
    folder = hub_folder()
    return next((folder / name for name in names if (folder / name).is_file()), None)


def hub_folder() -> Path:
    """Where torch hub keeps checkpoints."""
    cache = os.environ.get("XDG_CACHE_HOME", "~/.cache")
    home = os.environ.get("TORCH_HOME", os.path.join(cache, "torch"))
    return Path(home).expanduser() / "hub" / "checkpoints"
