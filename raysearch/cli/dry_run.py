"""What a search would take: feature sets, trials, slots and minutes, before it takes them."""

import time
from pathlib import Path

import torch
from rich.console import Console

from raysearch.corpora.spelling import spelling_notes
from raysearch.features.extractor_table import build_extractor
from raysearch.prerequisites import feature_sets
from raysearch.protocols.splits import Split
from raysearch.ray_cluster.resources import local_node
from raysearch.reporting.sentences import print_sentence
from raysearch.spec import SearchSpec, TrialConfig
from raysearch.streaming.preparation import prepare_split
from raysearch.training.network import build_network
from raysearch.tuning.start_source import Source, outline
from raysearch.tuning.stop_rules import check_named, rule_class
from raysearch.workers.open_pool import plan_for

__all__ = ["epoch_seconds", "explain", "row_seconds"]


def explain(
    spec: SearchSpec,
    storage: Path,
    console: Console,
    *,
    local: bool,
    start: tuple[Source | None, list[str]] = (None, []),
) -> int:
    """Print the plan and an estimate measured here; nothing of the search is started.

    Args:
        spec: the search.
        storage: where the demo corpus is kept.
        console: where to.
        local: whether it would run on this machine alone.
        start: what its trials start from, and the settings that go with it.

    Raises:
        UserError, DataError, ResourceError: as the search itself would.
    """
    audited = prepare_split(spec, storage)
    split, sets = audited.split, feature_sets(spec)

    def say(line: str) -> None:
        print_sentence(console, line)

    say(f"space {spec.name}: {_searched(spec)}, model {spec.model.name}")
    sizes = ", ".join(f"{len(rows)} {name}" for name, rows in split.sides())
    say(f"corpus {spec.corpus.name}, {split.protocol} fold {split.fold}: {sizes}")
    for line in (*spec.remarks, *audited.audit.brief(), *spelling_notes(audited.corpus)):
        say(line)
    source, settings = start
    if source is not None:
        source.check((split, *audited.inner))
        for line in outline(spec, source, split.labels, settings):
            say(line)
    say(f"feature sets: {len(sets)}")
    search, epochs = spec.search, spec.training.epochs
    check_named(search.objective, search.scheduler)
    say(f"trials: {search.trials} of at most {epochs} epochs, scheduler {search.scheduler}")
    budgets = {
        "epochs": search.epoch_budget,
        "time": search.time_budget,
        "core time": search.core_budget,
    }
    if limits := ", ".join(f"{name} {value}" for name, value in budgets.items() if value):
        say(f"budgets: {limits}")
    if not local:
        say("slots: as many as the cluster has room for")
        return 0
    plan = plan_for(spec, [local_node()])
    say(f"slots: {plan.describe()}")
    seconds = epoch_seconds(spec.base, split)
    share = rule_class(search.scheduler).epochs_share
    total = 1 + max(0, search.trials - 1) * share
    cores = plan.slots * plan.workers * plan.cpus_per_worker
    minutes = max(1, round(seconds * epochs * total / cores / 60))
    say(
        f"about {minutes} min, from {seconds:.1f} s an epoch and core measured here "
        "with the settings that are not searched; start-up adds about 20 seconds"
    )
    return 0


def _searched(spec: SearchSpec) -> str:
    fields = spec.space.fields.values()
    expected = sum(any(a.prior for a in alternatives) for alternatives in fields)
    priors = f", {expected} of them with a prior" if expected and spec.search.priors else ""
    return f"{len(fields)} searched fields{priors}"


def epoch_seconds(config: TrialConfig, split: Split) -> float:
    """Seconds of an epoch on one core, as ``row_seconds`` measures it."""
    each = row_seconds(config, len(split.labels), num_rows=len(split.train))
    return each * (len(split.train) + len(split.validation) / 3)


def row_seconds(config: TrialConfig, num_classes: int, *, num_rows: int = 8) -> float:
    """Seconds of learning from a row on one core: a step of the real model on random input, twice.

    Args:
        config: the settings.
        num_classes: emotions.
        num_rows: how many there are; a step takes eight of them at most.
    """
    shapes = {
        name: build_extractor(feature).shape(config.training.clip_s)
        for name, feature in config.used_features.items()
    }
    model = build_network(config.model, config.training, shapes, num_classes)
    batch_size = min(8, num_rows)
    inputs = {n: torch.randn(batch_size, s.num_frames, s.num_bins) for n, s in shapes.items()}
    lengths = {n: torch.full((batch_size,), s.num_frames) for n, s in shapes.items()}
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        for _ in range(2):  # the first one warms up
            begun = time.perf_counter()
            outcome = model(inputs, lengths).sum()
            if outcome.requires_grad:  # else it is solved, not trained
                outcome.backward()
            step = time.perf_counter() - begun
    finally:
        torch.set_num_threads(threads)
    return step / batch_size
