"""What the trials of a search start from: where it is, and which settings go with it.

Settings that decide the weights' shapes, or what they mean, go with the weights: ``model.*`` but
for how it learns (dropout, say), and ``features.*``. A search that varied them would start some of
its trials from nothing, and then compare the start, not the settings; so they are fixed, as
``--set`` would, and it is said. The published settings alone are rerun from scratch, as published.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from raysearch.config.base import Places
from raysearch.config.overrides import apply_overrides
from raysearch.corpora.pretrain_section import pretraining_corpus
from raysearch.corpora.utterance import Corpus
from raysearch.errors import ConfigError, DataError, MissingPathError, RaysearchError, UserError
from raysearch.features.extractor import FeatureConfig
from raysearch.features.extractor_table import build_extractor
from raysearch.files import write_text
from raysearch.models.model_table import MODELS, build_model
from raysearch.protocols.learned import LEARNED_FROM, Learned
from raysearch.protocols.splits import Split
from raysearch.published_folder import MANIFEST, load_json, verify
from raysearch.run_folder import RACE, RunFolder
from raysearch.spec import SearchSpec
from raysearch.storage.corpora import read_corpus
from raysearch.storage.objects import is_url
from raysearch.storage.run_storage import existing_run
from raysearch.training.checkpoint import load_tensors
from raysearch.training.start_weights import PRETRAINED, WEIGHTS, Start, Taken, take_over
from raysearch.trial_config import TrialConfig
from raysearch.tuning.start_record import kept_folder, kept_record

__all__ = ["Source", "find_source", "fitted", "outline", "taken_of", "write_learned"]

ENSEMBLE = "ensemble.json"


@dataclass(frozen=True)
class Source:
    """The weights that a search's trials will start from.

    Attributes:
        origin: what it is called.
        learned: what it has learned from, or is to learn from.
        corpus: the recordings to learn from; None where the weights are there.
        folder: the published folder with the weights, if they are there.
        weights: their file in it.
        labels: the classes that they tell apart.
        config: the net's settings.
    """

    origin: str
    learned: Learned
    corpus: Corpus | None = None
    folder: Path | None = None
    weights: str = WEIGHTS
    labels: tuple[str, ...] = ()
    config: TrialConfig | None = None

    def check(self, splits: Iterable[Split]) -> None:
        """Raise LeakError if the weights know a recording or speaker that is held out."""
        for split in splits:
            self.learned.check(split, self.origin)


def find_source(spec: SearchSpec, storage: Path, run: RunFolder | None = None) -> Source | None:
    """Find the weights that the trials of ``spec`` start from; None if from nothing.

    Args:
        spec: the search.
        storage: where the demo corpus is kept.
        run: the search's own, whose ``pretrained/`` is taken if it is there already.

    Raises:
        UserError: no such corpus, run or weights, or a model of another kind.
        DataError: weights that do not say what they learned from, or are damaged.
    """
    if not spec.pretrain.wanted:
        return None
    if run is not None and (kept := kept_folder(run)) is not None:
        return replace(_read(kept, str(kept)), origin=kept_record(kept).origin)
    if spec.pretrain.weights is not None:
        return _checked(spec, _of_weights(spec.pretrain.weights))
    corpus = pretraining_corpus(spec.pretrain, lambda one: read_corpus(one, storage))
    assert corpus is not None
    return Source(f"a net of {corpus.name}", Learned.of(corpus.utterances), corpus)


def _checked(spec: SearchSpec, source: Source) -> Source:
    assert source.config is not None
    if source.config.model.name != spec.model.name:
        raise ConfigError(
            f"pretrain.weights {spec.pretrain.weights}: it is a {source.config.model.name!r}, and "
            f"this search is of {spec.model.name!r}"
        )
    return source


def _of_weights(text: str) -> Source:
    """The weights at a run's folder, at its ``best/``, or in a file of such a folder."""
    path = existing_run(text).root if is_url(text) else Path(text).expanduser()
    if not path.exists():
        raise MissingPathError(f"pretrain.weights {text}: no such run, folder or file")
    if path.is_file():
        return _read(path.parent, text, path.name)
    if (path / "spec.yaml").is_file() or (path / RACE).is_file():
        path = RunFolder.existing(path).best
        if not path.is_dir():
            raise UserError(f"pretrain.weights {text}: the run has no best/ yet: resume it")
    return _read(path, text)


