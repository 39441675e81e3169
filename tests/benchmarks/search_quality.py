"""How well do ways to search spend their epochs? Replays, kept piece by piece, and their tables.

    python tests/benchmarks/search_quality.py --tables FOLDER [--pieces one-slot,grid]
    python tests/benchmarks/search_quality.py --tables FOLDER --pieces one-slot --rules promote

``--tables`` is a folder of Parquet tables, as ``raysearch replay`` takes it. Beside it the runs of
``results/reference/search_quality/runs`` are replayed: real trials of this project's systems, each
trained to its end. A piece that was replayed before is kept, so that the script goes on where it
was stopped; ``--anew`` replays it again, ``--rules`` some of its rules, beside the kept figures of
the others. All of it takes about an hour of one core.
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from raysearch.replay.found_tables import find_tables
from raysearch.replay.rule_comparison import Plan, Switch, compare_rules
from raysearch.replay.search_rules import RULES, Rule

REFERENCE = Path(__file__).parents[2] / "results" / "reference"
PIECES = REFERENCE / "search_quality"
RUNS = PIECES / "runs"
# The first of so many and every second one after it: those were used to choose among the forms of
# the rule, and the others show the choice.
CHOSEN_ON, SHOWN_ON, EVERY = (0, 2), (1, 2), (0, 1)

HEAD = """# How well a search spends its epochs

`python tests/benchmarks/search_quality.py --tables TASKSET`, with seven TaskSet tables as
republished with DyHPO (text classifiers; 1,000 runs of 50 epochs each; TPE's proposals are snapped
to the nearest run). *Own runs* are real trials of this project's systems on EMO-DB and nEMO, each
trained to its end, with the noise of their validation sets; they lie beside this file, and
`raysearch replay --tables results/reference/search_quality/runs` replays them.

