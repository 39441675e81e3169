"""The ablations that the papers name: which settings of a winner each one changes."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from raysearch.config.base import did_you_mean
from raysearch.errors import UserError

__all__ = ["ABLATIONS", "Ablation", "Changes", "check_names"]

Changes = dict[str, object]
LOW_RESOLUTION = 32
_OF_STATISTICS = ("logistic", "svm")
_OF_CLIPS: Changes = {
    "spec_augment.freq_mask_count": 0,
    "spec_augment.time_mask_count": 0,
    "spec_augment.time_shift": 0.0,
    "training.mixup_alpha": 0.0,
}


@dataclass(frozen=True, slots=True)
class Ablation:
    """One question about a winner: what its score is with some settings changed.

    Attributes:
        name: as ``--only`` takes it.
        source: who asks it.
        changes: a winner's fields to what is changed, or why there is nothing to change.
    """

    name: str
    source: str
    changes: Callable[[Mapping[str, Any]], Changes | str]


def _augmentation(fields: Mapping[str, Any]) -> Changes | str:
    off: Changes = {"waveform_augment.cells": "none"}
    if fields["waveform_augment.probability"] == 0:
        off = {}
    # They take whole recordings as they are: no mask and no mixture reaches them.
    if fields["model.name"] not in _OF_STATISTICS:
        off |= _OF_CLIPS
    changed = {name: value for name, value in off.items() if fields[name] != value}
    return changed or "the winner has no augmentation"


def _resolution(fields: Mapping[str, Any]) -> Changes | str:
    if "features.mel.n_mels" not in fields:
        return "the model reads no spectrogram"
    if fields["model.name"] in _OF_STATISTICS:
        return "the model reads statistics of the spectrogram, no map"
    hop_ms = round(1000 * fields["training.clip_s"] / LOW_RESOLUTION, 1)
    low = {
        "features.mel.n_mels": LOW_RESOLUTION,
        "features.mel.hop_ms": hop_ms,
        # A window must reach from one frame to the next.
        "features.mel.window_ms": max(fields["features.mel.window_ms"], hop_ms),
    }
    changed = {name: value for name, value in low.items() if fields[name] != value}
    return changed or "the winner's input is as small"


def _only(stream: str) -> Callable[[Mapping[str, Any]], Changes | str]:
    """The ablation that leaves a model of two streams with ``stream``."""

    def changes(fields: Mapping[str, Any]) -> Changes | str:
        if "model.modality" not in fields:
            return "the model has one modality"
        read = fields["model.modality"]
        return {"model.modality": stream} if read == "both" else f"the winner reads {read} only"

    return changes


def _component(field: str, stream: str) -> Callable[[Mapping[str, Any]], Changes | str]:
    """The ablation that takes out a part of MFHCA, where its ``stream`` is read."""

    def changes(fields: Mapping[str, Any]) -> Changes | str:
        if f"model.{field}" not in fields:
            return f"the model has no {field}"
        if fields.get("model.modality", "both") not in ("both", stream):
            return f"the winner reads no {stream}"
        return {f"model.{field}": False} if fields[f"model.{field}"] else "taken out already"

    return changes


def _pretrained(fields: Mapping[str, Any]) -> Changes | str:
    if fields.get("model.pretrained"):
        return {"model.pretrained": False}
    return "the winner was not pretrained"


def _attention(fields: Mapping[str, Any]) -> Changes | str:
    off: Changes = {"model.fuse_attention": "none", "model.attention": "none"}
    changed = {name: v for name, v in off.items() if fields.get(name, v) != v}
    if fields.get("model.pooling") == "attention":
        changed["model.pooling"] = "mean"
    return changed or "the winner has no attention"


def _prosody(fields: Mapping[str, Any]) -> Changes | str:
    inputs = str(fields.get("model.inputs", ""))
    if inputs.endswith("+prosody"):
        return {"model.inputs": inputs.removesuffix("+prosody")}
    return {"model.prosody": False} if fields.get("model.prosody") else "the winner has no prosody"


ABLATIONS = (
    Ablation("augmentation", "arXiv 2510.06072, 2509.00077", _augmentation),
    Ablation("resolution-32", "arXiv 2510.06072", _resolution),
    Ablation("attention", "arXiv 2510.06072, 2507.03251", _attention),
    Ablation("prosody", "arXiv 2510.06072", _prosody),
    Ablation("pretrained", "arXiv 2509.00077", _pretrained),
    Ablation("mel-only", "arXiv 2404.13509", _only("mel")),
    Ablation("ssl-only", "arXiv 2404.13509", _only("ssl")),
    Ablation("multi-spatial-fusion", "arXiv 2404.13509", _component("multi_spatial", "mel")),
    Ablation("grf", "arXiv 2404.13509", _component("grf", "mel")),
    Ablation("cooperative-attention", "arXiv 2404.13509", _component("cooperative", "ssl")),
)


def check_names(names: Sequence[str]) -> None:
    """Raise UserError for a name that no ablation has."""
    known = [ablation.name for ablation in ABLATIONS]
    for name in names:
        if name not in known:
            raise UserError(f"--only {name}: no such ablation{did_you_mean(name, known)}")
