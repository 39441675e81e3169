"""Features from wav files, in seconds of audio a second, beside torchaudio and librosa.

All read the same files of 3 s, with one thread: our extractors in a loop, as their tasks call them;
torchaudio's transforms on batches of 32 files that soundfile has read; librosa file by file. All
frames must be equal. Then the whole pipeline of a search, which also hashes each file and writes
Parquet parts, by tasks of Ray Data on one CPU and on two; the start of Ray and its workers is not
in it, and that of one execution of Ray Data stands apart. Whisper tiny.en's encoder is compared
with faster-whisper's where both its weights (``make real-weights``) and the peer are there; without
them its weights are random.

    python tests/benchmarks/featurize.py [--pairs 3] [--json FILE]
"""

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import torch
import torchaudio
from bench_frame import Figure, Options, absent, alternate, at_least, equal, figure, ratio
from bench_script import run_script
from featurize_ray import CONFIGS, ROUNDS
from random_whisper import random_whisper

from raysearch.features.audio import read_audio
from raysearch.features.compiled_librosa import load_librosa
from raysearch.features.extractor import Extractor
from raysearch.features.extractor_table import build_extractor
from raysearch.features.ssl import Ssl, SslConfig

librosa = load_librosa()

RATE, SECONDS, FFT, WINDOW, HOP, MELS, COEFFICIENTS = 16000, 3.0, 512, 400, 160, 64, 20
# Both peers centre a window of 400 samples in an FFT of 512; ours begins with it.
MARGIN = (FFT - WINDOW) // 2
FLOOR = 1e-10
AT_ONCE, TORCHAUDIO_BATCH = 8, 32
CACHED = Path(__file__).resolve().parents[2] / ".cache" / "whisper-tiny.en"
WHISPER = Path(os.environ.get("RAYSEARCH_WHISPER", CACHED))
# The mean difference of values whose mean size is 0.7: where a file ends the peer's convolutions
# see zeros, and ours the silence that follows.
WHISPER_APART = 0.2
Frames = list[np.ndarray]
Way = Callable[[Sequence[Path]], Frames]


@dataclass(frozen=True)
class Sizes:
    """How many files: of each loop, of librosa's, of the pipeline's two, and of Whisper's."""

    loop: int
    librosa: int
    few: int
    many: int
    whisper: int


def measure(options: Options) -> list[Figure]:
    """Each extractor in loops, then the pipeline."""
    torch.set_num_threads(1)
    sizes = Sizes(64, 32, 64, 128, 2) if options.small else Sizes(512, 128, 64, 384, 8)
    with tempfile.TemporaryDirectory(prefix="featurize-") as folder:
        wavs = _written(Path(folder) / "wavs", ROUNDS * (sizes.few + sizes.many))
        figures, rates = list[Figure](), {}
        for name in CONFIGS:
            rates[name] = _loops(name, wavs, sizes, options.pairs)
        pipeline = alternate(
            {f"{cpus}": lambda pair, n=cpus: _by_ray(wavs[0].parent, n, sizes) for cpus in (1, 2)},
            options.pairs,
        )
        for name, found in rates.items():
            figures += _of_extractor(name, found, pipeline, sizes)
        return [*figures, *_whisper(Path(folder), wavs, sizes.whisper, options.pairs)]


def _of_extractor(
    name: str,
    rates: dict[str, list[float]],
    pipeline: dict[str, list[dict[str, list[float]]]],
    sizes: Sizes,
) -> list[Figure]:
    one, two = ([_spread(run[name], sizes) for run in pipeline[cpus]] for cpus in ("1", "2"))
    ours, theirs = rates["ours"], rates["torchaudio"]
    single, double = [rate for rate, _ in one], [rate for rate, _ in two]
    return [
        ratio(f"{name}: pipeline, of torchaudio's loop", single, theirs, at_least(0.95)),
        ratio(f"{name}: pipeline, of librosa", single, rates["librosa"], at_least(5)),
        ratio(f"{name}: two CPUs, of one", double, single, at_least(1.9)),
        ratio(f"{name}: extractor, of torchaudio's loop", ours, theirs, None),
        figure(f"{name}: pipeline on one CPU", "s/s", single),
        figure(f"{name}: start of an execution", "s", [start for _, start in one]),
    ]


