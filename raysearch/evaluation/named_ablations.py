"""The ablations that the papers name: which settings of a winner each one changes."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from raysearch.config.base import did_you_mean
from raysearch.errors import UserError
from raysearch.features.waveform_augment import WaveformAugmentConfig, parse_cell, selected

__all__ = ["ABLATIONS", "Ablation", "Changes", "check_names"]

Changes = dict[str, object]
_OF_STATISTICS = ("logistic", "svm")
_MASKS: Changes = {"spec_augment.freq_mask_count": 0, "spec_augment.time_mask_count": 0}
_SHIFT: Changes = {"spec_augment.time_shift": 0.0}
_MIXUP: Changes = {"training.mixup_alpha": 0.0}
# What a map's attention is called that is a half of CBAM.
_OF_MAPS = {"channel": "se", "spatial": "spatial"}


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
        off |= _MASKS | _SHIFT | _MIXUP
    changed = {name: value for name, value in off.items() if fields[name] != value}
    return changed or "the winner has no augmentation"


def _clips(off: Changes, what: str) -> Callable[[Mapping[str, Any]], Changes | str]:
    """The ablation of an augmentation of clips, which ``what`` names."""

    def changes(fields: Mapping[str, Any]) -> Changes | str:
        if fields["model.name"] in _OF_STATISTICS:
            return f"the model takes whole recordings as they are: it has no {what}"
        changed = {name: value for name, value in off.items() if fields[name] != value}
        return changed or f"the winner has no {what}"

    return changes


def _waveforms(*kinds: str) -> Callable[[Mapping[str, Any]], Changes | str]:
    """The ablation that leaves the cells of ``kinds`` out of what training rows go through."""

    def changes(fields: Mapping[str, Any]) -> Changes | str:
        bank, cells = fields["waveform_augment.bank"], fields["waveform_augment.cells"]
        used = selected(WaveformAugmentConfig(bank=tuple(bank), cells=cells))
        left = [cell for cell in used if parse_cell(cell).kind not in kinds]
        if len(left) == len(used) or fields["waveform_augment.probability"] == 0:
            return f"the winner's training rows have no {' and no '.join(kinds)}"
        return {"waveform_augment.cells": "+".join(left) or "none"}

    return changes


def _validation(mix: str) -> Callable[[Mapping[str, Any]], Changes | str]:
    """The ablation that chooses the epoch by validation rows of another mix of emotions."""

    def changes(fields: Mapping[str, Any]) -> Changes | str:
        if fields["model.name"] in _OF_STATISTICS:
            return "the model is solved at once: validation chooses no epoch of it"
        if fields["training.task"] == "dimensions":
            return "the winner predicts dimensions, no emotions"
        if fields["training.validation_mix"] == mix:
            return f"the winner's validation rows are {mix}"
        return {"training.validation_mix": mix}

    return changes


def _resolution(size: int) -> Callable[[Mapping[str, Any]], Changes | str]:
    """The ablation that makes the spectrogram of a clip ``size`` bins by ``size`` frames."""

    def changes(fields: Mapping[str, Any]) -> Changes | str:
        if "features.mel.n_mels" not in fields:
            return "the model reads no spectrogram"
        if fields["model.name"] in _OF_STATISTICS:
            return "the model reads statistics of the spectrogram, no map"
        hop_ms = round(1000 * fields["training.clip_s"] / size, 1)
        if fields["features.mel.n_mels"] < size and fields["features.mel.hop_ms"] > hop_ms:
            return "the winner's input is smaller"
        low = {
            "features.mel.n_mels": size,
            "features.mel.hop_ms": hop_ms,
            # A window must reach from one frame to the next.
            "features.mel.window_ms": max(fields["features.mel.window_ms"], hop_ms),
        }
        changed = {name: value for name, value in low.items() if fields[name] != value}
        return changed or "the winner's input is as small"

    return changes


def _highest_branch(fields: Mapping[str, Any]) -> Changes | str:
    if "model.stem_stride" not in fields:
        return "the model has no branches"
    low = fields["model.stem_stride"] == 4
    return "the winner's highest branch is as coarse" if low else {"model.stem_stride": 4}


def _branches(number: int) -> Callable[[Mapping[str, Any]], Changes | str]:
    """The ablation that leaves EmoHRNet with ``number`` branches."""

    def changes(fields: Mapping[str, Any]) -> Changes | str:
        if "model.branches" not in fields:
            return "the model has no branches"
        if fields["model.branches"] <= number:
            return f"the winner has {fields['model.branches']}"
        return {"model.branches": number}

    return changes


def _one_attention(kind: str) -> Callable[[Mapping[str, Any]], Changes | str]:
    """The ablation that leaves ``kind`` of channel and spatial attention."""

    def changes(fields: Mapping[str, Any]) -> Changes | str:
        if fields.get("model.attention") == "both":
            return {"model.attention": kind}
        if fields.get("model.fuse_attention") == "cbam":
            return {"model.fuse_attention": _OF_MAPS[kind]}
        return "the winner has not both channel and spatial attention"

    return changes


def _mfcc_to_mel(fields: Mapping[str, Any]) -> Changes | str:
    inputs = str(fields.get("model.inputs", "")).split("+")
    if "mfcc" not in inputs:
        return "the model reads no MFCC"
    if "mel" in inputs:
        return {"model.inputs": "+".join(name for name in inputs if name != "mfcc")}
    return {"model.inputs": "+".join("mel" if name == "mfcc" else name for name in inputs)}


def _frozen(fields: Mapping[str, Any]) -> Changes | str:
    if fields.get("model.tune", "frozen") != "frozen":
        return {"model.tune": "frozen"}
    tuned = fields.get("model.pretrained") or fields.get("features.ssl.mode") == "tuned"
    if not tuned or "model.freeze_epochs" not in fields:
        return "the winner tunes nothing that was pretrained"
    epochs = fields["training.epochs"]
    waits = fields["model.freeze_epochs"] >= epochs
    return "the winner's is frozen" if waits else {"model.freeze_epochs": epochs}


def _only(stream: str) -> Callable[[Mapping[str, Any]], Changes | str]:
    """The ablation that leaves a model of two streams with ``stream``."""

    def changes(fields: Mapping[str, Any]) -> Changes | str:
        if "model.modality" not in fields:
            return "the model has one modality"
        read = fields["model.modality"]
        return {"model.modality": stream} if read == "both" else f"the winner reads {read} only"

    return changes


def _component(
    field: str, stream: str | None = None
) -> Callable[[Mapping[str, Any]], Changes | str]:
    """The ablation that takes out a part of a network, where the part's ``stream`` is read."""

    def changes(fields: Mapping[str, Any]) -> Changes | str:
        if f"model.{field}" not in fields:
            return f"the model has no {field}"
        if stream and fields.get("model.modality", "both") not in ("both", stream):
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
    if fields.get("model.head") == "attention":
        changed["model.head"] = "pool"
    return changed or "the winner has no attention"


