"""Recorded learning curves: public tables and our own, how soon they rank, how noisy they are."""

import itertools
import json
import math
import statistics
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from scipy.stats import kendalltau

from raysearch.tuning.tolerance import ValidationNoise

SHARES = (0.04, 0.08, 0.12, 0.2, 0.3, 0.4, 0.5, 0.7)
DIVERGED = 10.0


@dataclass(frozen=True)
class Curves:
    """Whole trials of one problem.

    Attributes:
        name: what the table is called.
        values: the value after each epoch, higher is better.
        warmups: epochs of warm-up of each run.
        noise: of the validation set, where rows are known.
        settings: a point of the space for each run, each parameter from 0 to 1.
        own: the run that stands for the space's own settings.
    """

    name: str
    values: np.ndarray
    warmups: Sequence[int]
    noise: ValidationNoise | None = None
    settings: np.ndarray | None = None
    own: int = 0

    @property
    def best(self) -> np.ndarray:
        """The best value so far."""
        best_rt: np.ndarray = np.maximum.accumulate(self.values, axis=1)
        return best_rt


def read_table(path: Path) -> Curves:
    """A table of TaskSet; the run nearest to a textbook Adam stands for a space's own settings."""
    table = pq.read_table(path)
    losses_RT = np.array(table["valid_loss"].to_pylist(), dtype=np.float64)[:, 1:]
    values = -np.minimum(np.nan_to_num(losses_RT, nan=DIVERGED, posinf=DIVERGED), DIVERGED)
    names = [name for name in table.column_names if name.startswith("hp_")]
    raw_RP = np.stack([table[name].to_numpy() for name in names], axis=1)
    low_P, high_P = np.log10(raw_RP.min(0)), np.log10(raw_RP.max(0))
    settings = (np.log10(raw_RP) - low_P) / (high_P - low_P)
    adam = {"hp_learning_rate": 1e-3, "hp_beta1": 0.9, "hp_beta2": 0.999, "hp_epsilon": 1e-8}
    wanted_P = np.log10([adam.get(n, raw_RP[:, i].min()) for i, n in enumerate(names)])
    distance_R = (((wanted_P - low_P) / (high_P - low_P) - settings) ** 2).sum(1)
    name = path.stem.removeprefix("FixedTextRNNClassification_imdb_")
    own = int(distance_R.argmin())
    return Curves(name, values, [0] * len(values), None, settings, own)


def read_curves(path: Path) -> Curves:
    """Real trials, by the mean UA of three epochs; those whose loss was not finite are left out."""
    found = json.loads(path.read_text())
    trials = [t for t in found["trials"] if len(t["epochs"]) == found["epochs"]]
    values = [[epoch["val_uar_mean3"] for epoch in t["epochs"]] for t in trials]
    counts = Counter(emotion for _, emotion in found["rows"])
    noise = ValidationNoise(
        (tuple(counts.values()),), (len({speaker for speaker, _ in found["rows"]}),)
    )
    name = f"{path.stem.split('-')[0]} {found['space']}"
    return Curves(name, np.array(values), [t["warmup_epochs"] for t in trials], noise)


def rank_lines(found: Iterable[Curves]) -> list[str]:
    """Two tables: rank correlation with the end, and whether the best is kept."""
    rng = np.random.default_rng(0)
    head = ["| curves | runs | " + " | ".join(f"{share:.0%}" for share in SHARES) + " |"]
    head += ["|---|---:|" + "---:|" * len(SHARES)]
    taus, kept = [*head], [*head]
    for curves in found:
        both = rank_rows(curves, rng)
        for lines, values in zip((taus, kept), both, strict=True):
            cells = " | ".join(f"{value:.2f}" for value in values)
            lines.append(f"| {curves.name} | {len(curves.values)} | {cells} |")
    return [
        "Kendall's tau between the best value so far at a share of the epochs (warm-up not "
        "counted) and that at the end:",
        "",
        *taus,
        "",
        "How often the best of twelve random runs is among the best four at that share:",
        "",
        *kept,
    ]


