"""The small searches whose ledgers are kept here: a space, what is fixed in it, what befalls it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["SEARCHES", "Sitting"]

# Of whichever space has these fields: what costs time is small, the rest is searched as shipped.
SMALL = {
    "features.mel.n_mels": 20,
    "features.mel.hop_ms": 20.0,
    "features.mfcc.n_mfcc": 13,
    "features.mfcc.deltas": 0,
    "features.mfcc.hop_ms": 25.0,
    "features.functionals.hop_ms": 40.0,
    "features.functionals.groups": "prosody",
    "training.batch_size": 64,
    "training.clip_s": 1.0,
    "training.epochs": 4,
    "model.branches": 2,
    "model.blocks": 1,
    "model.stem_width": 16,
    "model.stem_stride": 4,
}
SEARCH = {
    "search.trials": 10,
    "search.slots": 1,
    "search.inner_folds": 1,
    "search.final": "single",
    "search.fusion": False,
    "search.checkpoint_every_s": 1e6,
}
HASTY = {"training.warmup_epochs": 0, "search.grace_epochs": 1, "search.noise": 0}
WHOLE_UTTERANCE = {"training.clip_s": 60.0, "training.epochs": 1}
NARROW = {"model.width": 8, **HASTY}


@dataclass(frozen=True)
class Sitting:
    """One driver's part in a search.

    Attributes:
        settings: dotted keys that differ from the search's.
        befalls: what happens after which event: ``(what, event, number)``; what is ``crash`` (an
            error in the driver), ``signal`` (SIGTERM), ``worker`` (a worker is killed),
            ``host`` (a slot's host is killed), or what somebody asks for: ``stop_trial``,
            ``more`` trials, to ``try`` settings, ``stop``.
    """

    settings: Mapping[str, Any] = field(default_factory=dict)
    befalls: tuple[tuple[str, str, int], ...] = ()


@dataclass(frozen=True)
class Search:
    """A search: its space, its settings, its drivers one after the other."""

    space: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    sittings: tuple[Sitting, ...] = (Sitting(),)


SEARCHES = {
    # Every system in its own space, and every rule.
    "emohrnet": Search("emohrnet", {**NARROW, "search.slots": 2, "search.scheduler": "promote"}),
    "resnet34": Search(
        "resnet34",
        {
            **HASTY,
            "model.pretrained": False,
            "waveform_augment.bank": ["noise:15"],
            "training.epochs": 2,
            "search.scheduler": "asha",
            "search.trials": 6,
        },
    ),
    "cnn": Search("cnn", {**HASTY, "search.inner_folds": 2, "search.scheduler": "promote"}),
    "lstm": Search(
        "lstm",
        {
            **HASTY,
            "training.epochs": 6,
            "search.slots": 2,
            "search.scheduler": "asha",
            "search.reduction_factor": 2,
            "search.trials": 12,
        },
    ),
    "mfhca": Search("mfhca", {**HASTY, "search.scheduler": "median", "search.trials": 8}),
    "cnn1d_attention": Search(
        "cnn1d_attention", {"training.epochs": 2, "search.slots": 2, "search.scheduler": "none"}
    ),
    "svm": Search(
        "svm",
        {**WHOLE_UTTERANCE, "search.slots": 2, "search.scheduler": "none", "search.trials": 16},
    ),
    "logistic": Search(
        "logistic", {**WHOLE_UTTERANCE, "search.scheduler": "none", "search.trials": 16}
    ),
    "ssl": Search(
        "ssl",
        {
            "training.clip_s": 60.0,
            "training.epochs": 9,
            "search.grace_epochs": 2,
            "search.scheduler": "asha",
            "search.objective": "val_loss",
            "search.trials": 12,
        },
    ),
    # What befalls searches.
    "steered": Search(
        "emohrnet",
        {**NARROW, "search.scheduler": "promote", "search.trials": 6},
        (
            Sitting(
                befalls=(
                    ("try", "epoch", 1),
                    ("stop_trial", "paused", 2),
                    ("more", "epoch", 3),
                    ("stop_trial", "epoch", 4),
                    ("stop", "started", 8),
                )
            ),
            Sitting(),
        ),
    ),
    "resumed": Search(
        "emohrnet",
        {**NARROW, "search.slots": 2, "search.scheduler": "promote", "search.trials": 12},
        (
            Sitting(befalls=(("crash", "epoch", 3),)),
            Sitting(befalls=(("signal", "epoch", 6),)),
            Sitting(),
        ),
    ),
    "failing": Search(
        "emohrnet",
        {
            **NARROW,
            "model.name": "failing_model:FailingHRNet",
            "space.model.width": {"choice": [8, 12, 16]},
            "search.published_first": False,
            "search.defaults_first": False,
            "search.seed": 1,
        },
    ),
    "losing_slots": Search(
        "emohrnet",
        {**NARROW, "search.slots": 2, "search.checkpoint_every_s": 0, "search.scheduler": "asha"},
        (Sitting(befalls=(("worker", "epoch", 2), ("host", "epoch", 4))),),
    ),
    "two_workers": Search(
        "emohrnet",
        {**NARROW, "search.workers": 2, "search.scheduler": "promote", "search.trials": 8},
    ),
    "epoch_budget": Search(
        "cnn1d_attention",
        {**HASTY, "training.epochs": 6, "search.slots": 2, "search.trials": 7},
        (Sitting({"search.epoch_budget": 8}), Sitting({"search.epoch_budget": 26})),
    ),
    "time_budget": Search(
        "lstm",
        {**HASTY, "search.final": "refit", "search.time_budget": "30s", "search.trials": 500},
    ),
}
