"""The reference table: every system on one corpus, with equal budgets, nested over outer folds.

For each system, the commands that a user would type: ``raysearch run`` under a core budget for
fold 0, and ``raysearch evaluate --nested`` for the same search inside each other fold. The spaces
are the shipped ones. Each system's figures become one JSON file, and the table is made of all JSON
files that are there, so the hours that it takes may be spent in pieces:

    python tests/benchmarks/reference_table.py --corpus emodb --data EMO-DB/ --systems cnn,svm
    python tests/benchmarks/reference_table.py --corpus nemo --data nEMO/manifest.csv

An interrupted piece goes on where it stopped when the same command is given again.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from reference_text import HEADS, markdown

from raysearch.evaluation.final_model import load_final
from raysearch.ledger import read
from raysearch.run_folder import RunFolder

SYSTEMS = (
    "ssl",
    "cnn",
    "emohrnet",
    "resnet34",
    "cnn1d_attention",
    "lstm",
    "svm",
    "logistic",
    "mfhca",
)
REFERENCE = Path(__file__).parents[2] / "results" / "reference"
# A corpus of its own name, or a manifest.
CORPORA = {"emodb": "emodb", "nemo": "manifest"}
# The layers that mfhca's space searches are HuBERT's: of Whisper tiny's four the second is taken,
# where ssl's own settings stand.
OWN = {
    "resnet34": ("model.pretrained=false",),
    "mfhca": ("features.ssl.layer=2", "space.features.ssl.layer=null"),
}
ENCODER = ("ssl", "mfhca")


def main() -> None:
    """Measure what is asked for, then write the table of all that was ever measured."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--corpus", choices=sorted(HEADS), default="emodb")
    parser.add_argument("--data", required=True)
    parser.add_argument("--systems", default=",".join(SYSTEMS))
    parser.add_argument("--core-budget", default="8m", help="CPUs x wall time of an outer fold")
    parser.add_argument("--weights", help="a speech encoder's weights, for ssl and mfhca")
    parser.add_argument("--transductive", action="store_true", help="each speaker normalised")
    parser.add_argument("--paper", action="store_true", help="the paper's own split beside it")
    parser.add_argument("--storage", type=Path, default=Path("results"))
    parser.add_argument("--table-only", action="store_true")
    arguments = parser.parse_args()
    pieces = REFERENCE / arguments.corpus
    pieces.mkdir(parents=True, exist_ok=True)
    for system in () if arguments.table_only else arguments.systems.split(","):
        piece = measure(system, arguments)
        text = json.dumps(piece, indent=1, sort_keys=True) + "\n"
        (pieces / f"{piece['name']}.json").write_text(text)
        write_table(arguments.corpus)
    write_table(arguments.corpus)


def measure(system: str, arguments: argparse.Namespace) -> dict[str, Any]:
    """Run and evaluate one system; its figures, and the commands that gave them."""
    name = f"{system}-speaker" if arguments.transductive else system
    run = RunFolder(arguments.storage / f"reference-{arguments.corpus}-{name}")
    command = ["run", "--space", system, "--corpus", CORPORA[arguments.corpus]]
    command += ["--data", arguments.data, "--name", run.root.name]
    command += ["--storage", str(arguments.storage), "--seed", "0"]
    command += ["--core-budget", arguments.core_budget]
    for setting in settings(system, arguments):
        command += ["--set", setting]
    evaluate = ["evaluate", str(run.root), "--nested"]
    evaluate += ["--protocol", "paper"] if arguments.paper else []
    sessions = run.info().get("sessions", [{}])
    if sessions[-1].get("outcome") not in ("finished", "core budget") or not load_final(run):
        raysearch([*command, *(["--resume"] if run.spec_file.exists() else [])])
    begun = time.monotonic()
    raysearch(evaluate)
    figures = json.loads((run.root / "evaluation.json").read_text())
    shown = {arguments.data: "DATA", arguments.weights or "": "WEIGHTS"}
    shown[str(arguments.storage)] = "results"
    return {
        "name": name,
        "system": system,
        "transductive": arguments.transductive,
        "commands": [
            ["raysearch", *(_hidden(word, shown) for word in words)]
            for words in (command, evaluate)
        ],
        "nested": figures,
        "paper": figures["beside"].get("paper"),
        "folds": [fold(folder) for folder in fold_runs(run)],
        "evaluate_s": round(time.monotonic() - begun),
    }


def _hidden(word: str, shown: dict[str, str]) -> str:
    for path, name in shown.items():
        word = word.replace(path, name) if path else word
    return word


def settings(system: str, arguments: argparse.Namespace) -> list[str]:
    """``--set`` values beside the shipped space."""
    given = list(OWN.get(system, ()))
    if system in ENCODER:
        given.append(f"features.ssl.weights={arguments.weights}")
    if arguments.transductive:
        given.append("training.normalise=speaker")
    return given


def raysearch(arguments: Sequence[str]) -> None:
    """The command line, as a user types it."""
    print("+ raysearch", " ".join(arguments), flush=True)
    subprocess.run([sys.executable, "-m", "raysearch", *arguments], check=True)


def fold_runs(run: RunFolder) -> list[RunFolder]:
    """The searches of all outer folds in order."""
    inner = sorted((run.root / "nested").glob("fold-*"))
    return [run, *(RunFolder(folder) for folder in inner)]


def fold(run: RunFolder) -> dict[str, Any]:
    """What one search did with its budget."""
    events = list(read(run.ledger_file))
    trials = run.trials()
    best, model = trials.ranked()[0], load_final(run)
    assert model is not None
    return {
        "fold": run.spec().protocol.fold,
        "num_trials": len(trials.records),
        "num_completed": len(trials.with_status("completed")),
        "num_epochs": trials.num_epochs,
        "search_s": round(events[-1].time - events[0].time, 1),
        "whole_s": round(run.info()["sessions"][-1]["ended"] - events[0].time, 1),
        "value": best.best_metric,
        "number": best.number,
        "own": bool(best.never_pruned),
        "best": best.config,
        "best_epoch": best.best_epoch,
        "final": model.describe(),
        "validation": dict(model.validation),
    }


def write_table(corpus: str) -> None:
    """``<corpus>.md`` from the pieces that there are."""
    pieces = [json.loads(path.read_text()) for path in sorted((REFERENCE / corpus).glob("*.json"))]
    peers = [json.loads(path.read_text()) for path in sorted((REFERENCE / corpus).glob("peers/*"))]
    absent = [name for name in SYSTEMS if name not in {p["system"] for p in pieces}]
    (REFERENCE / f"{corpus}.md").write_text(markdown(corpus, pieces, peers, absent))


if __name__ == "__main__":
    main()
