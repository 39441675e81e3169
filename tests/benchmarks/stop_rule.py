"""When may a trial be judged? Recorded learning curves, and stop rules replayed on them.

    python tests/benchmarks/stop_rule.py --tables FOLDER --curves FILE [FILE ...] --output OUT.md

``--tables`` is a folder of Parquet tables, a run a row, with the columns ``hp_*`` and a list of
validation losses; ``--curves`` are files that record_curves.py wrote. No clock is in either: an
epoch costs one.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from recorded_curves import Curves, noise_lines, rank_lines, read_curves, read_table
from replayed_search import Shuffled, Tpe, replay, rules

MOMENTS = (0.1, 0.25, 0.5, 1.0)
HEAD = """# When a trial may be judged

`python tests/benchmarks/stop_rule.py --tables FOLDER --curves FILE ... --output OUT.md`, with the
TaskSet tables as republished with DyHPO (text classifiers, 1,000 runs of 50 epochs each), and with
curves of real trials, each of which is one line:

COMMANDS

Real trials are the space's own settings and random draws, trained to their end on fold 0, judged by
`val_uar_mean3` on its validation speakers (two of EMO-DB's, one of nEMO's). They are few: read the
real rows for their direction. TaskSet's losses hardly have noise, and no validation rows that could
tell it, so there the rule stops by rank alone.

- *stopped*, *epochs*: trials that a search stopped, and its share of all epochs of its trials;
- *UA points lost*: the best trial of the search, had all run to their end, less the winner;
- *best lost*: how often the winner was another than that best trial;
- *regret*: (best loss seen - the table's best) / (the table's median - its best)."""


def table_rows(tables: Sequence[Curves], seeds: int) -> list[str]:
    """Regret at moments of a budget of 20 whole trials, TPE proposing, mean over the tables."""
    rows = []
    for name in rules(tables[0]):
        regrets, firsts, shares = [], [], []
        for curves in tables:
            best = curves.values.max()
            scale = best - float(np.median(curves.values[:, -1]))
            budget = 20 * curves.values.shape[1]
            for seed in range(seeds):
                tpe = Tpe(curves, seed)
                search = replay(curves, tpe.propose, tpe.tell, rules(curves)[name], budget)
                at = [search.seen[round(moment * budget) - 1] for moment in MOMENTS]
                regrets.append([(best - value) / scale for value in at])
                firsts.append(search.winner == 0)
                shares.append(search.stopped / len(search.run_of))
        means = np.mean(regrets, axis=0)
        error = np.std([row[-1] for row in regrets]) / len(regrets) ** 0.5
        cells = [f"{mean:.2f}" for mean in means]
        cells[-1] += f" ± {error:.2f}"
        cells += [f"{np.mean(firsts):.0%}", f"{np.mean(shares):.0%}"]
        rows.append(f"| {name} | {' | '.join(cells)} |")
    return rows


def curve_rows(found: Sequence[Curves], orders: int, most: int, whole: float | None) -> list[str]:
    """Searches among recorded trials in many orders, the space's own settings first.

    Args:
        found: the trials of each system and corpus.
        orders: how many orders.
        most: trials of a search.
        whole: its budget in whole trials; without one, all of its trials run.
    """
    rows = []
    for name in rules(found[0]):
        gaps, firsts, lost, stopped, spent = [], [], [], [], []
        for curves in found:
            end_r = curves.best[:, -1]
            num_epochs = curves.values.shape[1]
            for seed in range(orders):
                draw = Shuffled(curves, seed, most)
                budget = round((whole or most) * num_epochs)
                search = replay(curves, draw.propose, draw.tell, rules(curves)[name], budget)
                best = max(end_r[draw.order])
                gaps.append(best - end_r[search.run_of[search.winner]])
                firsts.append(search.winner == 0)
                lost.append(gaps[-1] > 0)
                stopped.append(search.stopped)
                spent.append(len(search.seen) / (len(draw.order) * num_epochs))
        cells = [f"{np.mean(stopped):.1f}", f"{np.mean(spent):.0%}", f"{100 * np.mean(gaps):.1f}"]
        cells += [f"{np.mean(lost):.0%}", f"{np.mean(firsts):.0%}"]
        rows.append(f"| {name} | {' | '.join(cells)} |")
    return rows


def command_of(path: Path) -> str:
    """What recorded the trials of a file."""
    found = json.loads(path.read_text())
    settings = " ".join(f"--set {setting}" for setting in found["settings"])
    size = f"--trials {len(found['trials'])} --epochs {found['epochs']}"
    return f"record_curves.py {found['space']} {found['corpus']} DATA {size} {settings}"


def main() -> None:
    """Measure, print and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tables", type=Path)
    parser.add_argument("--curves", type=Path, nargs="*", default=[])
    parser.add_argument("--seeds", type=int, default=5, help="searches a table and rule")
    parser.add_argument("--orders", type=int, default=100, help="orders of recorded trials")
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    paths = sorted(arguments.tables.glob("*.parquet")) if arguments.tables else []
    tables = [read_table(path) for path in paths]
    curves = [read_curves(path) for path in arguments.curves]
    told = "\n".join(f"    {command_of(path)}" for path in arguments.curves)
    lines = [
        *HEAD.replace("COMMANDS", told).splitlines(),
        "",
        "## Rank",
        "",
        *rank_lines([*curves, *tables]),
    ]
    if curves:
        lines += ["", "## Noise", "", *noise_lines(arguments.curves)]
        head = [
            "| rule | stopped | epochs | UA points lost | best lost | winner is the own |",
            "|---|---:|---:|---:|---:|---:|",
        ]
        lines += ["", "## Real trials, twelve a search", "", *head]
        lines += curve_rows(curves, arguments.orders, 12, None)
        lines += ["", "## Real trials, up to sixteen in the time of six whole ones", "", *head]
        lines += curve_rows(curves, arguments.orders, 16, 6)
    if tables:
        lines += ["", "## TaskSet, TPE, a budget of twenty whole trials", ""]
        lines += [
            "| rule | "
            + " | ".join(f"regret at {m:.0%}" for m in MOMENTS)
            + " | winner is trial 0 | stopped |",
            "|---|" + "---:|" * (len(MOMENTS) + 2),
        ]
        lines += table_rows(tables, arguments.seeds)
    text = "\n".join(lines) + "\n"
    print(text)
    if arguments.output:
        arguments.output.write_text(text)


if __name__ == "__main__":
    main()
