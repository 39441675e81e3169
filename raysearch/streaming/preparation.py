"""From settings to audited splits and computed features: what a search needs before it starts."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import ray

from raysearch.config.identity import canonical_json
from raysearch.config.search import SearchConfig
from raysearch.corpora.corpus_table import CorpusConfig
from raysearch.corpora.header import HeaderError, read_header
from raysearch.corpora.reasons import check_share
from raysearch.corpora.utterance import Corpus
from raysearch.prerequisites import check_prerequisites, own_settings
from raysearch.protocols.audit import Audit, audit, check_siblings
from raysearch.protocols.splits import Split, inner_splits, without_validation
from raysearch.ray_cluster.gpu_memory import least_gpu_bytes, nodes_with_gpus
from raysearch.ray_cluster.slot_broker import living_nodes
from raysearch.spec import SearchSpec, TrialConfig
from raysearch.storage.corpora import read_corpus
from raysearch.streaming.rated_rows import rated_rows
from raysearch.streaming.shards import FeatureSet, ensure_features
from raysearch.streaming.split_rows import SplitRows, split_rows
from raysearch.streaming.store import FeatureSource, feature_store
from raysearch.streaming.tiers import Tier, choose_tier, scoring_tier
from raysearch.streaming.trial_features import TrialFeatures
from raysearch.streaming.votes_in_use import check_votes, votes_field
from raysearch.streaming.wanted_features import WantedFeatures

if TYPE_CHECKING:
    from raysearch.corpora.utterance import Utterance
    from raysearch.features.extractor import FeatureConfig

__all__ = [
    "AuditedSplit",
    "FeatureBank",
    "audited_split",
    "prepare_features",
    "prepare_split",
    "tier_for",
]

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class AuditedSplit:
    """A split that has passed the leak audit.

    Attributes:
        corpus: the utterances.
        split: what the search's winner is retrained and tested on.
        audit: of that split.
        inner: further splits with other validation rows, on which a trial is judged as well.
    """

    corpus: Corpus
    split: Split
    audit: Audit
    inner: tuple[Split, ...] = ()

    def identity(self, spec: SearchSpec) -> dict[str, object]:
        """Return what of the data decides a search of ``spec``."""
        by_speaker, by_votes = spec.training.by_speaker, votes_field(spec) is not None
        identity, *inner = (
            split.identity(speakers=by_speaker, votes=by_votes)
            for split in (self.split, *self.inner)
        )
        return {**identity, "inner": inner} if inner else identity


@dataclass(frozen=True, slots=True)
class FeatureBank:
    """The features of one split's training and validation rows, for every set that is searched.

    Attributes:
        inner: the usable rows of the split and of further inner ones; quarantined ones are left
            out of every set alike.
        rows_ref: ``inner`` in Ray's object store.
        all_rows: training and validation rows together, all to learn from.
        sources: canonical feature config to its source.
        quarantined: utterance id to reason.
        tier: where trials find the features.
        tier_reason: why there.
    """

    inner: tuple[SplitRows, ...]
    rows_ref: ray.ObjectRef
    all_rows: SplitRows
    sources: Mapping[str, FeatureSource]
    quarantined: Mapping[str, str]
    tier: Tier
    tier_reason: str

    @property
    def scoring_tier(self) -> Tier:
        """Where the features are read to score nets, on the CPU."""
        return scoring_tier(self.tier)

    @property
    def rows(self) -> SplitRows:
        """The rows of the split itself, without its further inner splits."""
        return self.inner[0]

    def of_rows(self, rows: SplitRows) -> "FeatureBank":
        """Return the same features for trainings on other rows."""
        return replace(self, inner=(rows,), rows_ref=ray.put([rows]))

    def data(self, config: TrialConfig) -> TrialFeatures:
        """Return what a worker needs to open the data of a trial."""
        return TrialFeatures(self.rows_ref, self.sources_of(config), self.tier)

    def sources_of(self, config: TrialConfig) -> dict[str, FeatureSource]:
        """Return the stores of the streams that these settings read."""
        return {
            stream: self.sources[_key(stream, feature)]
            for stream, feature in config.used_features.items()
        }


def prepare_split(spec: SearchSpec, storage: Path) -> AuditedSplit:
    """Look for pretrained weights, read the corpus, split it, and audit the split.

    Raises:
        UserError: the corpus' folder or a setting is wrong.
        DataError: nothing usable, a split that leaks, or too much audio to learn from whose
            headers cannot be read; test rows are looked at when they are evaluated.
    """
    check_prerequisites(spec)
    return audited_split(spec, read_corpus(spec.corpus, storage))


def audited_split(spec: SearchSpec, corpus: Corpus) -> AuditedSplit:
    """Split a corpus that was read, and audit the split; raises as ``prepare_split``."""
    corpus, dimensions, notes = rated_rows(spec.training, corpus)
    splits = [
        replace(split, dimensions=dimensions, notes=(*split.notes, *notes))
        for split in inner_splits(corpus, spec.protocol, spec.search.inner_folds)
    ]
    audits = [audit(split) for split in splits]
    for verdict in audits:
        verdict.check()
    _check_headers(splits[0], spec.corpus.max_quarantined)
    check_votes(spec, splits[0])
    return AuditedSplit(corpus, splits[0], audits[0], tuple(splits[1:]))


def _check_headers(split: Split, max_quarantined: float) -> None:
    rows = (*split.train, *split.validation)
    bad: dict[str, str] = {}
    for row in rows:
        if row.sample_rate is None:
            try:
                read_header(row.path)
            except HeaderError as error:
                bad[row.id] = str(error)
    check_share(bad, len(rows), max_quarantined)


def prepare_features(
    wanted: WantedFeatures,
    split: Split,
    storage: Path,
    *,
    corpus: CorpusConfig,
    search: SearchConfig,
    inner: Sequence[Split] = (),
    on_progress: Progress | None = None,
) -> FeatureBank:
    """Compute what is missing of every feature set that is ``wanted``.

    Augmentation cells are computed of validation rows as well, from which a refit learns.

    Args:
        wanted: the feature sets.
        split: whose training and validation rows.
        inner: further splits of the same rows.
        storage: where the feature store lies.
        corpus: by whose name it is kept, and how much of its audio may be unusable.
        search: where features are held, and how much disk their parts may take.
        on_progress: told (feature set, rows done, rows missing at the start).

    Raises:
        QuarantineError: too much of the audio is unusable.
        LeakError: an augmented sibling of a held-out recording is among the training rows.
    """
    sets: dict[str, list[FeatureSet]] = {}
    whole = without_validation(split)
    streams = wanted.streams()
    told = {_key(stream, config): (stream, config) for stream, config, _ in streams}
    for stream, config, cells in streams:
        if (key := _key(stream, config)) not in sets:
            alike = [other for name, other in told.values() if name == stream]
            own = own_settings(config, alike)
            ensure = _Ensuring(corpus, search, feature_store(storage), on_progress, stream, own)
            sets[key] = ensure.all(whole, config, cells)
    parts = [part for both in sets.values() for part in both]
    quarantined = {name: why for part in parts for name, why in part.quarantined.items()}
    splits = (split, *inner, whole)
    usable = [split_rows(s, quarantined, wanted.cells) for s in splits]
    for rows, one in zip(usable, splits, strict=True):
        # Under the papers' random split shared recordings are counted, not refused.
        if one.protocol != "paper":
            held_out = {row.content_hash for row in (*one.validation, *one.test)}
            check_siblings(rows.augmented(), held_out)
    # The largest set that one trial can ask for, all of its streams together.
    largest = max(
        sum(part.num_bytes for item in together.items() for part in sets[_key(*item)])
        for together in wanted.sets
    )
    tier, reason = tier_for(search, largest)
    return FeatureBank(
        inner=tuple(usable[:-1]),
        rows_ref=ray.put(usable[:-1]),
        all_rows=usable[-1],
        sources={key: both[0].source for key, both in sets.items()},
        quarantined=quarantined,
        tier=tier,
        tier_reason=reason,
    )


@dataclass(frozen=True)
class _Ensuring:
    """Computes what is missing of one stream.

    Attributes:
        corpus, search, store: as ``prepare_features`` has them.
        on_progress: told how far it is.
        stream: which.
        own: tells its sets apart for the user.
    """

    corpus: CorpusConfig
    search: SearchConfig
    store: Path
    on_progress: Progress | None
    stream: str
    own: str

    def all(self, whole: Split, config: "FeatureConfig", cells: Sequence[str]) -> list[FeatureSet]:
        """The rows of ``whole`` clean, and after each augmentation cell."""
        clean = self._ensure(whole.train, config, ("",), config.extractor)
        if not cells:
            return [clean]
        usable = [row for row in whole.train if row.id not in clean.quarantined]
        return [clean, self._ensure(usable, config, cells, "augmentation cells")]

    def _ensure(
        self, rows: "Sequence[Utterance]", config: "FeatureConfig", cells: Sequence[str], what: str
    ) -> FeatureSet:
        def report(done: int, total: int) -> None:
            if self.on_progress:
                self.on_progress(f"{self.stream} features ({what}{self.own})", done, total)

        return ensure_features(
            rows,
            self.stream,
            config,
            self.store,
            corpus=self.corpus.name,
            cells=cells,
            on_progress=report,
            max_quarantined=self.corpus.max_quarantined,
            disk_bytes=self.search.stream_disk_bytes,
        )


def tier_for(search: SearchConfig, num_bytes: int) -> tuple[Tier, str]:
    """Where ``num_bytes`` of features are held while a trial trains, and why there."""
    if search.tier != "auto":
        return search.tier, "asked for"
    nodes = living_nodes()
    # The driver's node among them: it scores what was trained, with all features in its cache.
    host_budget = min(node["Resources"].get("object_store_memory", 0) for node in nodes) // 2
    share = search.gpus_per_worker
    free = least_gpu_bytes(share, nodes)
    tier, reason = choose_tier(num_bytes, free, int(host_budget))
    if free is None and share != 0 and nodes_with_gpus(nodes):
        reason += "; a node did not say how much of its GPUs' memory is free"
    return tier, reason


def _key(stream: str, config: "FeatureConfig") -> str:
    return f"{stream}:{canonical_json(config)}"
