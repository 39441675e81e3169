"""What a verb has found, read from the files that it writes for machines, as rows of one table."""

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from question_table import CORPORA

from raysearch.cli.verb_table import VERBS
from raysearch.evaluation.ablate import ablations_file, changes_shown
from raysearch.evaluation.experiment_figures import AblationFigures, own_values
from raysearch.evaluation.reproduction_text import metric_label, reproduction_markdown, step_rows
from raysearch.evaluation.stored_evaluations import stored_evaluations
from raysearch.evaluation.stored_noise import stored_noise
from raysearch.evaluation.sweep import sweep_file
from raysearch.run_folder import RunFolder

__all__ = ["Answer", "Row", "arguments_of", "found_by"]


@dataclass(frozen=True)
class Row:
    """One figure of an answer.

    Attributes:
        name: of what.
        value: UA of it, a share; None where it is a difference only.
        interval: 95%, of the value.
        difference: to what it is compared with.
        gap: the difference's interval: low, high and level.
        verdict: what may be said of the difference.
        why: why there is none, or no value.
    """

    name: str
    value: float | None = None
    interval: Sequence[float] | None = None
    difference: float | None = None
    gap: Sequence[float] | None = None
    verdict: str = ""
    why: str = ""


@dataclass(frozen=True)
class Answer:
    """What one command has found of one corpus.

    Attributes:
        rows: the figures.
        table: the verb's own in Markdown, where it says more than the rows.
    """

    rows: tuple[Row, ...]
    table: str | None = None

    def to_dict(self) -> dict[str, object]:
        """Plain data for JSON."""
        return {"rows": [asdict(row) for row in self.rows], "has_table": self.table is not None}


def arguments_of(words: Sequence[str]) -> argparse.Namespace:
    """A command as its verb reads it; raises SystemExit if it cannot be meant."""
    parser = argparse.ArgumentParser(prog=f"raysearch {words[0]}")
    VERBS[words[0]].load_options().add(parser)
    return parser.parse_args(words[1:])


def found_by(words: Sequence[str], printed: str) -> Answer:
    """What a command that was carried out has found.

    Args:
        words: the command, from its verb on.
        printed: its standard output, which is read where it is JSON.
    """
    asked = arguments_of(words)
    if words[0] == "compare":
        return _of_compare(json.loads(printed))
    return _READERS[words[0]](asked)


def _of_ablate(asked: argparse.Namespace) -> Answer:
    found = _read(ablations_file(RunFolder(Path(asked.run))))
    rows = [_row("the winner", found["winner"])]
    for name in asked.only.split(","):
        if name in found["skipped"]:
            rows.append(Row(name, verdict="not asked", why=found["skipped"][name]))
        else:
            one = found["ablations"][name]
            rows.append(_row(_changed(name, one), one["figures"], one["comparison"]))
    return Answer(tuple(rows))


def _changed(name: str, ablation: AblationFigures) -> str:
    """The ablation's name and what it set, where that is the same in every fold."""
    changes = {json.dumps(one, sort_keys=True) for one in ablation["changes"].values()}
    return f"{name}: {changes_shown(ablation['changes'])}" if len(changes) == 1 else name


def _of_sweep(asked: argparse.Namespace) -> Answer:
    fields = [axis.partition("=")[0] for axis in asked.axes]
    found = _read(sweep_file(RunFolder(Path(asked.run)), fields))
    own = ", ".join(own_values(found))
    rows = [_row(f"the winner ({own})", found["winner"])]
    rows += [
        _row(point["name"], point["figures"], point["comparison"])
        for point in found["points"]
        if point["comparison"]
    ]
    return Answer(tuple(rows))


def _of_evaluate(asked: argparse.Namespace) -> Answer:
    run = RunFolder(Path(asked.run))
    if asked.noise:
        noise = stored_noise(run)
        assert noise is not None
        rows = [
            _row(f"{one['kind']} {one['level']}".strip(), one, one.get("comparison"))
            for one in noise["levels"]
        ]
        left_out = noise.get("left_out", {}).items()
        return Answer((*rows, *(Row(name, verdict="left out", why=why) for name, why in left_out)))
    by = stored_evaluations(run)["nested"]["by"]
    rows = []
    for name in asked.by:
        rows += [_row(f"{name}: {value}", one) for value, one in by[name]["groups"].items()]
        rows += [_difference(one) for one in by[name]["differences"]]
    return Answer(tuple(rows))


def _of_compare(found: Sequence[Mapping[str, Any]]) -> Answer:
    return Answer(tuple(map(_difference, found)))


def _difference(compared: Mapping[str, Any]) -> Row:
    names = [_name(compared[key]) for key in ("first", "second")]
    return _row(" - ".join(names), None, compared)


def _name(name: str) -> str:
    """A group's value as it is; of a run's folder, what was searched."""
    _, _, search = Path(name).name.partition("-questions-")
    return search or name


def _of_cross_corpus(asked: argparse.Namespace) -> Answer:
    matrix = _read(asked.output)
    rows = []
    titles = {one.option: one.title for one in CORPORA.values()}
    for source, targets in matrix.items():
        for target, figures in targets.items():
            where = "own test speakers" if target == source else f"on {titles.get(target, target)}"
            rows.append(_row(f"{where}, {len(figures['labels'])} emotions", figures))
    return Answer(tuple(rows))


def _of_leak_study(asked: argparse.Namespace) -> Answer:
    found = _read(asked.storage / asked.name / "leak_study.json")
    arms = [_row(f"arm {name}", figures) for name, figures in found["arms"].items()]
    names = {"siblings": "augmented siblings (A - B)", "speakers": "shared speakers (B - C)"}
    gaps = [_row(words, None, found["compared"][key]) for key, words in names.items()]
    return Answer((*arms, *gaps), (asked.storage / asked.name / "leak_study.md").read_text())


def _of_reproduce(asked: argparse.Namespace) -> Answer:
    found = _read(asked.storage / asked.name / "reproduction.json")
    rows = [
        Row(
            step["name"],
            value=step["after"],
            difference=step["difference"],
            gap=_gap(step["interval"]),
            verdict=step["verdict"],
            why="" if step["interval"] else step["why"],
        )
        for step in found["steps"]
    ]
    begun = f"{step_rows(found)[0][0]}, {metric_label(found)}"
    first = Row(begun, value=found["steps"][0]["before"])
    return Answer((first, *rows), reproduction_markdown(found))


_READERS: Mapping[str, Callable[[argparse.Namespace], Answer]] = {
    "ablate": _of_ablate,
    "sweep": _of_sweep,
    "evaluate": _of_evaluate,
    "cross-corpus": _of_cross_corpus,
    "leak-study": _of_leak_study,
    "reproduce": _of_reproduce,
}


def _row(
    name: str, figures: Mapping[str, Any] | None, compared: Mapping[str, Any] | None = None
) -> Row:
    value = figures["ua"] if figures else None
    return Row(
        name,
        value=value["mean"] if value else None,
        interval=value["interval"] if value else None,
        difference=compared["difference"] if compared else None,
        gap=_gap(compared["interval"]) if compared else None,
        verdict=compared["verdict"] if compared else "",
        why=(compared.get("lack") or "") if compared else "",
    )


def _gap(bounds: Mapping[str, Any] | None) -> tuple[float, float, float] | None:
    if bounds is None:
        return None
    return float(bounds["low"]), float(bounds["high"]), float(bounds.get("level", 0.9))


def _read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))
