"""The words and the Markdown of the simulation of intervals and tests."""

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

__all__ = ["CHOSEN", "Measured", "markdown"]

# The rule of ``raysearch.evaluation.units``, beside the candidates that lost.
CHOSEN = ("t over folds", "t over folds, lambda -1/4")
# From so many speakers and folds the project gives intervals.
LEAST_SPEAKERS, LEAST_FOLDS = 8, 4

HEAD = """# Which interval and which test hold

    python tests/benchmarks/statistics_simulation.py --json OUT.json --output OUT.md

Two speakers of one fold are tested by one model, so their figures are alike. Evaluations were made
up whose truth is known: a speaker's value is a mean, plus what the speaker does, plus what the
model of the fold does (0, 25 or 50% of the variance; half of that is the training's, which is
averaged over 1 or 3 trainings). *Normal* values are that sum. *Skewed* ones are shares of right
answers out of 50, near 100%: the sum is their log-odds, 3.0 on average with a standard deviation of
1.2, so that the mean is 92% and some speakers are far below. Two systems have half of the speakers'
variance in common. Folds are independent of each other here.

A cell is the least and the greatest over the shares and the numbers of trainings, in percent. Of
MADE evaluations, a rate near 5% has a standard error of ERROR points; what resamples (bootstrap,
flips) was tried on RESAMPLED of them: ERROR_RESAMPLED points. "-": fewer than two folds. The rule
of the project is in bold: for a difference the t over folds, by the jackknife, which leaves a fold
out at a time; for a single figure the same on the scale of Tukey's lambda at -1/4, which draws out
the ends further than log-odds do. Its limits (8 speakers for an interval, 6 for a test, 4 folds for
both) are not applied to the long tables, so that what is beyond them shows."""

WHY = """What counts speakers finds more differences, and more that are not there, the more the
larger the folds. Drawing folds is too narrow where there are few, and drawing speakers within them
makes up for that by chance only: it depends on what share the folds have, which a user does not
know. Flips of folds are valid, but cannot speak below six. Three trainings need no level of their
own: what another training would change is in the differences between folds."""

CANNOT = """## What the rule cannot do

- Folds are taken as independent. Their models learn from overlapping rows, so what all of them
  owe to this corpus is not in any interval: a figure is of this corpus' kind of training data.
- Where one model tested all speakers, its speakers are the units. That interval and that test hold
  for the trained models, not for the methods: another training is not in them.
- With four or five folds the t has three or four degrees of freedom, and rests on the folds' means
  being near normal, which so few cannot show. Flips need no such thing, but with five units their
  least p is 1/16, so five folds of two speakers have no flip test at .05 at all.
- With two or three folds the intervals still hold, but hardly any difference would be found: the
  project says that it cannot be tested. More speakers in five folds help little where the folds
  differ much: more folds do.
- Where speakers are near 100% and a few far below, a small sample seldom has those few. The
  intervals of the skewed tables then hold a point or two less than they say, those of a difference
  between a system near 100% and a worse one too; the test is cautious there.
- Tukey's lambda was chosen between two values, by the skewed values above."""


class Measured(Protocol):
    """One cell of the simulation."""

    speakers: int
    folds: str
    data: str
    num_folds: int
    missed_mean: dict[str, float]
    missed_difference: dict[str, float]
    false_alarm: dict[str, float]
    power: dict[str, float]


Rates = Callable[[Measured], dict[str, float]]
# Title, what is read, whether the table is of what was not missed.
TABLES: Sequence[tuple[str, Rates, bool]] = (
    ("How often a 95% interval of a mean holds it", lambda cell: cell.missed_mean, True),
    ("How often a 95% interval of a difference holds it", lambda c: c.missed_difference, True),
    ("How often equal systems are called different at .05", lambda cell: cell.false_alarm, False),
    ("How often a difference of one deviation of a speaker is found", lambda c: c.power, False),
)


def markdown(found: Sequence[Measured], num_made: int, num_resampled: int) -> str:
    """All tables, and what follows from them."""
    facts = {
        "ERROR_RESAMPLED": f"{_error(num_resampled):.1f}",
        "ERROR": f"{_error(num_made):.1f}",
        "RESAMPLED": f"{num_resampled:,}",
        "MADE": f"{num_made:,}",
    }
    head = HEAD
    for word, value in facts.items():
        head = head.replace(word, value)
    parts = [head, _summary(found)]
    for title, rates, is_coverage in TABLES:
        for data in ("normal", "skewed"):
            cells = [cell for cell in found if cell.data == data]
            parts.append(f"## {title}: {data}\n\n" + _table(cells, rates, is_coverage))
    return "\n\n".join([*parts, CANNOT]) + "\n"


def _error(number: int) -> float:
    return 100 * float((0.05 * 0.95 / number) ** 0.5)


def _summary(found: Sequence[Measured]) -> str:
    """Mean, least and greatest of each candidate where the project gives intervals."""
    within = [c for c in found if c.speakers >= LEAST_SPEAKERS and c.num_folds >= LEAST_FOLDS]
    lines = [
        f"## In short: {LEAST_SPEAKERS} speakers and {LEAST_FOLDS} folds or more",
        "",
        f"Mean (least to greatest) over {len(within)} kinds of evaluation; wanted are 95 and 5.",
        "",
        "| | a mean: normal | skewed | a difference: normal | skewed | equal: normal | skewed "
        "| found: normal | skewed |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for name in _names(within):
        row = []
        for _, rates, is_coverage in TABLES:
            for data in ("normal", "skewed"):
                values = [rates(c)[name] for c in within if c.data == data and name in rates(c)]
                row.append(_mean(values, is_coverage))
        lines.append(f"| {_marked(name)} | {' | '.join(row)} |")
    return "\n".join([*lines, "", WHY])


def _names(found: Iterable[Measured]) -> list[str]:
    rates = [rates(cell) for cell in found for _, rates, _ in TABLES]
    return sorted({name for one in rates for name in one})


def _table(cells: Sequence[Measured], rates: Rates, is_coverage: bool) -> str:
    speakers = sorted({cell.speakers for cell in cells})
    lines = [
        f"| | folds | {' | '.join(map(str, speakers))} |",
        f"|---|---|{'---:|' * len(speakers)}",
    ]
    for name in sorted({name for cell in cells for name in rates(cell)}):
        for folds in dict.fromkeys(cell.folds for cell in cells):
            row = []
            for number in speakers:
                alike = [c for c in cells if c.speakers == number and c.folds == folds]
                row.append(_range([rates(c)[name] for c in alike if name in rates(c)], is_coverage))
            lines.append(f"| {_marked(name)} | {folds} | {' | '.join(row)} |")
    return "\n".join(lines)


def _marked(name: str) -> str:
    return f"**{name}**" if name in CHOSEN else name


def _percents(values: Sequence[float], is_coverage: bool) -> list[float]:
    return sorted(100 * (1 - value if is_coverage else value) for value in values)


def _range(values: Sequence[float], is_coverage: bool) -> str:
    if not values:
        return "-"
    shown = _percents(values, is_coverage)
    return f"{shown[0]:.1f} to {shown[-1]:.1f}"


def _mean(values: Sequence[float], is_coverage: bool) -> str:
    if not values:
        return "-"
    shown = _percents(values, is_coverage)
    return f"{sum(shown) / len(shown):.1f} ({shown[0]:.1f} to {shown[-1]:.1f})"
