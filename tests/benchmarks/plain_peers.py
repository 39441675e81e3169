"""What a plain script has on the reference table's folds: a fixed network, and linear probes.

- ``resnet10``: a timm ResNet10 with one fixed setting, as a textbook trains one: 64 log-mel bands,
  SpecAugment, AdamW with one cycle, the last epoch's weights; all training speakers, no search and
  no validation. Its epochs are those that two cores do in the 240 s a fold that a search has. It
  needs ``pip install timm``.
- ``probe``: a logistic regression and a linear SVM of one fixed penalty on the mean and deviation
  over time of a frozen speech encoder's layers; it needs ``--weights``.

Each writes its pooled figures beside those of the reference table, which shows them:

    python tests/benchmarks/plain_peers.py --corpus nemo --data nEMO/manifest.csv --peer resnet10
    python tests/benchmarks/plain_peers.py --corpus emodb --data EMO-DB/ --peer probe --weights FILE
"""

import argparse
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torchaudio
from numpy.typing import NDArray
from reference_table import CORPORA, REFERENCE, write_table
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from torch import Tensor, nn
from torch.nn import functional

from raysearch.corpora.corpus_table import CorpusConfig, load_corpus
from raysearch.features.audio import read_audio
from raysearch.features.ssl import SslConfig
from raysearch.features.ssl_encoder import SslEncoder
from raysearch.features.ssl_weights import load_weights
from raysearch.protocols.folds import outer_folds
from raysearch.protocols.protocol_section import ProtocolConfig
from raysearch.training.metrics import accuracy, confusion_matrix, uar

SAMPLE_RATE, NUM_MELS, BATCH_SIZE = 16000, 64, 32
# Frames of 10 ms that hold nearly every recording of the corpus.
NUM_FRAMES = {"emodb": 192, "nemo": 256}
NUM_EPOCHS = {"emodb": 25, "nemo": 20}
MOST_BANDS, MOST_MASKED, MOST_SHIFTED = 12, 30, 20
PENALTY = 0.01

Ints = NDArray[np.int64]
# From training and test rows to the predicted classes of the test rows.
Peer = Callable[[Ints, Ints], Ints]


class Data:
    """A corpus' rows in order of their ids: files, classes, and the folds of the table."""

    def __init__(self, corpus: str, data: str) -> None:
        found = load_corpus(CorpusConfig(name=CORPORA[corpus], data=data), Path())
        rows = sorted(found.utterances, key=lambda row: row.id)
        self.paths = [row.path for row in rows]
        self.labels = sorted({row.emotion for row in rows})
        self.classes = np.array([self.labels.index(row.emotion) for row in rows])
        ids = np.array([row.id for row in rows])
        folds = outer_folds(found, ProtocolConfig())
        self.folds = [np.isin(ids, sorted(fold)) for fold in folds]

    def waves(self) -> Iterator[Tensor]:
        """Each recording's samples at 16 kHz."""
        for path in self.paths:
            yield torch.from_numpy(np.asarray(read_audio(path, SAMPLE_RATE), dtype=np.float32))


def main() -> None:
    """Measure one peer on all folds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--corpus", choices=sorted(CORPORA), default="emodb")
    parser.add_argument("--data", required=True)
    parser.add_argument("--peer", choices=("resnet10", "probe"), required=True)
    parser.add_argument("--weights", help="a speech encoder's, for the probe")
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    data = Data(arguments.corpus, arguments.data)
    if arguments.peer == "resnet10":
        peers = {"resnet10": resnet(data, arguments.corpus)}
    else:
        peers = probes(data, arguments.weights)
    command = f"--corpus {arguments.corpus} --data DATA --peer {arguments.peer}"
    command += " --weights WEIGHTS" if arguments.weights else ""
    folder = REFERENCE / arguments.corpus / "peers"
    folder.mkdir(parents=True, exist_ok=True)
    for name, peer in peers.items():
        figures = measure(name, data, peer)
        figures["command"] = f"python tests/benchmarks/plain_peers.py {command}"
        text = json.dumps(figures, indent=1, sort_keys=True) + "\n"
        (folder / f"{name.replace(' ', '_')}.json").write_text(text)
    write_table(arguments.corpus)


def measure(name: str, data: Data, peer: Peer) -> dict[str, Any]:
    """Pooled UA and WA over all folds, each fold's UA and its core-seconds."""
    predicted, by_fold, seconds = np.zeros_like(data.classes), [], []
    for fold, test in enumerate(data.folds):
        torch.manual_seed(0)
        begun = time.process_time()
        predicted[test] = peer(np.flatnonzero(~test), np.flatnonzero(test))
        seconds.append(round(time.process_time() - begun))
        by_fold.append(float(uar(_confusion(data, predicted, test))))
        print(f"{name}, fold {fold}: {by_fold[-1]:.3f} UA, {seconds[-1]} core-seconds", flush=True)
    whole = _confusion(data, predicted, np.ones_like(data.classes, dtype=bool))
    print(f"{name}: {float(uar(whole)):.3f} UA")
    return {
        "name": name,
        "ua": float(uar(whole)),
        "wa": float(accuracy(whole)),
        "ua_by_fold": by_fold,
        "core_seconds_by_fold": seconds,
    }


