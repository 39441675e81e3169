"""Epochs that are streamed from Parquet parts ten times as large as what a node keeps of them.

Rows of noise in a feature store behind a URL, a tiny network, and four ways to train it on crops
of 2 s on one thread, each with one process more to read: the stream tier, which keeps a tenth of
the parts' bytes on the node; the host tier, which holds all of them in memory; a ``DataLoader`` of
one worker around pyarrow's dataset with a shuffle buffer; and Ray Data's ``iter_torch_batches``
with a local one. Both tiers must have equal losses; the others read the same parts, whole and
local, must meet each row once an epoch, and shuffle among as many rows. The first epoch of each is
not timed.

    python tests/benchmarks/stream.py [--pairs 3] [--json FILE]
"""

import os
import random
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow.dataset
import ray
import torch
from bench_frame import Figure, Options, alternate, at_least, equal, figure, ratio, timed
from bench_script import run_script
from epochs import BINS, CLASSES, FRAMES, NETS, NOT_AUGMENTED, SEED, TRAINING, Plain, fresh
from noise_rows import noise_arrays, noise_rows
from ray.data.collate_fn import NumpyBatchCollateFn
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset, TensorDataset

from raysearch.features.log_mel import LogMelConfig
from raysearch.models.model_table import model_config
from raysearch.storage.replica import open_storage
from raysearch.streaming.node_cache import NodeCache
from raysearch.streaming.split_rows import SplitRows
from raysearch.streaming.store import FeatureSource, feature_source, send_parts, write_manifest
from raysearch.streaming.store_index import publish_index
from raysearch.streaming.store_parts import PartRow, part_name, write_part
from raysearch.streaming.tiers import Tier, open_trial_data
from raysearch.training.learner import Learner

CONFIG = model_config(NETS["a tiny cnn"])
ROWS_A_PART, SHUFFLE_ROWS, SHARE = 64, 512, 0.1
SHORTEST, LONGEST = 60, 260
COLUMNS = ["id", "num_frames", "values"]
# One row: its name, frames and values.
Row = Mapping[str, object]


def measure(options: Options) -> list[Figure]:
    """Each pair: an epoch each way."""
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)  # as trials do
    num_rows = 16 * ROWS_A_PART if options.small else 64 * ROWS_A_PART
    with tempfile.TemporaryDirectory(prefix="stream-") as scratch, ExitStack() as opened:
        os.environ["XDG_CACHE_HOME"] = f"{scratch}/node"
        ray.init("local", num_cpus=1, log_to_driver=False, include_dashboard=False)
        opened.callback(ray.shutdown)
        source, statistics = _stored(f"file://{scratch}/bucket", num_rows)
        parts = sorted(str(path) for path in Path(scratch, "bucket").rglob("part-*.parquet"))
        rows = noise_rows(num_rows, 0, CLASSES)
        cache = ray.remote(NodeCache).options(num_cpus=0).remote(1 << 30)
        open_tier = partial(_opened, opened, rows, source, cache)
        tiers = {name: open_tier(name) for name in ("stream", "host")}
        loader = DataLoader(
            Parts(parts, statistics),
            batch_size=TRAINING.batch_size,
            num_workers=1,
            persistent_workers=True,
            multiprocessing_context="spawn",
        )
        data = ray.data.read_parquet(parts).select_columns(COLUMNS)
        # As Ray Data's guide for PyTorch has it.
        naive = partial(
            data.iter_torch_batches,
            batch_size=TRAINING.batch_size,
            local_shuffle_buffer_size=SHUFFLE_ROWS,
            collate_fn=Collated(statistics),
        )
        losses: dict[str, list[float]] = {name: [] for name in tiers}

        def of_tier(name: str) -> float:
            def act() -> None:
                losses[name].append(tiers[name].advance().metrics["train_loss"])

            return timed(act)

        plain = {name: _plain(tiers["host"]) for name in ("pyarrow", "iter_torch_batches")}
        ways = {
            "stream": lambda _: of_tier("stream"),
            "pyarrow": lambda _: timed(lambda: _trained(plain["pyarrow"], loader, num_rows)),
            "iter_torch_batches": lambda _: timed(
                lambda: _trained(plain["iter_torch_batches"], naive(), num_rows)
            ),
            "host": lambda _: of_tier("host"),
        }
        alternate(ways, 1)
        found = alternate(ways, options.pairs)
        equal("losses of the two tiers", losses["stream"], losses["host"], 1e-6)
    rates = {name: [num_rows / seconds for seconds in each] for name, each in found.items()}
    ours = rates["stream"]
    return [
        ratio("of pyarrow and a DataLoader", ours, rates["pyarrow"], at_least(1.2)),
        ratio("of iter_torch_batches", ours, rates["iter_torch_batches"], at_least(1.5)),
        ratio("of the host tier", ours, rates["host"], at_least(0.8)),
        *(figure(name, "rows/s", found) for name, found in rates.items()),
    ]


