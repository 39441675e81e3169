"""A run whose page is made again and again: only what has changed of it is read anew."""

from dataclasses import replace

from raysearch.evaluation.stored_evaluations import stored_evaluations
from raysearch.inference.stored_model import ENSEMBLE
from raysearch.page.answer_models import AnswerModels
from raysearch.page.audio_clips import with_recordings
from raysearch.page.data_part import data_part, paths_of
from raysearch.page.document import RunDocument, reproduction_of
from raysearch.page.followed_search import FollowedSearch
from raysearch.page.headline import headline
from raysearch.page.importance import Importances
from raysearch.page.model_part import ModelPart, files_of, model_part
from raysearch.page.remembered import Remembered
from raysearch.page.search_part import search_part
from raysearch.searching.results import Run
from raysearch.spec import SearchSpec
from raysearch.storage.growing_ledger import GrowingLedger

__all__ = ["FollowedRun", "run_document"]


class FollowedRun:
    """Makes the page of a run.

    Args:
        run: whose page it is.
        audio: whether the worst mistakes bring their recordings, heard and seen, where they are.
        attention: whether the final model is loaded, to show what its attention looked at in them.
    """

    def __init__(self, run: Run, *, audio: bool = True, attention: bool = True) -> None:
        files = run.files
        self._run, self._audio, self._attention = run, audio, attention
        self._ledger = GrowingLedger(files.ledger_file)
        self._spec = Remembered(files.spec, [files.spec_file])
        self._data = Remembered(lambda: data_part(files), [files.splits_file, files.data_file])
        read = [*files_of(files), files.splits_file, files.best / ENSEMBLE]
        self._model = Remembered(self._read_model, read)
        self._followed: tuple[SearchSpec, FollowedSearch, Importances] | None = None

    def document(self) -> RunDocument:
        """Read the run as it is now.

        Raises:
            UserError: a file of the run is damaged.
            DataError: the ledger is.
        """
        spec, final, files = self._spec(), self._run.final, self._run.files
        followed, importances = self._follow(spec)
        events = self._ledger.events
        return RunDocument(
            headline(self._run, spec, events, followed, final, stored_evaluations(files)),
            search_part(spec, events, followed, final.members if final else {}, importances),
            self._model(),
            self._data(),
            reproduction_of(self._run),
        )

    def _follow(self, spec: SearchSpec) -> tuple[FollowedSearch, Importances]:
        """The search as its ledger has it now."""
        known = len(self._ledger.events)
        goes_on = self._ledger.read_on()
        if not goes_on or self._followed is None or self._followed[0] is not spec:
            known, self._followed = 0, (spec, FollowedSearch(spec), Importances(spec.space))
        _, followed, importances = self._followed
        try:
            for event in self._ledger.events[known:]:
                followed.take(event)
        except BaseException:
            self._followed = None  # it has half of them
            raise
        return followed, importances

    def _read_model(self) -> ModelPart:
        final = self._run.final
        model = model_part(
            self._run.files, final.describe() if final else None, final.reason if final else ""
        )
        return self._heard(model) if self._audio else model

    def _heard(self, model: ModelPart) -> ModelPart:
        """The first evaluation's answers with their audio: the others' are mostly the same."""
        evaluations = dict(model.evaluations)
        for mode, one in evaluations.items():
            paths = paths_of(self._run.files)
            models = AnswerModels(self._run, mode, one.figures) if self._attention else None
            model_of = models.of if models else lambda fold: None
            beside = [] if one.right is None else [one.right]
            found = with_recordings([*one.mistakes, *beside], paths, model_of)
            right = found.pop() if beside else None
            evaluations[mode] = replace(one, mistakes=found, right=right)
            break
        return replace(model, evaluations=evaluations)


def run_document(run: Run, *, audio: bool = True) -> RunDocument:
    """Make the page of ``run`` once; the arguments and errors are those of ``FollowedRun``."""
    return FollowedRun(run, audio=audio).document()
