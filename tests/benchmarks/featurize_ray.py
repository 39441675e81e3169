"""Features as a search computes them, by tasks of Ray Data, on so many CPUs.

    python tests/benchmarks/featurize_ray.py WAVS ANSWER --cpus 1 --few 64 --many 256

ANSWER gets, for each extractor, the seconds of a few files and of many, each with their decoding,
hashing and writing; medians of three executions, for Ray may start another worker, which imports
torch, in any of them. What Ray takes to start is in none: some files are computed beforehand.
"""

import argparse
import hashlib
import json
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import ray

from raysearch.corpora.header import read_header
from raysearch.corpora.utterance import Utterance
from raysearch.features.extractor import FeatureConfig
from raysearch.features.log_mel import LogMelConfig
from raysearch.features.mfcc import MfccConfig
from raysearch.streaming.shards import ensure_features

CONFIGS: dict[str, FeatureConfig] = {
    "log-mel": LogMelConfig(n_mels=64, hop_ms=10.0),
    "MFCC": MfccConfig(n_mels=64, n_mfcc=20, hop_ms=10.0),
}
ROUNDS = 3
# More than a part's, so that every worker has had one.
WARM_UP = 130


def main() -> None:
    """Compute all features."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("wavs", type=Path)
    parser.add_argument("answer", type=Path)
    parser.add_argument("--cpus", type=int, required=True)
    parser.add_argument("--few", type=int, required=True)
    parser.add_argument("--many", type=int, required=True)
    told = parser.parse_args()
    rows = [_utterance(path) for path in sorted(told.wavs.glob("*.wav"))]
    ray.init("local", num_cpus=told.cpus, log_to_driver=False, include_dashboard=False)
    with tempfile.TemporaryDirectory() as folder:
        for name in CONFIGS:
            _seconds(rows[:WARM_UP], name, Path(folder) / "warm")
        sizes = (told.few, told.many)
        found = {name: _medians(rows, name, sizes, Path(folder)) for name in CONFIGS}
    told.answer.write_text(json.dumps(found))
    ray.shutdown()


def _medians(
    rows: Sequence[Utterance], name: str, sizes: Sequence[int], store: Path
) -> list[float]:
    """Seconds of each size, the sizes taking turns, every file computed once."""
    seconds: list[list[float]] = [[] for _ in sizes]
    first = 0
    for _ in range(ROUNDS):
        for size, found in zip(sizes, seconds, strict=True):
            found.append(_seconds(rows[first : first + size], name, store))
            first += size
    return [statistics.median(found) for found in seconds]


def _seconds(rows: Sequence[Utterance], name: str, store: Path) -> float:
    begun = time.perf_counter()
    ensure_features(rows, "stream", CONFIGS[name], store, corpus="noise")
    return time.perf_counter() - begun


def _utterance(path: Path) -> Utterance:
    header = read_header(path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()[:32]
    seconds = header.num_frames / header.sample_rate
    return Utterance(path.stem, str(path), "noise", "s", "x", digest, header.sample_rate, seconds)


if __name__ == "__main__":
    main()