class Parts(IterableDataset):
    """Rows of Parquet parts through a shuffle buffer, as clips and labels.

    Args:
        parts: the files.
        statistics: mean and deviation of each bin.
    """

    def __init__(self, parts: Sequence[str], statistics: tuple[np.ndarray, np.ndarray]) -> None:
        self._parts, self._statistics = list(parts), statistics

    def __iter__(self) -> Iterator[tuple[Tensor, int]]:
        parts = random.sample(self._parts, len(self._parts))
        held: list[Row] = []
        for batch in pyarrow.dataset.dataset(parts).to_batches(columns=COLUMNS, batch_size=64):
            for number in range(batch.num_rows):
                row = {
                    "id": batch["id"][number].as_py(),
                    "values": batch["values"][number].values.to_numpy(),
                }
                if len(held) < SHUFFLE_ROWS:
                    held.append(row)
                    continue
                other = random.randrange(SHUFFLE_ROWS)
                held[other], row = row, held[other]
                yield _clip(row, self._statistics)
        random.shuffle(held)
        yield from (_clip(row, self._statistics) for row in held)


class Collated(NumpyBatchCollateFn):
    """Ray Data's batches as clips and labels."""

    def __init__(self, statistics: tuple[np.ndarray, np.ndarray]) -> None:
        super().__init__()
        self._statistics = statistics

    def __call__(self, batch: Mapping[str, np.ndarray]) -> tuple[Tensor, Tensor]:
        """Cut and stack them."""
        rows = zip(batch["id"], batch["values"], strict=True)
        clips = [_clip({"id": name, "values": values}, self._statistics) for name, values in rows]
        return torch.stack([x_TF for x_TF, _ in clips]), torch.tensor([label for _, label in clips])


def _clip(row: Row, statistics: tuple[np.ndarray, np.ndarray]) -> tuple[Tensor, int]:
    """A random crop, normalised and padded, and its label."""
    mean_F, std_F = statistics
    values_TF = np.asarray(row["values"], dtype=np.float32).reshape(-1, BINS)
    first = random.randint(0, max(0, len(values_TF) - FRAMES))
    z_TF = (values_TF[first : first + FRAMES] - mean_F) / (std_F + 1e-5)
    padded_TF = np.zeros((FRAMES, BINS), dtype=np.float32)
    padded_TF[: len(z_TF)] = z_TF
    return torch.from_numpy(padded_TF), int(str(row["id"]).partition("-")[2]) % CLASSES


def _trained(plain: Plain, batches: Iterable[tuple[Tensor, Tensor]], num_rows: int) -> None:
    """An epoch, in which every row must come once."""
    seen = 0

    def counted() -> Iterator[tuple[Tensor, Tensor]]:
        nonlocal seen
        for x_BTF, labels_B in batches:
            seen += len(labels_B)
            yield x_BTF, labels_B

    plain.train_on(counted())
    equal("rows of an epoch", [float(seen)], [float(num_rows)], 0)


def _stored(url: str, num_rows: int) -> tuple[FeatureSource, tuple[np.ndarray, np.ndarray]]:
    """A store behind ``url``, of which the node has no part yet, and its bins' statistics."""
    storage = open_storage(url)
    config = LogMelConfig(n_mels=BINS, hop_ms=20.0)
    source = feature_source(storage / ".features", "noise", "mel", config)
    frames_R = np.random.default_rng(1).integers(SHORTEST, LONGEST, num_rows)
    arrays = noise_arrays(BINS, frames_R, CLASSES)
    folder = Path(source.folder)
    folder.mkdir(parents=True)
    listing = []
    for first in range(0, num_rows, ROWS_A_PART):
        part = [
            PartRow(f"row-{n}", f"row-{n}", arrays.values[start : start + frames_R[n]])
            for n, start in enumerate(arrays.offsets[first : first + ROWS_A_PART], first)
        ]
        name = part_name(row.content_hash for row in part)
        write_part(folder / name, part, source.identity)
        send_parts(source, [name])
        publish_index(source, name)
        listing.append((name, len(part), (folder / name).stat().st_size))
    write_manifest(source, listing)
    for path in folder.glob("part-*"):
        path.unlink()
    mean_F, std_F = arrays.stats.mean_std(slice(0, num_rows))
    budget = int(SHARE * sum(size for _, _, size in listing))
    both = (mean_F.astype(np.float32), std_F.astype(np.float32))
    return replace(source, disk_bytes=budget), both


def _opened(
    opened: ExitStack, rows: SplitRows, source: FeatureSource, cache: object, tier: Tier
) -> Learner:
    data = opened.enter_context(
        open_trial_data(
            rows,
            {"mel": source},
            clip_s=TRAINING.clip_s,
            batch_size=TRAINING.batch_size,
            seed=SEED,
            tier=tier,
            cache=cache,
            shuffle_rows=SHUFFLE_ROWS,
        )
    )
    return Learner(CONFIG, TRAINING, NOT_AUGMENTED, data, seed=SEED, device=torch.device("cpu"))


def _plain(trial: Learner) -> Plain:
    """A loop by hand, with the weights that the trial began with."""
    nothing = TensorDataset(torch.empty(0))
    return Plain(nothing, nothing, fresh(CONFIG, trial.data.shapes))


if __name__ == "__main__":
    run_script("stream", __doc__, measure)
