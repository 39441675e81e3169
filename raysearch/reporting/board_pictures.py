"""A run's pictures for TensorBoard: the winner's confusions, and what its network is given.

They are drawn when somebody looks, never while a search runs, and replace those drawn before.
"""

import csv
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import torch

from raysearch.errors import RaysearchError
from raysearch.evaluation.stored_evaluations import stored_evaluations
from raysearch.features.audio import AudioError, read_waveform
from raysearch.features.extractor import StreamShape
from raysearch.inference.front_end import FrontEnd
from raysearch.inference.stored_model import StoredNet, best_folder, read_stored_model
from raysearch.reporting.board_writer import open_writer
from raysearch.reporting.drawing import Heard, Pixels, draw_confusion, draw_heard
from raysearch.run_folder import RunFolder
from raysearch.storage.run_storage import fetch_published
from raysearch.training.inner_folds import inner_prefix
from raysearch.training.inputs import load_inputs
from raysearch.training.metrics import confusion_matrix, uar
from raysearch.training.normalise import normalise_by_bin, normalise_by_utterance
from raysearch.training.predictions import PREDICTIONS, Predictions
from raysearch.training.spec_augment import spec_augment

__all__ = ["write_pictures"]

FOLDER = "final"
NUM_RECORDINGS = 3


def write_pictures(run: RunFolder) -> list[str]:
    """Draw what the run has so far into its ``tensorboard/final``.

    Returns:
        What could not be drawn and why, a line each; none of a run without a model, or curves.
    """
    board = run.root / "tensorboard"
    if not run.best.is_dir() or not board.is_dir():
        return []
    notes = list[str]()
    pictures = dict[str, Pixels]()
    for draw in (_validation, _tests, _heard):
        try:
            pictures |= draw(run)
        except (RaysearchError, OSError) as error:
            notes.append(f"TensorBoard: a picture is left out: {error}")
    folder = board / FOLDER
    try:
        shutil.rmtree(folder, ignore_errors=True)
        writer = open_writer(folder)
        for name, pixels in pictures.items():
            writer.add_image(name, pixels, dataformats="HWC")
        writer.close()
    except OSError as error:
        notes.append(f"TensorBoard: no pictures: {error}")
    return notes


def _validation(run: RunFolder) -> dict[str, Pixels]:
    """The best trial's confusions on validation rows, its validation sets together."""
    labels = read_stored_model(best_folder(run.best)).labels
    winner = next(iter(run.trials().ranked()), None)
    if winner is None or winner.checkpoint is None:
        return {}
    folder = fetch_published(run.root / winner.checkpoint[0])
    found = [Predictions.load(path) for path in _prediction_files(folder)]
    if not found:
        return {}
    counts_KK = sum(
        confusion_matrix(one.labels, one.log_probs.argmax(axis=1), len(labels)) for one in found
    )
    assert isinstance(counts_KK, np.ndarray)
    title = f"validation, trial {winner.number:04d}: UA {100 * uar(counts_KK):.1f}%"
    return {"confusion/validation": draw_confusion(counts_KK, labels, title)}


def _prediction_files(folder: Path) -> Iterator[Path]:
    number = 0
    while (path := folder / f"{inner_prefix(number)}{PREDICTIONS}").is_file():
        yield path
        number += 1


def _tests(run: RunFolder) -> dict[str, Pixels]:
    """The final model's confusions on test rows, by each kind of evaluation that was made."""
    pictures = {}
    for mode, figures in stored_evaluations(run).items():
        counts_KK = np.array(figures["confusion"], dtype=np.int64)
        title = f"test, {mode}, {figures['protocol']}: UA {100 * figures['ua']['mean']:.1f}%"
        pictures[f"confusion/test, {mode}"] = draw_confusion(counts_KK, figures["labels"], title)
    return pictures


def _heard(run: RunFolder) -> dict[str, Pixels]:
    """Some validation recordings, by each spectrogram that the final model's first net reads."""
    net = read_stored_model(best_folder(run.best)).nets[0]
    shapes, statistics = load_inputs(net.inputs)
    rows = list(_recordings(run))
    pictures = {}
    for stream, shape in shapes.items():
        if shape.kind == "spectrogram" and rows:
            view = _View(net, stream, shape, statistics[stream])
            pictures[f"spectrogram/{stream}"] = draw_heard(
                [view.of(name, path) for name, path in rows]
            )
    return pictures


def _recordings(run: RunFolder) -> Iterator[tuple[str, Path]]:
    """Validation recordings that are still there, of different emotions, with their titles."""
    if not run.splits_file.is_file():
        return
    emotions = set[str]()
    with run.splits_file.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            path = Path(row.get("path") or "/")
            new = row["split"] == "validation" and row["emotion"] not in emotions
            if new and path.is_file() and _readable(path):
                emotions.add(row["emotion"])
                yield f"{row['emotion']}, speaker {row['speaker']}", path
            if len(emotions) == NUM_RECORDINGS:
                return


def _readable(path: Path) -> bool:
    try:
        read_waveform(path)
    except AudioError:
        return False
    return True


class _View:
    """How a net is given one of its streams: as stored, cut to a clip, normalised, augmented."""

    def __init__(
        self,
        net: StoredNet,
        stream: str,
        shape: StreamShape,
        statistics: tuple[torch.Tensor, torch.Tensor],
    ) -> None:
        self._config = net.config
        self._stream, self._shape, self._statistics = stream, shape, statistics
        self._front_end = FrontEnd(net.config.used_features[stream])

    def of(self, name: str, path: Path) -> Heard:
        """Read a recording; raises AudioError if it is too short."""
        (values_TF,) = self._front_end([read_waveform(path)])
        x_BTF = torch.from_numpy(values_TF[None, : self._shape.num_frames])
        lengths_B = torch.tensor([x_BTF.shape[1]])
        # By speaker takes all of a speaker's recordings; of one, its own statistics come close.
        if self._config.training.normalise == "train_bin":
            x_BTF = normalise_by_bin(x_BTF, *self._statistics)
        else:
            x_BTF = normalise_by_utterance(x_BTF, lengths_B)
        changed_BTF = self._augmented(x_BTF, lengths_B)
        same = torch.equal(x_BTF, changed_BTF)
        return Heard(name, self._shown(x_BTF), None if same else self._shown(changed_BTF))

    def _augmented(self, x_BTF: torch.Tensor, lengths_B: torch.Tensor) -> torch.Tensor:
        inputs: Mapping[str, torch.Tensor] = {self._stream: x_BTF}
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)  # the same picture each time
            return spec_augment(
                inputs,
                {self._stream: lengths_B},
                self._config.spec_augment,
                {self._stream: self._shape},
            )[self._stream]

    def _shown(self, x_BTF: torch.Tensor) -> "np.ndarray[tuple[int, ...], np.dtype[np.float32]]":
        """The first of the channels: the spectrogram itself, without its derivatives."""
        num_bins = self._shape.num_bins // self._shape.num_channels
        return x_BTF[0, :, :num_bins].numpy()
