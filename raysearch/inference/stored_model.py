"""Reads ``best/``: which nets it holds, under which settings, and each one's share."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from raysearch.errors import ConfigError, DataError, MissingPathError
from raysearch.published_folder import MANIFEST, load_json, verify
from raysearch.trial_config import TrialConfig

__all__ = ["ENSEMBLE", "LABELS", "StoredModel", "StoredNet", "best_folder", "read_stored_model"]

ENSEMBLE = "ensemble.json"
LABELS = "labels.json"
_BEST = "best"
_AGAIN = "made by an earlier version or not a whole copy: run or resume the search again"


@dataclass(frozen=True)
class StoredNet:
    """One net of the final model.

    Attributes:
        config: the settings that it was trained with; files that they name lie in the folder.
        weights: its safetensors.
        inputs: the shapes and statistics of its inputs.
        share: its share of the mean log-probability.
    """

    config: TrialConfig
    weights: Path
    inputs: Path
    share: float


@dataclass(frozen=True)
class StoredModel:
    """What ``best/`` holds; ``labels`` name the emotions, or dimensions, in the outputs' order."""

    folder: Path
    labels: tuple[str, ...]
    nets: tuple[StoredNet, ...]


def best_folder(path: str | Path) -> Path:
    """The folder of the model that ``path`` means: itself, or ``best/`` of a run or a race.

    Raises:
        MissingPathError: there is no model there.
    """
    folder = Path(path).expanduser()
    if not folder.is_dir():
        raise MissingPathError(f"{folder}: no such folder; name a run's folder or its best/")
    for place in (folder, folder / _BEST):
        if (place / ENSEMBLE).is_file():
            return place
        if (place / "config.json").is_file() and (place / MANIFEST).is_file():
            raise MissingPathError(f"{place}: a model without {ENSEMBLE}, {_AGAIN}")
    raise MissingPathError(
        f"{folder}: no model there: it has no {_BEST}/{ENSEMBLE}; a search writes it at its end"
    )


def read_stored_model(folder: Path) -> StoredModel:
    """Read and check a ``best/`` folder; weights are not loaded yet.

    Raises:
        DataError: a file is missing, damaged, or of an earlier version.
        ConfigError: settings that this version refuses.
        MissingPathError: the weights of a pretrained encoder are not there.
    """
    verify(folder)
    described = load_json(folder / ENSEMBLE)
    encoders = described.get("encoders", {})
    try:
        nets = tuple(_net(folder, entry, encoders) for entry in described["nets"])
    except (KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{folder / ENSEMBLE}: lacks {error}, {_AGAIN}") from None
    if not nets:
        raise DataError(f"{folder / ENSEMBLE}: no nets in it, {_AGAIN}")
    for net in nets:
        for file in (net.weights, net.inputs):
            if not file.is_file():
                raise DataError(f"{folder}: lacks {file.name}, {_AGAIN}")
    least = 1 if nets[0].config.training.by_dimensions else 2
    return StoredModel(folder, _labels(folder / LABELS, least), nets)


def _labels(path: Path, least: int) -> tuple[str, ...]:
    try:
        labels = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be read ({error})") from None
    if not isinstance(labels, list) or len(labels) < least or not all(map(_is_text, labels)):
        raise DataError(f"{path}: a list of at least two emotions is expected")
    return tuple(labels)


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _net(folder: Path, entry: Mapping[str, Any], encoders: Mapping[str, str]) -> StoredNet:
    try:
        config = TrialConfig.from_dict(_with_encoders(folder, entry["config"], encoders))
    except ConfigError as error:
        raise ConfigError(f"{folder / ENSEMBLE}: {error}") from None
    return StoredNet(
        config, folder / entry["weights"], folder / entry["inputs"], float(entry["share"])
    )


def _with_encoders(
    folder: Path, config: Mapping[str, Any], encoders: Mapping[str, str]
) -> Mapping[str, Any]:
    """``config`` with the encoders' weights where they are here: in the folder, if it has them."""
    streams = {}
    for stream, settings in config["features"].items():
        weights = settings.get("weights")
        if weights in encoders:
            settings = {**settings, "weights": str(folder.absolute() / encoders[weights])}
        elif weights is not None and not Path(weights).exists():
            raise MissingPathError(
                f"{folder}: of an earlier version, which left the encoder's weights out; they"
                f" were at {weights}: put them there, or run or resume the search again"
            )
        streams[stream] = settings
    return {**config, "features": streams}