Conductor, sampler, stop rule and ledger are those of a search; only the slots are simulated. The
budget is 20 whole runs, or half of a table's. *Regret* is (best value so far - the table's best) /
(the table's median end - its best): 0 is the best of the table, 1 the end of its median run.
*Epochs to asha's* are those that a rule takes to the regret that TPE with stopping ASHA, the
default before, has at 25, 50 and 100% of the budget, in parts of those that ASHA has used; `>`:
some table's was not reached with the whole budget, which counts instead. Means over tables; in
brackets 95% over seeds, the tables taken as they are. `promote` is the default.

What it says: where trials pause and are promoted, the regret of stopping them is reached in 31, 38
and 45% of its epochs on one slot, in 60 to 45% with eight; with 32 slots, each of which has less
than one whole run to spend, in 88, 76 and 64%. An early first rung pays, and so does telling trials
apart within noise, for a pause is not the end. Ranking trials by what they are expected to reach
(`search.extrapolation`) took those figures from 32, 43 and 56%. Its part of 0.5 was chosen among 0,
0.5 and 1 on all seven tables, with ten of the seeds (mean regret over the budget 0.27, 0.25, 0.24).
On our own runs, whose validation sets are small, it does no good and no harm once only what exceeds
two standard errors of a gain counts: mean regret 0.53 without it, 0.61, 0.58 and 0.53 with none,
one and two of them (20 seeds). One table is worse at one moment: on 24 trials of the attention
1D-CNN, with room for twelve, regret at half the budget is 0.67 instead of 0.55, and 0.08 instead of
0.14 at its end.
"""


@dataclass(frozen=True)
class Piece:
    """Replays that make one table of the text.

    Attributes:
        title: its heading.
        about: what is to be known of it.
        rules: the names of the rules, or the rules themselves.
        plan: how they are replayed.
        own: whether on our own runs; else on the tables that are given.
        part: which of the tables: the first of them, and how many further on the next is.
    """

    title: str
    about: str
    rules: Sequence[str] | Mapping[str, Rule]
    plan: Plan
    own: bool = False
    part: tuple[int, int] = EVERY


# The promoting rule as its other forms were compared: trials rank by the values they have.
VALUES = {"scheduler": "promote", "extrapolation": 0.0}


def grid() -> dict[str, Rule]:
    """Forms of the promoting rule that were compared, and the stopping rule beside them."""
    forms = {"asha": RULES["asha"]}
    for share, epochs in (("4%", 2), ("6%", 3), ("10%", 5), ("20%", 10)):
        for factor in (2, 3, 4):
            fields = {"grace_epochs": epochs, "reduction_factor": factor, "noise": 0.0}
            name = f"first rung at {share}, one in {factor}"
            forms[name] = Rule(name, {**VALUES, **fields})
    return forms


def noises() -> dict[str, Rule]:
    """How many standard errors of a difference a trial may lie behind and still go on."""
    forms = {"asha": RULES["asha"]}
    for noise in (0.0, 0.5, 1.0, 2.0):
        fields = {**VALUES, "grace_epochs": None, "noise": noise}
        forms[f"noise {noise:g}"] = Rule("", fields)
    return forms


def expectations() -> dict[str, Rule]:
    """What part of a doubling's gain the next one is expected to bring; 0: ranked by values."""
    forms = {"asha": RULES["asha"]}
    for part in (0.0, 0.25, 0.5, 1.0):
        fields = {**VALUES, "grace_epochs": None, "noise": 0.0, "extrapolation": part}
        forms[f"extrapolation {part:g}"] = Rule("", fields)
    return forms


ALL = ("random", "tpe", "median", "asha", "promote")
TWO = ("asha", "promote")
BY_VALUE = "Trials still ranked by the values that they had (`search.extrapolation=0`)."
CHOICE = "on the tables that the form was chosen on (the first, third, fifth and seventh)"
PLANS = {
    "one-slot": Piece("TaskSet, one slot", "50 seeds.", ALL, Plan(50)),
    "own-one-slot": Piece("Own runs, one slot", "50 seeds.", ALL, Plan(50), own=True),
    "two-slots": Piece("TaskSet, 2 slots", "20 seeds.", TWO, Plan(20, slots=2)),
    "eight-slots": Piece("TaskSet, 8 slots", "20 seeds.", TWO, Plan(20, slots=8)),
    "many-slots": Piece("TaskSet, 32 slots", f"20 seeds. {BY_VALUE}", TWO, Plan(20, slots=32)),
    "switch": Piece(
        "TaskSet, one slot, a switch costs a tenth of an epoch",
        f"20 seeds. With warm groups a switch takes 0.2 s. {BY_VALUE}",
        TWO,
        Plan(20, switch=Switch(0.1)),
    ),
    "own-switch": Piece(
        "Own runs, one slot, a switch costs 0.2 s",
        f"20 seeds. {BY_VALUE}",
        TWO,
        Plan(20, switch=Switch(0.2, in_seconds=True)),
        own=True,
    ),
    "grid": Piece(
        "Forms of the rule", f"12 seeds, {CHOICE}. {BY_VALUE}", grid(), Plan(12), part=CHOSEN_ON
    ),
    "grid-shown": Piece(
        "Forms of the rule, shown",
        f"12 seeds, on the other three. {BY_VALUE}",
        grid(),
        Plan(12),
        part=SHOWN_ON,
    ),
    "noise": Piece(
        "Own runs, what a difference within noise does",
        f"20 seeds. {BY_VALUE}",
        noises(),
        Plan(20),
        own=True,
    ),
    "expected": Piece(
        "Ranked by what is expected",
        f"12 seeds, {CHOICE}.",
        expectations(),
        Plan(12),
        part=CHOSEN_ON,
    ),
    "expected-shown": Piece(
        "Ranked by what is expected, shown",
        "12 seeds, on the other three.",
        expectations(),
        Plan(12),
        part=SHOWN_ON,
    ),
    "expected-own": Piece(
        "Own runs, ranked by what is expected", "20 seeds.", expectations(), Plan(20), own=True
    ),
}


def main() -> None:
    """Replay what is lacking, then write the text of all there is."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tables", type=Path, required=True)
    parser.add_argument("--pieces", default=",".join(PLANS), help="which; the text has them all")
    parser.add_argument("--anew", action="store_true", help="replay what was replayed before, too")
    parser.add_argument("--rules", help="replay only these anew, in pieces that are there")
    arguments = parser.parse_args()
    for name in arguments.pieces.split(","):
        file, piece = PIECES / f"{name}.json", PLANS[name]
        if arguments.rules:
            some = replace(piece, rules=tuple(arguments.rules.split(",")))
            found = merged(json.loads(file.read_text()), replayed(some, arguments.tables))
        elif arguments.anew or not file.exists():
            found = replayed(piece, arguments.tables)
        else:
            continue
        file.write_text(json.dumps(found, indent=1) + "\n")
        print(name, flush=True)
    write_text()


def merged(before: dict[str, Any], anew: Mapping[str, Any]) -> dict[str, Any]:
    """``before`` with the figures of the rules that were replayed ``anew``."""
    parts = {name: {**before.get(name, {}), **anew[name]} for name in ("rules", "forecast")}
    return {**before, **parts}


def replayed(piece: Piece, folder: Path) -> dict[str, Any]:
    """What ``raysearch replay --json`` gives of it."""
    first, step = piece.part
    tables = find_tables(RUNS if piece.own else folder, print)[first::step]
    rules = piece.rules if isinstance(piece.rules, Mapping) else {n: RULES[n] for n in piece.rules}
    return compare_rules(tables, rules, piece.plan).to_dict(piece.plan)


def write_text() -> None:
    """The table of every piece that there is."""
    parts = [HEAD]
    for name, piece in PLANS.items():
        file = PIECES / f"{name}.json"
        if file.exists():
            parts.append(section(piece, json.loads(file.read_text())))
    (REFERENCE / "search_quality.md").write_text("\n".join(parts))


def section(piece: Piece, found: Mapping[str, Any]) -> str:
    """Heading, what it is, and a row a rule; then each table's own, where there are few rules."""
    some = next(iter(found["rules"].values()))
    moments = [f"regret at {float(m):.0%}" for m in some["regret"]]
    times = [f"epochs to asha's at {float(m):.0%}" for m in some["epochs_to_present"]]
    lines = [f"## {piece.title}", "", f"{piece.about} {len(found['tables'])} table(s).", ""]
    lines += [row("rule", *moments, *times), row(*["---"] * (1 + len(moments) + len(times)))]
    for name, rule in found["rules"].items():
        cells = [*rule["regret"].values(), *rule["epochs_to_present"].values()]
        lines.append(row(name, *map(cell, cells)))
    if isinstance(piece.rules, tuple):
        lines += ["", "By table, regret at the same moments, then epochs to asha's:", ""]
        lines += by_table(found)
    return "\n".join([*lines, ""])


def by_table(found: Mapping[str, Any]) -> list[str]:
    """Each table's means of the present rule and of the default."""
    lines = [row("table", "asha", "promote", "epochs to asha's"), row(*["---"] * 4)]
    for table in found["tables"]:
        cells = []
        for name in TWO:
            regrets = found["rules"][name]["regret"].values()
            cells.append(" ".join(f"{one['tables'][table]['mean']:.2f}" for one in regrets))
        times = found["rules"]["promote"]["epochs_to_present"].values()
        cells.append(" ".join(f"{one['tables'][table]['mean']:.2f}" for one in times))
        lines.append(row(table, *cells))
    return lines


def row(*cells: str) -> str:
    """A line of a Markdown table."""
    return f"| {' | '.join(cells)} |"


def cell(one: Mapping[str, Any]) -> str:
    """A mean and its interval."""
    span = ", ".join(f"{bound:.2f}" for bound in one["interval"] or ())
    return f"{'>' if one['unreached'] else ''}{one['mean']:.2f}" + (f" [{span}]" if span else "")


if __name__ == "__main__":
    main()