def _spread(seconds: Sequence[float], sizes: Sizes) -> tuple[float, float]:
    """Seconds of audio a second, and the seconds before any of it, by what more files cost more."""
    few, many = seconds
    a_file = (many - few) / (sizes.many - sizes.few)
    return SECONDS / a_file, few - sizes.few * a_file


def _loops(name: str, wavs: Sequence[Path], sizes: Sizes, pairs: int) -> dict[str, list[float]]:
    """Seconds of audio a second of each loop."""
    extractor = build_extractor(CONFIGS[name])
    ways: dict[str, Way] = {
        "ours": lambda paths: _ours(extractor, paths),
        "torchaudio": by_torchaudio(name),
        "librosa": by_librosa(name),
    }
    counts = {"ours": sizes.loop, "torchaudio": sizes.loop, "librosa": sizes.librosa}
    # librosa compiles some of its functions when they are first called.
    first = {way: np.concatenate(act(wavs[:AT_ONCE])).ravel() for way, act in ways.items()}
    for way in ("torchaudio", "librosa"):
        equal(f"{name} of {way}", first["ours"].tolist(), first[way].tolist(), 1e-2)
    timed = {
        way: lambda _, act=act, few=wavs[: counts[way]]: _rate(act, few)
        for way, act in ways.items()
    }
    return alternate(timed, pairs)


def _rate(act: Way, wavs: Sequence[Path]) -> float:
    begun = time.perf_counter()
    act(wavs)
    return len(wavs) * SECONDS / (time.perf_counter() - begun)


def _ours(extractor: Extractor, wavs: Sequence[Path]) -> Frames:
    found: Frames = []
    for start in range(0, len(wavs), AT_ONCE):
        found += extractor([read_audio(path, RATE) for path in wavs[start : start + AT_ONCE]])
    return found


def by_torchaudio(name: str) -> Way:
    """torchaudio's transforms, on batches of equally long files."""
    mel = {"n_fft": FFT, "win_length": WINDOW, "hop_length": HOP, "n_mels": MELS, "center": False}
    scale = {"norm": "slaney", "mel_scale": "slaney"}
    if name == "MFCC":
        transform = torchaudio.transforms.MFCC(RATE, COEFFICIENTS, melkwargs={**mel, **scale})
    else:
        transform = torchaudio.transforms.MelSpectrogram(RATE, **mel, **scale)

    @torch.inference_mode()
    def run(wavs: Sequence[Path]) -> Frames:
        found: Frames = []
        for start in range(0, len(wavs), TORCHAUDIO_BATCH):
            read = [soundfile.read(p, dtype="float32")[0] for p in wavs[start:][:TORCHAUDIO_BATCH]]
            x_BN = torch.nn.functional.pad(torch.from_numpy(np.stack(read)), (MARGIN, MARGIN))
            x_BFT = transform(x_BN)
            if name != "MFCC":
                x_BFT = x_BFT.clamp(min=FLOOR).log()
            found += list(x_BFT.transpose(1, 2).contiguous().numpy())
        return found

    return run


def by_librosa(name: str) -> Way:
    """librosa's functions, file by file."""
    sizes = {"n_fft": FFT, "win_length": WINDOW, "hop_length": HOP, "center": False}

    def run(wavs: Sequence[Path]) -> Frames:
        found: Frames = []
        for path in wavs:
            x_N, _ = librosa.load(path, sr=RATE)
            padded_N = np.pad(x_N, MARGIN)
            mel_FT = librosa.feature.melspectrogram(y=padded_N, sr=RATE, n_mels=MELS, **sizes)
            if name == "MFCC":
                decibels_FT = librosa.power_to_db(mel_FT, top_db=None)
                found.append(librosa.feature.mfcc(S=decibels_FT, n_mfcc=COEFFICIENTS).T)
            else:
                found.append(np.log(np.maximum(mel_FT, FLOOR)).T)
        return found

    return run


