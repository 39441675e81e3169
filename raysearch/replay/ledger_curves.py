"""Tables of learning curves from our own runs: a trial a row, its settings and its scores.

Only trials that reached their end count, by their last epoch or by patience: of one that was
stopped nobody knows how it would have gone on. A search that stops trials therefore leaves its
better ones, and a table that is to judge stop rules is best made with ``search.scheduler: none``.
Trials that failed, were copied, or lie outside the space (published settings may) are left out.
"""

import statistics
from collections.abc import Mapping
from pathlib import Path

from raysearch.errors import DataError
from raysearch.replay.curve_table import CurveTable, Row, active
from raysearch.run_folder import RunFolder
from raysearch.spec import SearchSpec
from raysearch.trial_records import TrialRecord
from raysearch.tuning.problem import SpecProblem
from raysearch.tuning.tolerance import ValidationNoise

__all__ = ["LEAST_CURVES", "TooFewCurvesError", "read_run"]

# With fewer there is hardly an order in which to try them.
LEAST_CURVES = 8


class TooFewCurvesError(DataError):
    """A run that holds too few whole curves to search among."""


def read_run(root: Path, name: str) -> CurveTable:
    """The table of the run in ``root``; its settings come before the sampler's as they did there.

    Args:
        root: the run's folder.
        name: what the table is called.

    Raises:
        TooFewCurvesError: fewer than eight whole curves.
        DataError: the ledger is damaged, or its runs do not differ.
        UserError: ``spec.yaml`` cannot be used.
    """
    run = RunFolder.existing(root)
    spec, records = run.spec(), run.trials().records.values()
    found = [(record, active(spec.space, record.config)) for record in records if _whole(record)]
    whole = [(record, config) for record, config in found if config is not None]
    place = str(run.ledger_file)
    if len(whole) < LEAST_CURVES:
        raise TooFewCurvesError(
            f"{place}: {len(whole)} of {len(records)} trials have whole curves and lie in the "
            f"space; a table needs {LEAST_CURVES}"
        )
    epoch_s = statistics.fmean(s for record, _ in whole for s in _seconds(record))
    rows = [_row(spec, record, config, epoch_s) for record, config in whole]
    told = [[value for value in row.values if value is not None] for row in rows]
    return CurveTable(
        name=name,
        place=place,
        objective=spec.search.objective,
        space=spec.space,
        rows=rows,
        max_epochs=spec.training.epochs,
        untrained=statistics.median([values[0] for values in told if values] or [0.0]),
        epoch_s=epoch_s or None,
        given=SpecProblem(spec, {}, lambda config: None).given(),
        noise=ValidationNoise.from_dict(noted) if (noted := run.info().get("validation")) else None,
    )


def _whole(record: TrialRecord) -> bool:
    numbers = list(range(1, record.last_epoch + 1))
    told = bool(numbers) and sorted(record.epochs) == numbers
    return told and record.status == "completed" and record.copied_from is None


def _row(
    spec: SearchSpec, record: TrialRecord, config: Mapping[str, object], epoch_s: float
) -> Row:
    epochs = [record.epochs[epoch] for epoch in range(1, record.last_epoch + 1)]
    values = [epoch.metrics.get(spec.search.objective) for epoch in epochs]
    costs = [seconds / epoch_s if epoch_s else 1.0 for seconds in _seconds(record)]
    warmup = spec.resolve(record.config).training.used_warmup_epochs
    return Row(config, values, costs, warmup)


def _seconds(record: TrialRecord) -> list[float]:
    return [record.epochs[epoch].train_s for epoch in sorted(record.epochs)]
