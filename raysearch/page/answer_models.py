"""Which model gave an answer: the final model of its fold, where that is still the one at hand."""

from raysearch.errors import RaysearchError
from raysearch.evaluation.figures import EvaluationFigures, Mode
from raysearch.inference.emotion_model import EmotionModel, load
from raysearch.searching.results import Run

__all__ = ["AnswerModels"]


class AnswerModels:
    """Loads the final models of an evaluation, each once.

    Of several trainings it is the first, that of the search.

    Args:
        run: whose evaluation it is.
        mode: its kind; only a search's own final models are kept.
        figures: say which trial's model was evaluated.
    """

    def __init__(self, run: Run, mode: Mode, figures: EvaluationFigures) -> None:
        final = run.final
        # Another winner than the one that was evaluated gave none of these answers.
        self._is_kept = (
            mode in ("fold", "nested") and final is not None and final.winner == figures["trial"]
        )
        self._run = run
        self._loaded: dict[int, EmotionModel | None] = {}

    def of(self, fold: int) -> EmotionModel | None:
        """The model that answered in ``fold``; None where it is not at hand."""
        if not self._is_kept:
            return None
        if fold not in self._loaded:
            self._loaded[fold] = self._load(fold)
        return self._loaded[fold]

    def _load(self, fold: int) -> EmotionModel | None:
        files = self._run.files
        own = fold == self._run.spec.protocol.fold
        try:
            return load((files if own else files.nested(fold)).best)
        except RaysearchError:
            return None  # of an earlier version, or its encoder's weights are elsewhere