def _by_ray(wavs: Path, cpus: int, sizes: Sizes) -> dict[str, list[float]]:
    """Of each extractor the pipeline's seconds: of a few files, and of many."""
    with tempfile.TemporaryDirectory() as scratch:
        answer = Path(scratch) / "answer.json"
        script = str(Path(__file__).with_name("featurize_ray.py"))
        command = [sys.executable, script, str(wavs), str(answer)]
        command += ["--cpus", str(cpus), "--few", str(sizes.few), "--many", str(sizes.many)]
        subprocess.run(command, check=True, stdout=sys.stderr)
        found: dict[str, list[float]] = json.loads(answer.read_text())
        return found


def _whisper(folder: Path, wavs: Sequence[Path], count: int, pairs: int) -> list[Figure]:
    name, why = "Whisper tiny: speed, of faster-whisper's encoder", ""
    if importlib.util.find_spec("faster_whisper") is None:
        why = "faster-whisper is not installed"
    elif not WHISPER.is_dir():
        why = "it reads no random weights; make real-weights fetches some"
    extractor = Ssl(SslConfig(weights=str(random_whisper(folder) if why else WHISPER)))
    ways: dict[str, Way] = {"ours": lambda some: _ours(extractor, some)}
    if not why:
        ways["faster-whisper"] = by_faster_whisper(WHISPER)
    frames = {way: act(wavs[:AT_ONCE]) for way, act in ways.items()}
    if not why:
        apart = np.mean([np.abs(a - b).mean() for a, b in zip(*frames.values(), strict=True)])
        equal("Whisper's frames", [float(apart)], [0.0], WHISPER_APART)
    rates = {way: lambda _, act=act: _rate(act, wavs[:count]) for way, act in ways.items()}
    found = alternate(rates, pairs)
    return [
        absent(name, at_least(1.0), why)
        if why
        else ratio(name, found["ours"], found["faster-whisper"], at_least(1.0)),
        *(figure(f"Whisper tiny: {way} on one CPU", "s/s", each) for way, each in found.items()),
    ]


def by_faster_whisper(weights: Path) -> Way:
    """faster-whisper's spectrogram and encoder, on batches, of the frames that the files have."""
    import ctranslate2  # neither is among raysearch's dependencies
    from faster_whisper.feature_extractor import FeatureExtractor

    spectrogram = FeatureExtractor()
    model = ctranslate2.models.Whisper(
        str(weights), device="cpu", compute_type="float32", inter_threads=1, intra_threads=1
    )

    def run(wavs: Sequence[Path]) -> Frames:
        found: Frames = []
        for start in range(0, len(wavs), AT_ONCE):
            read = [soundfile.read(path, dtype="float32")[0] for path in wavs[start:][:AT_ONCE]]
            x_BFT = np.stack([spectrogram(x_N, padding=0) for x_N in read])
            h_BTF = model.encode(ctranslate2.StorageView.from_array(x_BFT.astype(np.float32)))
            found += list(np.asarray(h_BTF))
        return found

    return run


def _written(folder: Path, count: int) -> list[Path]:
    """Files of noise whose loudness rises and falls, so that no frame is near the floor."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    swell_N = 0.06 + 0.04 * np.sin(np.linspace(0, 9, round(SECONDS * RATE)))
    paths = [folder / f"{number:05d}.wav" for number in range(count)]
    for path in paths:
        soundfile.write(path, rng.normal(size=len(swell_N)) * swell_N, RATE, subtype="PCM_16")
    return paths


if __name__ == "__main__":
    run_script("featurize", __doc__, measure)
