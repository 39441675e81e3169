"""Figures of a search that predicts dimensions, as they are kept beside its run."""

import json
from pathlib import Path
from typing import cast

from raysearch.errors import UserError
from raysearch.evaluation.dimension_scores import DimensionEvaluation
from raysearch.evaluation.figures import Mode
from raysearch.run_folder import RunFolder

__all__ = ["dimensions_file", "stored_dimensions"]


def dimensions_file(run: RunFolder) -> Path:
    """The path of the file that holds the figures, by kind of evaluation."""
    return run.root / "dimensions.json"


def stored_dimensions(run: RunFolder) -> dict[Mode, DimensionEvaluation]:
    """What was found before.

    Raises:
        UserError: the file is damaged.
    """
    path = dimensions_file(run)
    if not path.is_file():
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        for figures in found.values():
            figures["protocol"], figures["dimensions"], figures["notes"]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{path}: not an evaluation ({error!r}); evaluate anew") from None
    return cast("dict[Mode, DimensionEvaluation]", found)
