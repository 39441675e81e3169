"""What a winner owes to each of its parts: the ablations that the papers name, by the rules.

An ablation changes settings of the run's winner and nothing else. It is retrained with three
seeds on the run's fold, over as many epochs, its epoch chosen by validation, and scored on test
beside the winner. A difference is claimed as ``compare`` allows.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from raysearch.errors import UserError
from raysearch.evaluation.arm import Arm, retrain
from raysearch.evaluation.compare import compare_all
from raysearch.evaluation.evaluate import own_arm
from raysearch.evaluation.predict import predict_arm
from raysearch.evaluation.scores import score
from raysearch.files import write_json
from raysearch.lease import RunLease
from raysearch.run_folder import RunFolder
from raysearch.spec import trial_identity
from raysearch.training.checkpoint import load_json
from raysearch.trial_config import TrialConfig
from raysearch.tuning.preparation import prepare_features
from raysearch.tuning.tuner import Watcher, start_pool

__all__ = ["ABLATIONS", "Ablation", "ablate", "stored_ablations"]

Changes = dict[str, Any]
LOW_RESOLUTION = 32


@dataclass(frozen=True, slots=True)
class Ablation:
    """One question.

    Attributes:
        name: as ``--only`` takes it.
        source: who asks it.
        changes: a winner's fields to what is changed, or why there is nothing to change.
    """

    name: str
    source: str
    changes: Callable[[Mapping[str, Any]], Changes | str]


def _augmentation(fields: Mapping[str, Any]) -> Changes | str:
    off: Changes = {
        "spec_augment.freq_mask_count": 0,
        "spec_augment.time_mask_count": 0,
        "spec_augment.time_shift": 0.0,
        "waveform_augment.cells": "none",
        "training.mixup_alpha": 0.0,
    }
    changed = {name: value for name, value in off.items() if fields[name] != value}
    return changed or "the winner has no augmentation"


def _resolution(fields: Mapping[str, Any]) -> Changes | str:
    if "features.mel.n_mels" not in fields:
        return "the model reads no spectrogram"
    hop_ms = round(1000 * fields["training.clip_s"] / LOW_RESOLUTION, 1)
    return {
        "features.mel.n_mels": LOW_RESOLUTION,
        "features.mel.hop_ms": hop_ms,
        # A window must reach from one frame to the next.
        "features.mel.window_ms": max(fields["features.mel.window_ms"], hop_ms),
    }


def _without(field: str, value: Any, absent: str) -> Callable[[Mapping[str, Any]], Changes | str]:
    """The ablation that sets ``field`` to ``value``, where the model has it set otherwise."""

    def changes(fields: Mapping[str, Any]) -> Changes | str:
        if field not in fields:
            return f"the model has no {field.rpartition('.')[2]}"
        return absent if fields[field] == value else {field: value}

    return changes


def _attention(fields: Mapping[str, Any]) -> Changes | str:
    off = {"model.fuse_attention": "none", "model.attention": "none"}
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
    Ablation("attention", "arXiv 2507.03251, 2404.13509", _attention),
    Ablation("prosody", "arXiv 2510.06072", _prosody),
    Ablation(
        "pretrained",
        "arXiv 2509.00077",
        _without("model.pretrained", False, "the winner was not pretrained"),
    ),
    Ablation(
        "mel-only",
        "arXiv 2404.13509",
        _without("model.modality", "mel", "the winner reads no speech encoder"),
    ),
    Ablation(
        "ssl-only",
        "arXiv 2404.13509",
        _without("model.modality", "ssl", "the winner reads no spectrogram"),
    ),
    *(
        Ablation(
            name,
            "arXiv 2404.13509",
            _without(f"model.{field}", False, f"the winner has no {name}"),
        )
        for name, field in (
            ("multi-spatial-fusion", "multi_spatial"),
            ("grf", "grf"),
            ("cooperative-attention", "cooperative"),
        )
    ),
)


def stored_ablations(run: RunFolder) -> dict[str, Any]:
    """What was found before; nothing if nothing was."""
    path = run.root / "ablations.json"
    return load_json(path) if path.exists() else {}


def ablate(
    run: RunFolder,
    lease: RunLease,
    *,
    names: Sequence[str] = (),
    storage: Path,
    watcher: Watcher,
) -> dict[str, Any]:
    """Retrain and score the winner without each part; what is stored is not done again.

    Args:
        run: a searched run.
        lease: of its folder.
        names: which ablations; none given: all.
        storage: where features are kept.
        watcher: who is told.

    Returns:
        ``winner`` and ``ablations``: name to ``changes``, figures and comparison; ``skipped``:
        name to reason.

    Raises:
        UserError: no such ablation, or a winner that none applies to.
    """
    own = own_arm(run, run.spec(), storage)
    changes = _applicable(own.config, names)
    arms = {"winner": own, **_arms(run, own, changes)}
    if len(arms) == 1:
        reasons = "; ".join(f"{name}: {why}" for name, why in changes.items())
        raise UserError(f"{run.root}: nothing to ablate ({reasons})")
    arms = {
        name: replace(arm, bank=prepare_features(arm.feature_spec, arm.audited.split, storage))
        for name, arm in arms.items()
    }
    tasks = [task for arm in arms.values() for task in arm.tasks(run.root.absolute(), lease)]
    if tasks:
        watcher.say(f"retraining {len(arms)} arms: {len(tasks)} times")
        with start_pool(own.spec, run) as pool:
            pool.wait_for(len(pool.slots), watcher.say)
            retrain(pool, tasks, watcher.say)
    tables = {name: predict_arm(arm, storage, watcher.progress)[0] for name, arm in arms.items()}
    found = _found(arms, tables, changes)
    write_json(run.root / "ablations.json", found)
    return found


def _applicable(config: TrialConfig, names: Sequence[str]) -> dict[str, Changes | str]:
    known = {ablation.name: ablation for ablation in ABLATIONS}
    for name in names:
        if name not in known:
            raise UserError(f"--only {name}: no such ablation (one of: {', '.join(known)})")
    fields = config.fields()
    used = {f"features.{stream}" for stream in config.used_features}
    fields = {
        name: value
        for name, value in fields.items()
        if not name.startswith("features.") or name.rpartition(".")[0] in used
    }
    return {name: known[name].changes(fields) for name in names or known}


def _arms(run: RunFolder, own: Arm, changes: Mapping[str, Changes | str]) -> dict[str, Arm]:
    arms = {}
    for name, change in changes.items():
        if isinstance(change, str):
            continue
        config = own.config.replace(change)
        search = own.spec.search
        identity = trial_identity(config, own.audited.split.identity(), search.workers, search.seed)
        folder = run.root / "ablations" / name
        arms[name] = replace(own, config=config, identity=identity, weights=None, folder=folder)
    return arms


def _found(
    arms: Mapping[str, Arm], tables: Mapping[str, pa.Table], changes: Mapping[str, Changes | str]
) -> dict[str, Any]:
    own = arms["winner"]
    where = {"fold": own.audited.split.fold}
    figures = {
        name: score(table, protocol=own.spec.protocol.name, where=where, notes=[])
        for name, table in tables.items()
    }
    compared = {one.first: one.to_dict() for one in compare_all(tables)}
    return {
        "trial": own.identity,
        "winner": figures["winner"],
        "ablations": {
            name: {
                "changes": changes[name],
                "figures": figures[name],
                "comparison": compared[name],
            }
            for name in arms
            if name != "winner"
        },
        "skipped": {name: why for name, why in changes.items() if isinstance(why, str)},
    }
