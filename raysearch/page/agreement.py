"""What the page says of test rows where a search predicts dimensions."""

from dataclasses import dataclass

from raysearch.evaluation.figures import Mode
from raysearch.evaluation.stored_dimensions import stored_dimensions
from raysearch.run_folder import RunFolder

__all__ = ["AgreementFigure", "agreement_of"]

_KINDS: dict[Mode, str] = {
    "nested": "all folds, each searched on its own",
    "fold": "one fold",
    "reuse-settings": "all folds, settings of one",
}


@dataclass(frozen=True, slots=True)
class AgreementFigure:
    """The concordance correlation coefficient of one dimension on test rows, or their mean.

    Attributes:
        name: the dimension.
        kind: on which rows, in words.
        method: how the interval was made.
        is_current: whether it is of the model that the search ends with now.
    """

    name: str
    kind: str
    ccc: float
    interval: list[float] | None
    method: str | None
    num_speakers: int
    is_current: bool
    notes: list[str]


def agreement_of(run: RunFolder, winner: str | None) -> list[AgreementFigure]:
    """The figures of every evaluation of ``run``; none of a search of emotions.

    Args:
        run: whose page it is.
        winner: the trial that leads the final model; None before it is made.

    Raises:
        UserError: the file of figures is damaged.
    """
    return [
        AgreementFigure(
            name,
            _KINDS[mode],
            one["ccc"],
            one["interval"],
            figures["interval_method"],
            figures["num_speakers"],
            winner in (None, figures["trial"]),
            figures["notes"],
        )
        for mode, figures in stored_dimensions(run).items()
        for name, one in figures["dimensions"].items()
    ]
