"""A run whose search is over: a network and its partner on functionals, with random weights.

What the nets know of their inputs is of real features of made-up recordings, by the data that
trials read; what an evaluation would say of the others is computed along with it.
"""

import contextlib
from pathlib import Path

import numpy as np
import soundfile
import torch

from raysearch import published_folder
from raysearch.corpora.utterance import DIMENSIONS
from raysearch.evaluation.final_model import FinalModel, Net, save_final
from raysearch.features.audio import read_audio
from raysearch.features.extractor_table import build_extractor
from raysearch.ledger import Ledger
from raysearch.reporting.best_model import write_best
from raysearch.run_folder import RunFolder
from raysearch.spec import SearchSpec
from raysearch.streaming.arrays import FeatureArrays, RowStats
from raysearch.streaming.batches import SplitData
from raysearch.streaming.readers import HostReader
from raysearch.streaming.split_rows import RowTable, SplitRows
from raysearch.streaming.store import FeatureSource
from raysearch.training import checkpoint
from raysearch.training.inputs import save_inputs
from raysearch.training.network import build_network
from raysearch.training.normalise import Normaliser
from raysearch.training.scoring import score_batches

LABELS = ("angry", "calm", "sad")
RATE, NUM_TRAIN, NUM_TEST = 16000, 5, 6
NETWORK = ("cnn", {"training.clip_s": 0.5})
PARTNER = ("logistic", {})
SHARES = (0.7, 0.3)


def recordings(folder: Path, number: int, seed: int = 0) -> list[Path]:
    """Voice-like buzzes of 0.3 to 1.5 s, the last of them in stereo at another rate."""
    rng = np.random.default_rng(seed)
    paths = []
    folder.mkdir(parents=True, exist_ok=True)
    for index in range(number):
        rate = 22050 if index == number - 1 else RATE
        time_N = np.arange(int(rate * rng.uniform(0.3, 1.5))) / rate
        buzz_N = sum(np.sin(2 * np.pi * k * rng.uniform(90, 250) * time_N) / k for k in (1, 2, 3))
        wave_N = 0.2 * buzz_N + 0.01 * rng.normal(size=len(time_N))
        wave = np.stack([wave_N, wave_N[::-1]], axis=1) if rate != RATE else wave_N
        paths.append(folder / f"{index}.wav")
        soundfile.write(paths[-1], wave, rate)
    return paths


def finished_run(root: Path, *, normalise: str | None = None, models=(NETWORK, PARTNER)):
    """The run with its ``best/``, its test recordings, and what an evaluation says of them.

    A network of dimensions predicts as many numbers.
    """
    settings = {} if normalise is None else {"training.normalise": normalise}
    spec = SearchSpec.load(models[0][0], [*models[0][1].items(), *settings.items()])
    run = RunFolder(root / "run")
    run.root.mkdir(parents=True)
    run.spec_file.write_text(spec.to_yaml())
    heard, test = recordings(root / "train", NUM_TRAIN, 1), recordings(root / "test", NUM_TEST, 2)
    nets, total_NK = [], np.zeros((NUM_TEST, len(LABELS)))
    for number, (name, own) in enumerate(models):
        config = SearchSpec.load(name, [*own.items(), *settings.items()]).base
        folder = run.root / f"checkpoints/{number:04d}/epoch-0001-attempt-1"
        scores_NK = _publish(folder, config, [*heard, *test], seed=number)
        nets.append(Net(number or 0 if number == 0 else None, config, folder, 0, SHARES[number]))
        total_NK += SHARES[number] * scores_NK
    _note(run)
    save_final(run, FinalModel("refit", "t0", tuple(nets)))
    by_dimensions = spec.training.by_dimensions
    write_best(run, spec, run.trials(), DIMENSIONS if by_dimensions else LABELS, {})
    if by_dimensions:
        return run, test, total_NK / SHARES[0]
    shares = sum(SHARES[: len(models)])
    from scipy.special import softmax

    return run, test, softmax(total_NK / shares, axis=1)


def _publish(folder, config, paths, seed):
    """Random weights as a trial would leave them; the test rows' scores by trials' own data."""
    arrays, sources = {}, {}
    for stream, settings in config.used_features.items():
        extractor = build_extractor(settings)
        rows = extractor([read_audio(path, settings.sample_rate) for path in paths])
        if extractor.half:
            rows = [x.astype(np.float16).astype(np.float32) for x in rows]
        sums = [np.stack([(x.astype(np.float64) ** p).sum(axis=0) for x in rows]) for p in (1, 2)]
        frames = np.array([len(x) for x in rows])
        arrays[stream] = FeatureArrays(np.concatenate(rows), RowStats(frames, *sums))
        sources[stream] = FeatureSource(
            stream,
            "/x",
            "{}",
            extractor.num_bins,
            extractor.floor,
            extractor.frames_per_second,
            kind=extractor.kind,
            num_layers=extractor.num_layers,
        )
    reader = HostReader(arrays, {stream: one.floor for stream, one in sources.items()})
    training = config.training
    rows = SplitRows(_table(NUM_TRAIN, "heard"), _table(NUM_TEST, "test"), LABELS)
    with SplitData(
        rows,
        sources,
        reader,
        clip_s=training.clip_s,
        batch_size=4,
        seed=0,
        rank=0,
        world_size=1,
        by_speaker=training.by_speaker,
    ) as data:
        torch.manual_seed(seed)
        model = build_network(config.model, training, data.shapes, len(LABELS))
        for tensor in model.buffers():
            if tensor.dtype.is_floating_point and tensor.numel() and not tensor.any():
                tensor.normal_()
        statistics = data.normalisation
        if training.by_speaker:  # a trial keeps those of its training speakers
            statistics = {stream: (m[:1], s[:1]) for stream, (m, s) in statistics.items()}

        def write(stage):
            checkpoint.save_tensors(stage / "best.safetensors", model.state_dict())
            save_inputs(stage / "inputs.safetensors", data.shapes, statistics)

        published_folder.publish(folder, write)
        normaliser = Normaliser(
            training.normalise, data.normalisation, data.shapes, torch.device("cpu")
        )
        scores = score_batches(
            model, data.validation_batches(), normaliser, len(LABELS), contextlib.nullcontext()
        )
    return scores.log_probs.numpy()


def speakers(number):
    """Two, in turns."""
    return tuple("ab"[index % 2] for index in range(number))


def _table(number, side):
    names = tuple(f"{side}-{index}" for index in range(number))
    return RowTable(names, names, (0,) * number, speakers(number))


def _note(run):
    ledger = Ledger.open(run.ledger_file, 1)
    event = {"trial": "t0", "number": 0, "attempt": 1, "slot": 0}
    ledger.append("started", config={}, **event)
    metrics = {"val_uar": 0.5, "val_wa": 0.5, "val_macro_f1": 0.5, "val_uar_mean3": 0.5}
    metrics |= {"val_ccc": 0.5, "val_ccc_arousal": 0.6}
    ledger.append("epoch", epoch=1, metrics=metrics, train_s=1.0, **event)
    path = "checkpoints/0000/epoch-0001-attempt-1"
    ledger.append("checkpoint", path=path, epoch=1, **event)
    ledger.append("completed", **event)
    ledger.close()
