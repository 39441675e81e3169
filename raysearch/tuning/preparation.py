"""From settings to audited splits and computed features: what a search needs before it starts."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ray

from raysearch.config.identity import canonical_json
from raysearch.corpora.utterance import Corpus
from raysearch.protocols.audit import Audit, audit, check_siblings
from raysearch.protocols.splits import Split, inner_splits
from raysearch.spec import SearchSpec, TrialConfig, check_ready, feature_sets
from raysearch.storage.corpora import read_corpus
from raysearch.streaming.node_cache import start_node_caches
from raysearch.streaming.rows import SplitRows, split_rows
from raysearch.streaming.shards import FeatureSet, ensure_features
from raysearch.streaming.store import FeatureSource
from raysearch.streaming.tiers import choose_tier

if TYPE_CHECKING:
    from raysearch.corpora.utterance import Utterance
    from raysearch.features.extractor import FeatureConfig

__all__ = ["AuditedSplit", "FeatureBank", "feature_store", "prepare_features", "prepare_split"]

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class AuditedSplit:
    """A split that the audit has let pass.

    Attributes:
        corpus: the utterances.
        split: what the search's winner is retrained and tested on.
        audit: of that split.
        inner: further splits with other validation rows, if a trial is judged on several.
    """

    corpus: Corpus
    split: Split
    audit: Audit
    inner: tuple[Split, ...] = ()

    def identity(self, spec: SearchSpec) -> dict[str, Any]:
        """What of the data decides a search of ``spec``."""
        by_speaker = spec.training.by_speaker
        identity, *inner = (s.identity(speakers=by_speaker) for s in (self.split, *self.inner))
        return {**identity, "inner": inner} if inner else identity


@dataclass(frozen=True, slots=True)
class FeatureBank:
    """The features of one split's training and validation rows, for every set that is searched.

    Attributes:
        rows: the usable rows; quarantined ones are left out of every set alike.
        rows_ref: a list of them and of the inner splits' rows in Ray's object store.
        sources: canonical feature config to its source.
        quarantined: utterance id to reason.
        tier: where trials find the features.
        tier_reason: why there.
        caches: the nodes' cache actors, which end with this object.
    """

    rows: SplitRows
    rows_ref: Any
    sources: Mapping[str, FeatureSource]
    quarantined: Mapping[str, str]
    tier: str
    tier_reason: str
    caches: Sequence[Any]

    def data(self, config: TrialConfig) -> dict[str, Any]:
        """What a worker needs to open the data of a trial."""
        sources = {
            stream: self.sources[_key(stream, feature)]
            for stream, feature in config.used_features.items()
        }
        return {"rows": self.rows_ref, "sources": sources, "tier": self.tier}


def feature_store(storage: Path) -> Path:
    """The folder of all feature sets under ``storage``."""
    return storage / ".features"


def prepare_split(spec: SearchSpec, storage: Path) -> AuditedSplit:
    """Look for pretrained weights, read the corpus, split it, and audit the split.

    Raises:
        UserError: the corpus' folder or a setting is wrong.
        DataError: nothing usable, or a split that leaks.
    """
    check_ready(spec)
    corpus = read_corpus(spec.corpus, storage)
    splits = inner_splits(corpus, spec.protocol, spec.search.inner_folds)
    audits = [audit(split) for split in splits]
    for verdict in audits:
        verdict.check()
    return AuditedSplit(corpus, splits[0], audits[0], tuple(splits[1:]))


def prepare_features(
    spec: SearchSpec,
    split: Split,
    storage: Path,
    *,
    inner: Sequence[Split] = (),
    on_progress: Progress | None = None,
) -> FeatureBank:
    """Compute what is missing of every feature set that ``spec`` can ask for.

    Args:
        spec: the search; its ``search.tier`` may force where features are held.
        split: whose training and validation rows.
        inner: further splits of the same rows.
        storage: where the feature store lies.
        on_progress: told (feature set, rows done, rows missing at the start).

    Raises:
        QuarantineError: too much of the audio is unusable.
        LeakError: an augmented sibling of a held-out recording is among the training rows.
    """
    sets: dict[str, list[FeatureSet]] = {}
    for stream, config in (item for streams in feature_sets(spec) for item in streams.items()):
        if (key := _key(stream, config)) not in sets:
            sets[key] = _ensure_all(spec, (split, *inner), stream, config, storage, on_progress)
    parts = [part for both in sets.values() for part in both]
    quarantined = {name: why for part in parts for name, why in part.quarantined.items()}
    usable = [split_rows(s, quarantined, spec.waveform_augment.bank) for s in (split, *inner)]
    for rows, one in zip(usable, (split, *inner), strict=True):
        # Under the papers' random split shared recordings are counted, not refused.
        if one.protocol != "paper":
            held_out = {row.content_hash for row in (*one.validation, *one.test)}
            check_siblings(rows.augmented(), held_out)
    caches = start_node_caches()
    # The largest set that one trial can ask for, all of its streams together.
    largest = max(
        sum(part.num_bytes for item in streams.items() for part in sets[_key(*item)])
        for streams in feature_sets(spec)
    )
    tier, reason = _tier(spec, largest)
    return FeatureBank(
        rows=usable[0],
        rows_ref=ray.put(usable),
        sources={key: both[0].source for key, both in sets.items()},
        quarantined=quarantined,
        tier=tier,
        tier_reason=reason,
        caches=caches,
    )


def _ensure_all(
    spec: SearchSpec,
    splits: Sequence[Split],
    stream: str,
    config: "FeatureConfig",
    storage: Path,
    on_progress: Progress | None,
) -> list[FeatureSet]:
    """The clean training and validation rows, and the bank's cells of the training rows."""

    def ensure(rows: "Sequence[Utterance]", cells: Sequence[str], what: str) -> FeatureSet:
        def report(done: int, total: int) -> None:
            if on_progress:
                on_progress(f"{stream} features ({what})", done, total)

        return ensure_features(
            rows,
            stream,
            config,
            feature_store(storage),
            corpus=spec.corpus.name,
            cells=cells,
            on_progress=report,
            max_quarantined=spec.corpus.max_quarantined,
        )

    first = splits[0]
    clean = ensure([*first.train, *first.validation], ("",), config.extractor)
    if not spec.waveform_augment.bank:
        return [clean]
    learned = {row.id: row for split in splits for row in split.train}
    usable = [row for name, row in learned.items() if name not in clean.quarantined]
    return [clean, ensure(usable, spec.waveform_augment.bank, "augmentation cells")]


def _tier(spec: SearchSpec, num_bytes: int) -> tuple[str, str]:
    if spec.search.tier != "auto":
        return spec.search.tier, "asked for"
    nodes: list[dict[str, Any]] = [node for node in ray.nodes() if node["Alive"]]
    host_budget = min(node["Resources"].get("object_store_memory", 0) for node in nodes) // 2
    return choose_tier(num_bytes, _free_gpu_bytes(), int(host_budget))


def _free_gpu_bytes() -> int | None:
    import torch

    return torch.cuda.mem_get_info()[0] if torch.cuda.is_available() else None


def _key(stream: str, config: "FeatureConfig") -> str:
    return f"{stream}:{canonical_json(config)}"