def rank_rows(curves: Curves, rng: np.random.Generator) -> tuple[list[float], list[float]]:
    """By share of the epochs: Kendall's tau with the end, and how often the best of twelve is kept.

    Kept means among the best third then.
    """
    best_rt = curves.best
    num_runs = len(best_rt)
    end_r = best_rt[:, -1]
    taus, kept = [], []
    for share in SHARES:
        now_r = best_rt[np.arange(num_runs), _at(curves, share) - 1]
        taus.append(float(kendalltau(now_r, end_r).statistic))
        hits = []
        for _ in range(1000):
            some = rng.choice(num_runs, min(12, num_runs), replace=False)
            winner = some[end_r[some].argmax()]
            hits.append((now_r[some] > now_r[winner]).sum() < 4)
        kept.append(statistics.fmean(hits))
    return taus, kept


def _at(curves: Curves, share: float) -> np.ndarray:
    """The epoch, of each run, at that share of all epochs beside its warm-up."""
    num_epochs = curves.values.shape[1]
    epochs = [w + max(1, round(share * num_epochs)) for w in curves.warmups]
    return np.minimum(epochs, num_epochs)


def noise_lines(paths: Sequence[Path]) -> list[str]:
    """Where the two constants of raysearch.tuning.tolerance come from, pairs of trials together.

    A difference's variance is estimated over rows, within classes, and over speakers, whose UAs
    are compared; each is divided by that of two independent binomial scores of the same UA. One
    speaker alone tells nothing of voices.
    """
    lines = [
        "| trials | rows | speakers | pairs | error of one UA, points | over rows | over speakers |"
        " shared | intraclass | row loss, deviation / mean |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    found = []
    for path in paths:
        trials = json.loads(path.read_text())
        speakers, emotions = (np.array(names) for names in zip(*trials["rows"], strict=True))
        whole = [t for t in trials["trials"] if len(t["epochs"]) == trials["epochs"]]
        rights = [np.array(t["right"], dtype=float) for t in whole]
        losses = [np.array(t["losses"]) for t in whole]
        naive, by_rows, by_speakers = _variances(rights, speakers, emotions)
        num_speakers = len(set(speakers))
        over_rows, over_speakers = by_rows / naive, by_speakers / naive
        intraclass = (over_speakers / over_rows - 1) / (len(emotions) / num_speakers - 1)
        spread = statistics.median(float(loss.std() / loss.mean()) for loss in losses)
        found.append([over_rows, over_speakers, 1 - over_rows, intraclass, spread])
        pairs = len(rights) * (len(rights) - 1) // 2
        cells = [f"{path.stem}", f"{len(emotions)}", f"{num_speakers}", f"{pairs}"]
        cells += [f"{100 * (naive / 2) ** 0.5:.1f}", *_figures(found[-1])]
        lines.append(f"| {' | '.join(cells)} |")
    means = " | ".join(_figures(np.nanmean(found, axis=0)))
    return [*lines, f"| mean | | | | | {means} |"]


def _figures(values: Sequence[float]) -> list[str]:
    texts = [f"{value:.3f}" if i == 3 else f"{value:.2f}" for i, value in enumerate(values)]
    return ["-" if text == "nan" else text for text in texts]


def _variances(
    rights: Sequence[np.ndarray], speakers: np.ndarray, emotions: np.ndarray
) -> tuple[float, float, float]:
    """Of a difference of two UAs, mean over pairs: as if independent, over rows, over speakers."""
    classes = sorted(set(emotions))
    counts = {k: int((emotions == k).sum()) for k in classes}

    def ua(values: np.ndarray, where: np.ndarray) -> float:
        parts = [values[where & (emotions == k)] for k in classes]
        return statistics.fmean(float(part.mean()) for part in parts if len(part))

    everywhere = np.ones(len(emotions), dtype=bool)
    naive, rows, voices = [], [], []
    for one, other in itertools.combinations(rights, 2):
        p, gap = ua((one + other) / 2, everywhere), one - other
        size = len(classes) ** 2
        naive.append(2 * p * (1 - p) * sum(1 / n for n in counts.values()) / size)
        rows.append(sum(gap[emotions == k].var(ddof=1) / counts[k] for k in classes) / size)
        each = [ua(gap, speakers == name) for name in sorted(set(speakers))]
        voices.append(statistics.variance(each) / len(each) if len(each) > 1 else math.nan)
    return statistics.fmean(naive), statistics.fmean(rows), statistics.fmean(voices)
