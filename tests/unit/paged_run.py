"""A run whose search was recorded, with splits, recordings and evaluations, for its page."""

import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import soundfile

from raysearch.evaluation.by_column import by_column
from raysearch.evaluation.probability_columns import probability_column
from raysearch.evaluation.scores import score
from raysearch.run_folder import RunFolder

LABELS = ("anger", "boredom", "joy", "neutral")
LEDGERS = Path(__file__).parents[1] / "replay" / "ledgers"
SPEAKERS = tuple(f"s{n:02d}" for n in range(10))
TESTED = [
    (speaker, f"{speaker}-{emotion}-{repeat}")
    for speaker in SPEAKERS[:8]
    for emotion in LABELS
    for repeat in range(2)
]
# Columns and their values: two groups of four speakers, and four of two.
GROUPS = {
    "sex": {name: "female" if speaker < "s04" else "male" for speaker, name in TESTED},
    "accent": {name: f"accent {int(speaker[1:]) % 4}" for speaker, name in TESTED},
}


def recorded_run(folder: Path, ledger: str = "resumed") -> RunFolder:
    """A run's folder that holds one of the recorded searches."""
    folder.mkdir(parents=True)
    for name in ("spec.yaml", "trials.jsonl"):
        shutil.copyfile(LEDGERS / ledger / name, folder / name)
    return RunFolder(folder)


def with_data(run: RunFolder) -> RunFolder:
    """Splits of ten speakers, and a recording for each test utterance."""
    sounds = run.root.parent / "sounds"
    sounds.mkdir(exist_ok=True)
    rows, rng = [], np.random.default_rng(0)
    for number, speaker in enumerate(SPEAKERS):
        side = "test" if number < 8 else "validation" if number == 8 else "train"
        for repeat in range(2):
            for emotion in LABELS:
                path = sounds / f"{speaker}-{emotion}-{repeat}.wav"
                seconds = rng.uniform(0.5, 2)
                if side == "test":
                    soundfile.write(path, 0.1 * rng.normal(size=int(8000 * seconds)), 8000)
                rows.append(
                    {
                        "utterance": path.stem,
                        "speaker": speaker,
                        "fold": 0,
                        "split": side,
                        "emotion": emotion,
                        "duration_s": round(seconds, 3),
                        "path": str(path),
                    }
                )
    run.write_splits(rows)
    dropped = [{"reason": "empty file", "count": 3, "example": "x</script>.wav"}]
    data = {"corpus": "demo", "num_utterances": 80, "audit": ["clean"], "dropped": dropped}
    run.data_file.write_text(json.dumps(data))
    return run


def predictions(seed: int, right: float = 0.7, seeds: int = 2) -> pa.Table:
    """Predictions for the test speakers of ``with_data``, right as often as told."""
    rng = np.random.default_rng(seed)
    rows = []
    for training in range(seeds):
        for speaker in SPEAKERS[:8]:
            for repeat in range(2):
                for emotion in LABELS:
                    probs = rng.dirichlet(np.ones(len(LABELS)))
                    probs = np.sort(probs)[::-1]
                    order = list(rng.permutation([one for one in LABELS if one != emotion]))
                    order.insert(0 if rng.uniform() < right else 1, emotion)
                    rows.append(
                        {
                            "utterance": f"{speaker}-{emotion}-{repeat}",
                            "corpus": "demo",
                            "speaker": speaker,
                            "sex": "female" if speaker < "s04" else "male",
                            "fold": 0,
                            "seed": training,
                            "emotion": emotion,
                            "predicted": order[0],
                            **{
                                probability_column(label): float(p)
                                for label, p in zip(order, probs, strict=True)
                            },
                        }
                    )
    return pa.Table.from_pylist(rows)


def evaluated(run: RunFolder, seed: int = 0, right: float = 0.7) -> RunFolder:
    """Figures of one fold and of the paper's split, as an evaluation would store them."""
    stored = {}
    for mode, protocol, share in (("fold", "speaker_independent", right), ("paper", "paper", 0.95)):
        table = predictions(seed, share)
        figures = score(table, protocol=protocol, where={"fold": 0}, notes=["a note"])
        part = {name: figures[name]["mean"] - 0.05 for name in ("ua", "wa", "macro_f1")}
        parts = {"own settings": {**part, "per_fold_ua": {"0": part["ua"]}}}
        parts["own settings"]["gain_by_fold"] = {"0": 0.05}
        by = {name: by_column(table, LABELS, values) for name, values in GROUPS.items()}
        stored[mode] = {"mode": mode, "trial": "t", **figures, "parts": parts, "by": by}
        pq.write_table(table.drop_columns(["sex"]), run.root / f"predictions-{mode}.parquet")
    whole = {**stored["fold"], "beside": {"paper": stored["paper"]}}
    (run.root / "evaluation.json").write_text(json.dumps(whole))
    return run
