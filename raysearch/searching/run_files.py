"""A run's own files while it is searched: leaderboard, best model, summary, curves."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from raysearch.corpora.reasons import counted
from raysearch.errors import RaysearchError
from raysearch.files import write_json
from raysearch.ledger import TERMINAL, Event, read
from raysearch.patience import no_room, patiently
from raysearch.protocols.learned import Learned
from raysearch.reporting.best_model import write_best
from raysearch.reporting.leaderboard import write_leaderboard
from raysearch.reporting.summary import write_summary
from raysearch.reporting.tensorboard import TensorBoardObserver
from raysearch.run_folder import RunFolder
from raysearch.sparing import Sparing
from raysearch.spec import SearchSpec
from raysearch.storage.sending import BackgroundSender
from raysearch.streaming.preparation import AuditedSplit
from raysearch.trial_records import Trials
from raysearch.tuning.chronicle import Observer
from raysearch.tuning.start_record import record_of
from raysearch.tuning.start_source import write_learned

__all__ = ["kept_files", "note_data"]


def note_data(run: RunFolder, audited: AuditedSplit, learned: Learned | None = None) -> None:
    """Write which utterance is on which side, and what the run's models learn from.

    Args:
        run: its folder, held by this process.
        audited: its data.
        learned: what its trials start from has learned from.
    """
    run.write_splits(audited.split.rows())
    write_json(run.data_file, _data_record(audited))
    write_learned(run, audited.split, learned)


@contextmanager
def kept_files(
    run: RunFolder, spec: SearchSpec, audited: AuditedSplit
) -> Iterator[tuple[Observer, ...]]:
    """Keep the run's files up to date while the ``with`` lasts, and write them a last time.

    Args:
        run: its folder, held by this process.
        spec: its settings.
        audited: its data.

    Returns:
        Who must be told of every event of its ledger.
    """
    board = TensorBoardObserver(run.root / "tensorboard")

    def last_time() -> None:
        board.close()
        if run.ledger_file.exists():
            trials, facts = run.trials(), {**_data_facts(audited), **_start_fact(run)}
            write_leaderboard(run, spec, trials)
            write_best(run, spec, trials, audited.split.labels, facts)
            write_summary(run, read(run.ledger_file), trials)

    files = _FilesObserver(run, spec)
    try:
        yield (board, files)
    except BaseException:
        with suppress(OSError, RaysearchError):  # a full disk must not hide what ended the search
            last_time()
        raise
    finally:
        files.close()
    patiently(last_time, no_room)


class _FilesObserver:
    """Rewrites the leaderboard when trials end, and has what changed sent to the storage.

    The more trials, the longer a board takes and the seldomer it is drawn.
    """

    def __init__(self, run: RunFolder, spec: SearchSpec) -> None:
        self._run, self._spec = run, spec
        self._sparing = Sparing()
        self._sender = BackgroundSender(run.root)

    def changed(self, trials: Trials, event: Event) -> None:
        if event.event in TERMINAL or event.event == "paused":
            self._sparing(lambda: write_leaderboard(self._run, self._spec, trials))
            self._sender.ring()

    def close(self) -> None:
        self._sender.close()


def _data_record(audited: AuditedSplit) -> dict[str, object]:
    """Tell what ``data.json`` holds: the corpus, its audit, and how much was dropped and why."""
    corpus = audited.corpus
    return {
        "corpus": corpus.name,
        "num_utterances": len(corpus.utterances),
        "audit": audited.audit.brief(),
        "dropped": [
            {"reason": reason, "count": count, "example": Path(example.path).name}
            for reason, count, example in counted(corpus.dropped)
        ],
    }


def _start_fact(run: RunFolder) -> dict[str, str]:
    record = record_of(run)
    return {"started from": record.line()} if record else {}


def _data_facts(audited: AuditedSplit) -> dict[str, object]:
    """Gather what the model card says about the data."""
    sides = dict(audited.split.sides())
    return {
        f"{name} speakers": ", ".join(sorted({row.speaker for row in sides[name]}))
        for name in ("train", "validation")
    } | {"validation sets": 1 + len(audited.inner), "audit": audited.audit.verdict}
