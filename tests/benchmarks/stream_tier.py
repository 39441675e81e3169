"""What the stream tier costs beside the host tier: wall time an epoch, memory, disk.

    python tests/benchmarks/stream_tier.py /path/to/corpora/nemo/manifest.csv

Both tiers train the same net on the same batches of the same epochs, in alternation, on one core.
The stream's parts lie in a storage by URL (a folder's, so that no server takes part of the core);
the node keeps a tenth of the features' bytes on disk. Then ten epochs of each of three feature sets
are streamed in turn, and after each round this process' memory, Ray's object store and the node's
disk are told.
"""

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import ray
import torch

from raysearch.corpora.corpus_table import CorpusConfig, load_corpus
from raysearch.features.log_mel import LogMelConfig
from raysearch.spec import SearchSpec
from raysearch.storage.replica import open_storage
from raysearch.streaming.node_cache import NodeCache
from raysearch.streaming.shards import FeatureSet, ensure_features
from raysearch.streaming.split_rows import RowTable, SplitRows
from raysearch.streaming.store import FeatureSource
from raysearch.streaming.tiers import Tier, open_trial_data
from raysearch.training.data import TrialData
from raysearch.training.learner import Learner

NUM_VALIDATION, CLIP_S = 150, 3.0
SPACE = "emohrnet"
# The first is what the two tiers are compared with.
SETS = (LogMelConfig(), LogMelConfig(n_mels=40), LogMelConfig(hop_ms=20))


def main() -> None:
    """Print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--pairs", type=int, default=3, help="alternations of the two tiers")
    parser.add_argument(
        "--epochs", type=int, default=10, help="streamed epochs whose memory is told"
    )
    parser.add_argument("--shuffle-rows", type=int, default=8192)
    parser.add_argument("--share", type=float, default=0.1, help="of the features kept on disk")
    options = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as scratch:
        os.environ["XDG_CACHE_HOME"] = f"{scratch}/node"
        ray.init(
            "local",
            num_cpus=2,
            object_store_memory=1 << 30,
            log_to_driver=False,
            include_dashboard=False,
        )
        storage = open_storage(f"file://{scratch}/bucket")
        sets, rows = _featurized(options.manifest, storage)
        print(json.dumps(_measured(sets, rows, options), indent=1))
        ray.shutdown()


def _featurized(manifest: Path, storage: Path) -> tuple[list[FeatureSet], SplitRows]:
    corpus = load_corpus(CorpusConfig(name="manifest", data=str(manifest)), storage)
    sets = [
        ensure_features(corpus.utterances, "mel", config, storage / ".features", corpus=corpus.name)
        for config in SETS
    ]
    bad = {one for found in sets for one in found.quarantined}
    usable = [u for u in corpus.utterances if u.id not in bad]
    labels = sorted({u.emotion for u in usable})

    def table(items: Any) -> RowTable:
        return RowTable(
            tuple(u.id for u in items),
            tuple(u.content_hash for u in items),
            tuple(labels.index(u.emotion) for u in items),
        )

    train, validation = usable[NUM_VALIDATION:], usable[:NUM_VALIDATION]
    return sets, SplitRows(table(train), table(validation), tuple(labels))


def _measured(
    sets: Sequence[FeatureSet], rows: SplitRows, options: argparse.Namespace
) -> Mapping[str, Any]:
    features = sets[0]
    budget = int(options.share * features.num_bytes)
    source, *others = [replace(one.source, disk_bytes=budget) for one in sets]
    root = Path(source.folder).parent
    for path in root.glob("*/part-*"):  # as on a node that computed none of them
        path.unlink()
    cache = ray.remote(NodeCache).options(num_cpus=0).remote(1 << 30)
    seconds: dict[str, list[float]] = {"host": [], "stream": []}
    losses: dict[str, list[float]] = {"host": [], "stream": []}
    with ExitStack() as opened:

        def trained(source: FeatureSource, tier: Tier) -> Learner:
            return opened.enter_context(_learner(rows, source, tier, cache, options))

        host, stream = trained(source, "host"), trained(source, "stream")
        for pair in range(options.pairs + 1):
            for name, learner in (("host", host), ("stream", stream)):
                started = time.perf_counter()
                result = learner.advance()
                if pair:  # the first warms up what both need
                    seconds[name].append(time.perf_counter() - started)
                losses[name].append(result.metrics["train_loss"])
        ratios = [s / h for s, h in zip(seconds["stream"], seconds["host"], strict=True)]
        ray.kill(cache)
        streams, resources = [stream, *(trained(one, "stream") for one in others)], []
        for _ in range(options.epochs):
            for one in streams:
                one.advance()
            resources.append(_resources(root))
    return {
        "rows": len(rows.train),
        "parts": len(list(Path(source.folder).glob("index-*"))),
        "feature_mib": features.num_bytes / 2**20,
        "disk_budget_mib": (source.disk_bytes or 0) / 2**20,
        "shuffle_rows": options.shuffle_rows,
        "epoch_s": seconds,
        "ratio_median": statistics.median(ratios),
        "equal_losses": losses["host"] == losses["stream"],
        "after_each_round": resources,
    }


@contextmanager
def _learner(
    rows: SplitRows,
    source: FeatureSource,
    tier: Tier,
    cache: Any,
    options: argparse.Namespace,
) -> Iterator[Learner]:
    config = SearchSpec.load(SPACE).resolve({})
    training = config.training.model_copy(update={"epochs": 1000, "clip_s": CLIP_S})
    with open_trial_data(
        rows,
        {"mel": source},
        clip_s=CLIP_S,
        batch_size=training.batch_size,
        seed=1,
        tier=tier,
        cache=cache,
        shuffle_rows=options.shuffle_rows,
    ) as data:
        yield _built(config, training, data)


def _built(config: Any, training: Any, data: TrialData) -> Learner:
    torch.manual_seed(1)
    return Learner(
        config.model, training, config.spec_augment, data, seed=1, device=torch.device("cpu")
    )


def _resources(root: Path) -> Mapping[str, float]:
    """MiB: this process, its children (Ray's own among them), Ray's objects, parts on disk."""
    process = psutil.Process()
    children = sum(child.memory_info().rss for child in process.children(recursive=True))
    held = ray.cluster_resources()["object_store_memory"] - ray.available_resources().get(
        "object_store_memory", 0
    )
    disk = sum(path.stat().st_size for path in root.glob("*/part-*"))
    figures = {
        "process": process.memory_info().rss,
        "children": children,
        "objects": held,
        "disk": disk,
    }
    return {name: round(value / 2**20, 1) for name, value in figures.items()}


if __name__ == "__main__":
    main()
