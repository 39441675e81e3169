"""The audited splits of a run, one a fold, of a corpus that is read once."""

from functools import cached_property
from pathlib import Path

from raysearch.corpora.utterance import Corpus
from raysearch.evaluation.starting_point import check_start
from raysearch.prerequisites import check_prerequisites
from raysearch.run_folder import RunFolder
from raysearch.spec import SearchSpec
from raysearch.storage.corpora import read_corpus
from raysearch.streaming.preparation import AuditedSplit, audited_split

__all__ = ["RunSplits"]


class RunSplits:
    """Splits a run's corpus as its folds do, each when it is first asked for.

    Args:
        run: a searched run.
        storage: where features are kept.
    """

    def __init__(self, run: RunFolder, storage: Path) -> None:
        self._run, self._storage = run, storage
        self._found: dict[int, AuditedSplit] = {}

    def of(self, spec: SearchSpec) -> AuditedSplit:
        """Return the split of a fold that is audited, and unknown to what the trials started from.

        Args:
            spec: the run's, or the same search in another fold.

        Raises:
            UserError: the corpus' folder is gone.
            DataError: nothing usable, or a split that leaks; as ``prepare_split``.
            LeakError: the weights that the trials started from know a row that is held out.
        """
        fold = spec.protocol.fold
        if fold not in self._found:
            audited = audited_split(spec, self._corpus)
            check_start(self._run, audited)
            self._found[fold] = audited
        return self._found[fold]

    @cached_property
    def _corpus(self) -> Corpus:
        spec = self._run.spec()
        check_prerequisites(spec)
        return read_corpus(spec.corpus, self._storage)