def _confusion(data: Data, predicted: Ints, rows: NDArray[np.bool_]) -> Ints:
    return confusion_matrix(data.classes[rows], predicted[rows], len(data.labels))


# ---- a plain network ---------------------------------------------------------------------------


def resnet(data: Data, corpus: str) -> Peer:
    """timm's ResNet10 on log-mel images."""
    import timm  # not among raysearch's dependencies

    num_frames = NUM_FRAMES[corpus]
    mel = torchaudio.transforms.MelSpectrogram(
        SAMPLE_RATE, 1024, 400, 160, f_min=50, f_max=8000, n_mels=NUM_MELS
    )
    images = torch.stack(
        [_fitted(torch.log(mel(wave) + 1e-6), num_frames) for wave in data.waves()]
    )
    classes = torch.from_numpy(data.classes)

    def fit_and_predict(train: Ints, test: Ints) -> Ints:
        mean = images[train].mean((0, 3), keepdim=True)
        z = (images - mean) / images[train].std((0, 3), keepdim=True)
        net = timm.create_model("resnet10t", in_chans=1, num_classes=len(data.labels))
        net = net.to(memory_format=torch.channels_last)
        _train(net, z[train], classes[train], NUM_EPOCHS[corpus])
        net.eval()
        with torch.inference_mode():
            logits = torch.cat([net(rows) for rows in z[test].split(64)])
        return np.asarray(logits.argmax(1).numpy())

    return fit_and_predict


def _train(net: nn.Module, z_NCFT: Tensor, classes_N: Tensor, num_epochs: int) -> None:
    steps = num_epochs * (len(z_NCFT) // BATCH_SIZE)
    optimizer = torch.optim.AdamW(net.parameters(), 1e-3, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, total_steps=steps + 1)
    for _ in range(num_epochs):
        net.train()
        batches = torch.randperm(len(z_NCFT)).split(BATCH_SIZE)
        for rows in (batch for batch in batches if len(batch) == BATCH_SIZE):
            x = torch.stack([_masked(z_NCFT[row].clone()) for row in rows])
            logits = net(x.contiguous(memory_format=torch.channels_last))
            loss = functional.cross_entropy(logits, classes_N[rows], label_smoothing=0.1)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()


def _masked(x_CFT: Tensor) -> Tensor:
    """One band and one stretch of time set to the mean, and a shift in time."""
    bands, frames, shift = _below(MOST_BANDS), _below(MOST_MASKED), _below(2 * MOST_SHIFTED)
    low, first = _below(x_CFT.shape[1] - bands), _below(x_CFT.shape[2] - frames)
    x_CFT[:, low : low + bands] = 0
    x_CFT[:, :, first : first + frames] = 0
    return torch.roll(x_CFT, shift - MOST_SHIFTED, -1)


def _below(end: int) -> int:
    return int(torch.randint(end, ()))


def _fitted(mel_FT: Tensor, num_frames: int) -> Tensor:
    """Padded with the least value, or cut about the middle of the energy; (1, F, T)."""
    lacking = num_frames - mel_FT.shape[1]
    if lacking >= 0:
        return functional.pad(mel_FT, (0, lacking), value=float(mel_FT.min()))[None]
    energy = mel_FT.exp().sum(0)
    centre = int((energy * torch.arange(len(energy))).sum() / energy.sum())
    first = min(max(0, centre - num_frames // 2), -lacking)
    return mel_FT[None, :, first : first + num_frames]


# ---- linear probes -----------------------------------------------------------------------------


def probes(data: Data, weights: str) -> dict[str, Peer]:
    """A regression and an SVM on the last layer of the encoder, on each other one, and on all."""
    config = SslConfig(weights=weights, layer="weighted")
    config.check_external_files()
    encoder = SslEncoder(config.plan()).eval()
    encoder.load(load_weights(config.path))
    width = config.plan().sizes.width
    with torch.inference_mode():
        statistics = np.stack(
            [_statistics(encoder(wave[None])[0][0], width) for wave in data.waves()]
        )
    parts = {f"layer {number + 1}": statistics[:, number] for number in range(statistics.shape[1])}
    parts["all layers"] = statistics.reshape(len(statistics), -1)
    kinds: dict[str, Callable[[], Any]] = {
        "logistic": lambda: LogisticRegression(C=PENALTY, max_iter=1000, class_weight="balanced"),
        "svm": lambda: LinearSVC(C=PENALTY / 10, class_weight="balanced", max_iter=20_000),
    }
    return {
        f"{kind} probe, {part}": _probe(x, data.classes, made)
        for part, x in parts.items()
        for kind, made in kinds.items()
    }


def _statistics(frames_TC: Tensor, width: int) -> NDArray[np.float32]:
    """Mean and deviation over time of each layer, (layers, 2 * width)."""
    layers = frames_TC.split(width, 1)
    pairs = [torch.cat([layer.mean(0), layer.std(0, unbiased=False)]) for layer in layers]
    return np.asarray(torch.stack(pairs).numpy())


def _probe(x: NDArray[np.float32], classes: Ints, made: Callable[[], Any]) -> Peer:
    def fit_and_predict(train: Ints, test: Ints) -> Ints:
        model = make_pipeline(StandardScaler(), made()).fit(x[train], classes[train])
        return np.asarray(model.predict(x[test]))

    return fit_and_predict


if __name__ == "__main__":
    main()