def _head(fields: Mapping[str, Any]) -> Changes | str:
    pooled = fields.get("model.head", "pool") == "pool"
    return "the winner has no temporal head" if pooled else {"model.head": "pool"}


def _prosody(fields: Mapping[str, Any]) -> Changes | str:
    inputs = str(fields.get("model.inputs", ""))
    if inputs.endswith("+prosody"):
        return {"model.inputs": inputs.removesuffix("+prosody")}
    return {"model.prosody": False} if fields.get("model.prosody") else "the winner has no prosody"


ABLATIONS = (
    Ablation("augmentation", "arXiv 2510.06072, 2509.00077", _augmentation),
    Ablation("masks", "arXiv 2510.06072", _clips(_MASKS, "masks")),
    Ablation("time-shift", "arXiv 2510.06072", _clips(_SHIFT, "time shift")),
    Ablation("mixup", "arXiv 2509.00077", _clips(_MIXUP, "mixup")),
    Ablation("noise", "arXiv 2507.03251, 2509.00077", _waveforms("noise")),
    Ablation("pitch", "arXiv 2507.03251, 2509.00077", _waveforms("pitch")),
    Ablation("stretch", "arXiv 2507.03251, 2509.00077", _waveforms("stretch")),
    Ablation("waveforms", "arXiv 2507.03251", _waveforms("noise", "pitch", "stretch")),
    Ablation("resolution-32", "arXiv 2510.06072", _resolution(32)),
    Ablation("resolution-64", "arXiv 2510.06072", _resolution(64)),
    Ablation("resolution-128", "arXiv 2510.06072", _resolution(128)),
    Ablation("highest-branch", "arXiv 2510.06072", _highest_branch),
    Ablation("two-branches", "arXiv 2510.06072", _branches(2)),
    Ablation("one-branch", "arXiv 2510.06072", _branches(1)),
    Ablation("exchange", "arXiv 2510.06072", _component("exchange")),
    Ablation("fuse-residual", "arXiv 2510.06072", _component("fuse_residual")),
    Ablation("attention", "arXiv 2510.06072, 2507.03251", _attention),
    Ablation("channel-attention", "arXiv 2507.03251", _one_attention("channel")),
    Ablation("spatial-attention", "arXiv 2507.03251", _one_attention("spatial")),
    Ablation("temporal-head", "arXiv 2510.06072, 2507.03251", _head),
    Ablation("mfcc", "arXiv 2507.03251", _mfcc_to_mel),
    Ablation("prosody", "arXiv 2510.06072", _prosody),
    Ablation("pretrained", "arXiv 2509.00077", _pretrained),
    Ablation("frozen", "arXiv 2509.00077, 2404.13509", _frozen),
    Ablation("validation-balanced", "how a winner is chosen", _validation("balanced")),
    Ablation("validation-reversed", "how a winner is chosen", _validation("reversed")),
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
