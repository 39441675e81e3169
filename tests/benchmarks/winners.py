"""Which winners two stop rules find at equal budgets: nested, several seeds, on real speech.

For each system, rule and seed, the commands that a user would type: ``raysearch run`` under a core
budget for fold 0, and ``raysearch evaluate --nested`` for the same search inside each other fold.
The final model is the best trial alone (``--final single``), so that what differs is the search.
Each pair of commands becomes one JSON file in ``results/reference/winners``, what is there is not
measured again, and the table is made of all that is there:

    python tests/benchmarks/winners.py --corpus emodb --data EMO-DB/ --systems ssl --weights WEIGHTS
"""

import argparse
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from reference_table import CORPORA, ENCODER, OWN, REFERENCE, SYSTEMS, fold_runs, raysearch
from scipy import stats

from raysearch.run_folder import RunFolder

FOLDER = REFERENCE / "winners"
# The default now, and the one before it.
RULES = ("promote", "asha")
HEAD = """# Winners of two stop rules

Nested, speaker-independent test UA of a search's best trial alone, at equal budgets: pausing and
promotion (`promote`, the default) and stopping for good (`asha`, the default before). *Difference*
is promote's minus asha's, seeds averaged in each outer fold; its 95% interval is a t over folds.
*Validation* is the difference of the winners' objectives on inner validation speakers, likewise.
"""


def main() -> None:
    """Measure what is asked for and is not there, then write the table of all that is."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--corpus", choices=sorted(CORPORA), default="emodb")
    parser.add_argument("--data")
    parser.add_argument("--systems", default=",".join(SYSTEMS))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--core-budget", default="2m", help="CPUs x wall time of an outer fold")
    parser.add_argument("--weights", help="a speech encoder's weights, for ssl and mfhca")
    parser.add_argument("--storage", type=Path, default=Path("results"))
    arguments = parser.parse_args()
    for system in arguments.systems.split(",") if arguments.data else ():
        for seed in range(arguments.seeds):
            for rule in RULES:
                name = f"{arguments.corpus}-{system}-{rule}-{seed}-{arguments.core_budget}"
                path = FOLDER / f"{name}.json"
                if not path.exists():
                    found = measure(system, rule, seed, arguments, f"winners-{name}")
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n")
                    write_table()
    write_table()


def measure(
    system: str, rule: str, seed: int, arguments: argparse.Namespace, name: str
) -> dict[str, Any]:
    """Search under ``rule`` and evaluate nested; what was found in each fold."""
    run = RunFolder(arguments.storage / name)
    command = ["run", "--space", system, "--corpus", CORPORA[arguments.corpus], "--quiet"]
    command += ["--data", arguments.data, "--name", name, "--storage", str(arguments.storage)]
    command += ["--seed", str(seed), "--core-budget", arguments.core_budget, "--final", "single"]
    given = [f"search.scheduler={rule}", *OWN.get(system, ())]
    given += [f"features.ssl.weights={arguments.weights}"] if system in ENCODER else []
    command += [f"--set={setting}" for setting in given]
    raysearch([*command, *(["--resume"] if run.spec_file.exists() else [])])
    raysearch(["evaluate", str(run.root), "--nested"])
    figures = json.loads((run.root / "evaluation.json").read_text())
    trials = [folder.trials() for folder in fold_runs(run)]
    return {
        "corpus": arguments.corpus,
        "system": system,
        "rule": rule,
        "seed": seed,
        "core_budget": arguments.core_budget,
        "ua": figures["ua"]["mean"],
        "ua_by_fold": [figures["per_fold_ua"][fold] for fold in sorted(figures["per_fold_ua"])],
        "validation_by_fold": [found.ranked()[0].best_metric for found in trials],
        "trials_by_fold": [len(found.records) for found in trials],
        "epochs_by_fold": [found.num_epochs for found in trials],
    }


def write_table() -> None:
    """``winners.md``, of all JSON files that there are."""
    found: dict[tuple[str, str, str], list[dict[str, Any]]] = defaultdict(list)
    for path in sorted(FOLDER.glob("*.json")):
        one = json.loads(path.read_text())
        found[one["corpus"], one["system"], one["core_budget"]].append(one)
    columns = ["corpus", "system", "core budget a fold", "seeds"]
    columns += [f"{rule} UA %" for rule in RULES] + ["difference", "validation"]
    columns += [f"{rule}: trials, epochs a fold" for rule in RULES]
    lines = [HEAD, f"| {' | '.join(columns)} |", f"|{'---|' * len(columns)}"]
    lines += [f"| {' | '.join(_row(key, measured))} |" for key, measured in found.items()]
    FOLDER.with_suffix(".md").write_text("\n".join(lines) + "\n")


def _row(key: Sequence[str], measured: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    yield from key
    by_rule = {rule: {m["seed"]: m for m in measured if m["rule"] == rule} for rule in RULES}
    seeds = sorted(set.intersection(*(set(by_seed) for by_seed in by_rule.values())))
    yield str(len(seeds))
    both = [[by_rule[rule][seed] for seed in seeds] for rule in RULES]
    for each in both:
        yield f"{100 * np.mean([m['ua'] for m in each]):.1f}" if seeds else ""
    yield _difference(both, "ua_by_fold") if seeds else ""
    yield _difference(both, "validation_by_fold") if seeds else ""
    for each in both:
        numbers = [np.mean([m[f"{what}_by_fold"] for m in each]) for what in ("trials", "epochs")]
        yield f"{numbers[0]:.0f}, {numbers[1]:.0f}" if seeds else ""


def _difference(both: Sequence[Sequence[Mapping[str, Any]]], name: str) -> str:
    first_F, second_F = (100 * np.mean([m[name] for m in each], axis=0) for each in both)
    gaps_F = first_F - second_F
    half = stats.t.ppf(0.975, len(gaps_F) - 1) * stats.sem(gaps_F)
    return f"{gaps_F.mean():+.1f} ({gaps_F.mean() - half:+.1f} to {gaps_F.mean() + half:+.1f})"


if __name__ == "__main__":
    main()