def _read(folder: Path, origin: str, weights: str | None = None) -> Source:
    """The net in a published folder: that of ``weights``, else the one with the largest share."""
    try:
        verify(folder)
    except DataError as error:
        raise DataError(
            f"{origin}: weights are taken from a run, whose best/ says what they learned from, not "
            f"from files alone ({error})"
        ) from None
    config, name = _net(folder, weights)
    listed = load_json(folder / MANIFEST)
    if name not in listed or LEARNED_FROM not in listed:
        raise DataError(
            f"{origin}: does not say what it learned from, so it may have heard the test speakers: "
            "start from the best/ of a run of this version"
        )
    learned = Learned.read(folder / LEARNED_FROM)
    try:
        labels = tuple(json.loads((folder / "labels.json").read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise DataError(f"{folder}: cannot be read as a model ({error})") from None
    run = folder.parent.name if folder.name in ("best", PRETRAINED) else folder.name
    return Source(f"the model of {run}", learned, None, folder, name, labels, config)


def _net(folder: Path, weights: str | None) -> tuple[TrialConfig, str]:
    """The settings and the weights' file of one net; a partner on functionals is none."""
    if not (folder / ENSEMBLE).is_file():
        name = weights or WEIGHTS
        if name != WEIGHTS:
            raise DataError(f"{folder / name}: not the weights of a model: name {WEIGHTS}")
        return _config(folder, load_json(folder / "config.json")), name
    nets = [net for net in load_json(folder / ENSEMBLE)["nets"] if net["trial"] is not None]
    if weights is not None:
        nets = [net for net in nets if net["weights"] == weights]
    if not nets:
        raise DataError(f"{folder / (weights or ENSEMBLE)}: no net of this model to start from")
    net = max(nets, key=lambda one: float(one["share"]))
    return _config(folder, net["config"]), str(net["weights"])


def _config(folder: Path, data: Mapping[str, Any]) -> TrialConfig:
    return TrialConfig.from_dict(data, places=Places(str(folder)))


def fitted(spec: SearchSpec, source: Source | None) -> tuple[SearchSpec, list[str]]:
    """Lay the settings that go with the weights over ``spec``.

    Returns:
        The new spec, and those settings as ``key=value``.

    Raises:
        ConfigError: the weights' settings are refused here.
    """
    if source is None:
        return spec, []
    given = spec.base if source.config is None else source.config
    own, theirs = spec.base.fields(), given.fields()
    names = [
        name
        for name in theirs
        if _goes_with(name, spec, given)
        and (name in spec.space.fields or own.get(name) != theirs[name])
    ]
    data, plain = spec.to_dict(), given.to_dict()
    values = [(name, _at(plain, name)) for name in names]
    apply_overrides(data, Places(), values)
    places = Places(f"the settings of {source.origin}")
    fitted_spec = replace(SearchSpec.from_dict(data, places=places), remarks=spec.remarks)
    return fitted_spec, [f"{k}={v}" for k, v in values]


def _goes_with(name: str, spec: SearchSpec, given: TrialConfig) -> bool:
    """Whether the field ``name`` is one that the weights' shapes or meaning depend on."""
    section, _, field = name.rpartition(".")
    if section == "model":
        return field not in MODELS.load(spec.model.name).learning_fields
    stream = section.removeprefix("features.")
    if stream == section:
        return False
    # A file of equal content at another path is the same setting.
    return field != "weights" or not _same(spec.base.features.get(stream), given.features[stream])


def _same(first: FeatureConfig | None, second: FeatureConfig) -> bool:
    """Whether two streams are of the same weights."""
    try:
        return first is not None and first.identity()["weights"] == second.identity()["weights"]
    except (RaysearchError, OSError):
        return False  # a file that is gone


def _at(data: Mapping[str, Any], dotted: str) -> Any:
    found: Any = data
    for part in dotted.split("."):
        found = found[part]
    return found


def outline(
    spec: SearchSpec, source: Source, labels: tuple[str, ...], settings: Sequence[str]
) -> list[str]:
    """Describe a start to the user: what it is, how much is taken over, what goes with it.

    Args:
        spec: the search, fitted to ``source``.
        source: what its trials start from, audited.
        labels: the classes that they tell apart.
        settings: as ``fitted`` gave them.

    Raises:
        DataError: nothing of it fits a trial's network.
    """
    known = "of whom none is tested or validated on"
    if source.folder is not None:
        tensors = load_tensors(source.folder / source.weights)
        taken = taken_of(spec, Start(tensors, source.labels, ""), labels)
        what = f"{source.origin}: {taken.describe()}, learned from"
    else:
        epochs = spec.pretrain.epochs or spec.training.epochs
        what = f"{source.origin}, to be learned first, {epochs} epochs from"
    lines = [f"start: {what} {source.learned.describe()}, {known}"]
    return lines + (
        [f"fixed, as the weights go with them: {', '.join(settings)}"] if settings else []
    )


def write_learned(run: RunFolder, split: Split, before: Learned | None) -> None:
    """Record what the run's models learn from or are chosen by, for whoever starts from them.

    Args:
        run: the run.
        split: its data.
        before: what its trials start from has learned from.
    """
    learned = Learned.of((*split.train, *split.validation))
    if before is not None:
        learned |= before
    write_text(run.root / LEARNED_FROM, learned.to_csv())


def taken_of(spec: SearchSpec, start: Start, labels: tuple[str, ...]) -> Taken:
    """Count how much of a trial's network ``start`` gives.

    Raises:
        DataError: nothing.
    """
    config = spec.base
    shapes = {
        name: build_extractor(feature).shape(config.training.clip_s)
        for name, feature in config.used_features.items()
    }

    def network(num_classes: int) -> Any:
        return build_model(config.model, shapes, num_classes)

    return take_over(network(len(labels)), start, labels, network)
