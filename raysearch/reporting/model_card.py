"""The card beside the best model's weights: data, figures, settings, limits, licence."""

from collections.abc import Mapping, Sequence
from typing import Any

from raysearch.config.metric_table import listed_metrics, metric_of
from raysearch.corpora.corpus_table import licence_of
from raysearch.evaluation.final_model import FinalModel
from raysearch.reporting.tested_card import NO_FIGURES
from raysearch.reporting.wording import cell, figure, one_line
from raysearch.spec import SearchSpec
from raysearch.training.transductive import is_transductive
from raysearch.trial_records import EpochRecord, TrialRecord

__all__ = ["model_card"]


def model_card(
    spec: SearchSpec,
    record: TrialRecord,
    epoch: EpochRecord,
    labels: Sequence[str],
    facts: Mapping[str, Any],
    model: FinalModel,
    *,
    first: bool,
) -> str:
    """Write the model card as Markdown.

    Args:
        spec: the search.
        record: the trial whose weights these are.
        epoch: the epoch of the weights.
        labels: class names in the order of the logits.
        facts: what else is known of the data.
        model: the nets that this is.
        first: whether it leads its search; else those before it left no weights.
    """
    of_which = "" if first else " of those whose weights were kept"
    published = record.published
    title = "Published settings that were rerun" if published else "Settings that were searched"
    settings = "\n".join(f"| {key} | {cell(value)} |" for key, value in record.config.items())
    lines = "\n".join(f"- {one_line(key)}: {one_line(value)}" for key, value in facts.items())
    return f"""# {spec.model.name}, trained on {spec.corpus.name}

{_predicts(spec, labels)}
Trial {record.number} ({record.trial}), the best of its search by validation{of_which}.
Final model: {_made(model)}.
{_variant(spec)}
## Data

- corpus: {spec.corpus.name}
- protocol: {spec.protocol.name}, fold {spec.protocol.fold}
{lines}

## Figures

{_figures(spec, record, epoch, facts)}
These chose the model, so they flatter it.{_kind(spec)}

## Test figures

{NO_FIGURES}

## {title}

| field | value |
|---|---|
{settings}

All settings are in `config.json`.

## Limits

Acted or synthetic emotion is plainer than emotion in life; expect less on other speakers,
languages, rooms and microphones. Not fit for judging people.

## Licence

{_licences(spec)}
"""


def _predicts(spec: SearchSpec, labels: Sequence[str]) -> str:
    names = one_line(", ".join(labels))
    if spec.training.by_dimensions:
        return f"Predicts {names} of an utterance, on the scale of the ratings that it learned."
    return f"Predicts one of {len(labels)} emotions ({names}) from an utterance."


def _made(model: FinalModel) -> str:
    reason = f" ({one_line(model.reason)})" if model.reason else ""
    return f"{model.describe()}{reason}"


def _variant(spec: SearchSpec) -> str:
    return f"A variant of the published system: {spec.variant}.\n" if spec.variant else ""


def _figures(
    spec: SearchSpec, record: TrialRecord, epoch: EpochRecord, facts: Mapping[str, Any]
) -> str:
    folds = facts.get("validation sets", 1)
    listed = listed_metrics(dimensions=spec.training.by_dimensions)
    known = [n for n in listed if n in epoch.metrics or not spec.training.by_dimensions]
    shown = dict.fromkeys([*known, spec.search.objective])
    figures = ", ".join(
        f"{metric_of(name).label} {figure(name, epoch.metrics.get(name))}" for name in shown
    )
    where = f" (means over {folds} validation sets)" if folds > 1 else ""
    when = f"trial {record.number}, epoch {epoch.epoch} of {record.last_epoch}"
    return f"Validation, {when}: {figures}{where}."


def _kind(spec: SearchSpec) -> str:
    if not is_transductive(spec):
        return ""
    return (
        "\n\nAll figures of this model are transductive: it needs several recordings of a speaker, "
        "unlabelled,\nto normalise each of them, and must not be ranked with models that need one."
    )


def _licences(spec: SearchSpec) -> str:
    return "\n".join(f"- {licence_of(name)}" for name, _ in spec.corpus.members)
