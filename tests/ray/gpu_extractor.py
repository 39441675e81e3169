"""An extractor that a GPU would compute; its one value is the number of GPUs its task was given.

As a script: features of the files that standard input names, on a Ray that believes in two GPUs.
"""

import hashlib
import json
import sys
from pathlib import Path
from typing import ClassVar

import numpy as np
import ray
from pydantic import Field

from raysearch.corpora.utterance import Utterance
from raysearch.features.extractor import Extractor, FeatureConfig
from raysearch.streaming.shards import ensure_features
from raysearch.streaming.store_parts import read_rows


class GivenConfig(FeatureConfig):
    extractor: str = Field("gpu_extractor:Given", description="This one.")
    wants_gpu: bool = Field(True, description="Whether it asks for one.")


class Given(Extractor):
    Config: ClassVar[type[FeatureConfig]] = GivenConfig
    kind = "vector"

    def __init__(self, config):
        self.config, self.wants_gpu = config, config.wants_gpu
        self.num_bins, self.floor, self.frames_per_second = 1, 0.0, 0.0

    def __call__(self, waveforms):
        return [np.full((1, 1), len(ray.get_gpu_ids()), np.float32) for _ in waveforms]


def given(paths, store, wants_gpu):
    """How many GPUs each row's task had."""
    digests = [hashlib.sha256(path.read_bytes()).hexdigest()[:32] for path in paths]
    rows = [
        Utterance(path.stem, str(path), "tones", "s", "calm", digest, 16000, None)
        for path, digest in zip(paths, digests, strict=True)
    ]
    found = ensure_features(rows, "given", GivenConfig(wants_gpu=wants_gpu), store, corpus="tones")
    values = []
    for part, row, _ in found.rows.values():
        kept = read_rows(Path(found.folder) / part, found.source.identity, [row], 1)
        values.append(float(kept[row][1][0, 0]))
    return values


if __name__ == "__main__":
    paths = [Path(line.strip()) for line in sys.stdin]
    loopback = {"address": "local", "_node_ip_address": "127.0.0.1"}
    ray.init(**loopback, num_cpus=2, num_gpus=2, include_dashboard=False, log_to_driver=False)
    answer = {wants: given(paths, paths[0].parent / "store", wants) for wants in (True, False)}
    ray.shutdown()
    print(json.dumps({str(wants): values for wants, values in answer.items()}))
