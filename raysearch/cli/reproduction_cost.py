"""What a reproduction will take, before it takes it: nets, epochs, rows, and measured time."""

from dataclasses import dataclass

from rich.console import Console

from raysearch.cli.dry_run import row_seconds
from raysearch.cli.tables import plain_table, print_table
from raysearch.cli.terminal import heading
from raysearch.evaluation.reproduction_plan import Plan
from raysearch.evaluation.reproduction_text import ARM_NAMES
from raysearch.evaluation.row_arms import RowArm
from raysearch.ray_cluster.resources import local_node
from raysearch.reporting.sentences import print_sentence
from raysearch.reporting.wording import age
from raysearch.spec import SearchSpec
from raysearch.trial_config import TrialConfig
from raysearch.tuning.stop_rules import rule_class
from raysearch.workers.open_pool import plan_for

__all__ = ["Item", "cost_items", "show_cost"]


@dataclass(frozen=True)
class Item:
    """One line of the costs.

    Attributes:
        name: what is trained.
        nets: how many times.
        each: epochs of one.
        rows: that a network learns from in an epoch, on average.
        core_s: seconds on one core, all of it together.
    """

    name: str
    nets: int
    each: int
    rows: int
    core_s: float

    @property
    def epochs(self) -> int:
        """Epochs of all nets."""
        return self.nets * self.each


def cost_items(plan: Plan, search: SearchSpec | None, num_searches: int) -> list[Item]:
    """Count what is trained, and measure a step of each network.

    Args:
        plan: the arms.
        search: the search that is made first, if one is.
        num_searches: one, or one a fold.
    """
    measured: dict[str, float] = {}
    num_classes = len(plan.corpus.emotions)

    def seconds(config: TrialConfig) -> float:
        # Only what a step computes tells settings apart here.
        key = repr((config.model, config.used_features, config.training.clip_s))
        if key not in measured:
            measured[key] = row_seconds(config, num_classes)
        return measured[key]

    items = []
    if search is not None:
        arm, epochs = plan.arms["winner-honest"], search.training.epochs
        trials = search.search.trials * num_searches
        share = 1 + (search.search.trials - 1) * rule_class(search.search.scheduler).epochs_share
        core_s = _rows(arm) * seconds(search.base) * epochs * num_searches * share
        items.append(Item("the search, at most", trials, epochs, _learned(arm), core_s))
    for name, arm in plan.arms.items():
        nets = len(arm.folds) * plan.num_seeds
        epochs = arm.config.training.epochs
        core_s = _rows(arm) * seconds(arm.config) * epochs * nets
        items.append(Item(ARM_NAMES[name], nets, epochs, _learned(arm), core_s))
    return items


def show_cost(console: Console, plan: Plan, search: SearchSpec | None, num_searches: int) -> None:
    """Print it.

    Args:
        console: where to.
        plan: the arms.
        search: the search that is made first, if one is.
        num_searches: one, or one a fold.
    """
    where = f"{plan.spec.name} on {plan.spec.corpus.name}"
    heading(console, "cost", f"{where}; nets that were kept before are not made again")
    items = cost_items(plan, search, num_searches)
    slots = plan_for(plan.spec, [local_node()])
    cores = slots.slots * slots.workers * slots.cpus_per_worker
    table = plain_table("")
    for title in ("nets", "epochs each", "rows an epoch", "epochs", "about"):
        table.add_column(title, justify="right", no_wrap=True)
    for item in items:
        counts = (item.nets, item.each, item.rows, item.epochs)
        table.add_row(item.name, *(f"{n:,}" for n in counts), age(item.core_s / cores))
    whole = sum(item.core_s for item in items)
    total = f"{sum(item.epochs for item in items):,}"
    table.add_row("all", "", "", "", total, age(whole / cores))
    print_table(console, table)
    lines = [
        f"times: from a step of each network measured here, on {cores:g} of this machine's CPUs; "
        "features and start-up come on top"
    ]
    if not plan.epochs.is_whole:
        lines.append(f"the published settings run {plan.epochs.in_words} published epochs")
    for line in lines:
        print_sentence(console, line)


def _learned(arm: RowArm) -> int:
    return round(sum(len(fold.train) for fold in arm.folds) / len(arm.folds))


def _rows(arm: RowArm) -> float:
    """Rows that an epoch costs, on average: scoring one is a third of learning from it."""
    rows = sum(len(fold.train) + len(fold.validation) / 3 for fold in arm.folds)
    return rows / len(arm.folds)
