"""The trackers by name, and whether the libraries that they need are here."""

from collections.abc import Sequence
from importlib.util import find_spec

from raysearch.config.name_table import Table
from raysearch.errors import UserError

__all__ = ["TRACKERS", "checked_trackers"]

TRACKERS = Table(
    "tracker",
    {
        "mlflow": "raysearch.tracking.mlflow_runs:MlflowTracker",
        "trackio": "raysearch.tracking.trackio_runs:TrackioTracker",
        "wandb": "raysearch.tracking.wandb_runs:WandbTracker",
    },
)
# What is installed for a library that is imported by another name.
_PACKAGES = {"mlflow": "mlflow-skinny"}


def checked_trackers(text: str) -> list[str]:
    """Read the names of trackers, with commas between.

    Raises:
        UserError: a name that is none or comes twice, or a library that is not installed.
    """
    names = [name.strip() for name in text.split(",")]
    for name in names:
        try:
            TRACKERS.check(name)
        except ValueError as error:
            raise UserError(f"--track {text}: {error}") from None
        if names.count(name) > 1:
            raise UserError(f"--track {text}: {name} is named twice")
    missing = [name for name in names if name in TRACKERS.built_in and find_spec(name) is None]
    if missing:
        raise UserError(f"--track {text}: {_advice(missing)}")
    return names


def _advice(missing: Sequence[str]) -> str:
    packages = " ".join(_PACKAGES.get(name, name) for name in missing)
    verb = "is" if len(missing) == 1 else "are"
    return f"{' and '.join(missing)} {verb} not installed: pip install {packages}"
