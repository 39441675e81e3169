"""The model that a search ends with: one net or several, and how it came to be.

``final.json`` in the run's folder is the record of it; paths in it are relative to that folder.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from raysearch.config.search import Final
from raysearch.errors import ConfigError, UserError
from raysearch.files import write_json
from raysearch.run_folder import RunFolder
from raysearch.storage.run_storage import fetch_published
from raysearch.training.inner_folds import inner_prefix
from raysearch.training.inputs import INPUTS
from raysearch.training.predictions import PREDICTIONS
from raysearch.training.trial_state import BEST
from raysearch.trial_config import TrialConfig

__all__ = ["ALL_ROWS", "FINAL", "PARTNER", "FinalModel", "Net", "load_final", "save_final"]

FINAL = "final.json"
PARTNER = "partner-"  # So the folders begin that hold a partner on functionals.
ALL_ROWS = -1
"""In the place of an inner fold: the net learned from training and validation rows together."""


@dataclass(frozen=True)
class Net:
    """One network of a final model.

    Attributes:
        trial: number of the trial whose settings it has; None for a partner of another kind.
        config: those settings.
        folder: its published checkpoint.
        inner: the inner fold that it learned, or ``ALL_ROWS``.
        weight: its share of the mean log-probability; all shares sum to 1.
    """

    trial: int | None
    config: TrialConfig
    folder: Path
    inner: int = 0
    weight: float = 1.0

    @property
    def prefix(self) -> str:
        """The beginning of the names of its files."""
        return inner_prefix(max(self.inner, 0))

    @property
    def inputs(self) -> Path:
        """The shapes and statistics of its inputs."""
        return self._published(INPUTS)

    @property
    def predictions(self) -> Path:
        """What it said of the validation rows of its inner fold."""
        return self._published(PREDICTIONS)

    @property
    def weights(self) -> Path:
        """Its weights; raises UserError if they are gone."""
        path = self._published(BEST)
        if not path.is_file():
            raise UserError(f"{path}: the weights are gone; resume the search, or run it again")
        return path

    def _published(self, name: str) -> Path:
        """A file of its checkpoint, which another machine may have published."""
        return fetch_published(self.folder) / f"{self.prefix}{name}"


@dataclass(frozen=True)
class FinalModel:
    """A search's result: nets whose weighted mean log-probability is the prediction.

    Attributes:
        method: how it was made of the trials.
        winner: the identity of the trial that leads.
        nets: at least one.
        reason: why this method, in a sentence.
        validation: figures of inner validation that decided, by name.
        others: what else the same trials give without further training, by name, to be shown
            beside it.
    """

    method: Final
    winner: str
    nets: tuple[Net, ...]
    reason: str = ""
    validation: Mapping[str, Any] = field(default_factory=dict)
    others: Mapping[str, tuple[Net, ...]] = field(default_factory=dict)

    @property
    def members(self) -> dict[int, float]:
        """Each member trial's number and its share of the decision."""
        shares: dict[int, float] = {}
        for net in self.nets:
            if net.trial is not None:
                shares[net.trial] = shares.get(net.trial, 0.0) + net.weight
        return shares

    def with_nets(self, nets: Sequence[Net]) -> "FinalModel":
        """The same with other nets, whose shares are brought to sum to 1."""
        total = sum(net.weight for net in nets)
        shared = tuple(replace(net, weight=net.weight / total) for net in nets)
        return replace(self, nets=shared)

    def describe(self) -> str:
        """What it consists of, in a few words."""
        size = "1 net" if len(self.nets) == 1 else f"{len(self.nets)} nets"
        trials = ", ".join(f"{number:04d}" for number in sorted(self.members))
        partner = " and a partner on functionals" if any(n.trial is None for n in self.nets) else ""
        return f"{self.method}: {size} of trial {trials}{partner}"


def save_final(run: RunFolder, model: FinalModel) -> None:
    """Write ``final.json``."""
    root = run.root.absolute()

    def listed(nets: Sequence[Net]) -> list[dict[str, Any]]:
        return [
            {
                "trial": net.trial,
                "config": net.config.to_dict(),
                "folder": str(net.folder.absolute().relative_to(root)),
                "inner": net.inner,
                "weight": net.weight,
            }
            for net in nets
        ]

    write_json(
        run.root / FINAL,
        {
            "method": model.method,
            "winner": model.winner,
            "reason": model.reason,
            "validation": dict(model.validation),
            "nets": listed(model.nets),
            "others": {name: listed(nets) for name, nets in model.others.items()},
        },
    )


def load_final(run: RunFolder) -> FinalModel | None:
    """What ``save_final`` wrote; ``None`` if the search did not get so far.

    Raises:
        UserError: the file is damaged, or names a place outside the run.
    """
    path = run.root / FINAL
    if not path.is_file():
        return None
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        nets = _nets(run, data.pop("nets"))
        others = {name: _nets(run, entries) for name, entries in data.pop("others").items()}
        return FinalModel(nets=nets, others=others, **data)
    except (ValueError, KeyError, TypeError, AttributeError, ConfigError) as error:
        raise UserError(f"{path}: not a final model ({error}); resume the search") from None


def _nets(run: RunFolder, entries: Sequence[dict[str, Any]]) -> tuple[Net, ...]:
    return tuple(_net(run.root.absolute(), entry) for entry in entries)


def _net(root: Path, entry: dict[str, Any]) -> Net:
    folder = (root / entry["folder"]).resolve()
    if not folder.is_relative_to(root.resolve()):
        raise ValueError(f"{entry['folder']!r} is outside the run's folder")
    config = TrialConfig.from_dict(entry["config"])
    return Net(entry["trial"], config, root / entry["folder"], entry["inner"], entry["weight"])
