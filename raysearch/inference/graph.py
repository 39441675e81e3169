"""The whole final model as one network of one recording's windows, for other runtimes.

Axes: B windows of the recording, T frames, F bins, K emotions.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from raysearch.errors import UserError
from raysearch.features.audio import Waveform
from raysearch.inference.emotion_model import EmotionModel, front_end_key
from raysearch.inference.net import LoadedNet, as_stored
from raysearch.training.data import Batch
from raysearch.training.normalise import Normaliser

__all__ = ["ModelGraph", "View", "check_graph"]

_CPU = torch.device("cpu")


@dataclass(frozen=True)
class View:
    """Streams cut into windows together, as some of the nets read them.

    Attributes:
        streams: their names, sorted.
        keys: of each, its front end.
        clips: of each, the frames a window.
    """

    streams: tuple[str, ...]
    keys: tuple[str, ...]
    clips: tuple[int, ...]

    @classmethod
    def of(cls, net: LoadedNet) -> "View":
        """What ``net`` reads."""
        streams = tuple(sorted(net.streams))
        return cls(
            streams,
            tuple(front_end_key(stream, net.streams[stream]) for stream in streams),
            tuple(net.shapes[stream].num_frames for stream in streams),
        )


def check_graph(model: EmotionModel) -> None:
    """Refuse a model that cannot be a graph of one recording's emotions.

    Raises:
        UserError: it normalises by speaker, which takes more than one recording, or predicts
            dimensions.
    """
    if model.by_dimensions:
        raise UserError(
            f"{model.folder}: this model predicts dimensions (training.task), and a graph's"
            " output is emotions: use raysearch predict or raysearch.load"
        )
    if model.by_speaker:
        raise UserError(
            f"{model.folder}: training.normalise is 'speaker': a graph of one recording has"
            " no other of its speaker: export a model with another normalisation"
        )


class ModelGraph(nn.Module):
    """Normalisation, every net, the mean over windows and the weighted mean over nets.

    Its inputs are, of each view and stream, raw windows (B, T, F) float32 and their valid frames
    (B,) int64, in the order of ``input_names``. Its output is (K,), float64, which sums to 1.

    Args:
        model: the final model.

    Raises:
        UserError: as ``check_graph``.
    """

    def __init__(self, model: EmotionModel) -> None:
        super().__init__()
        check_graph(model)
        self._source = model
        self.nets = nn.ModuleList(net.model for net in model.nets)
        self._of = [View.of(net) for net in model.nets]
        self.views = tuple(dict.fromkeys(self._of))
        total = sum(net.share for net in model.nets)
        self.shares = [net.share / total for net in model.nets]
        self._normalisers = [
            Normaliser(net.config.training.normalise, net.statistics, net.shapes, _CPU)
            for net in model.nets
        ]

    @property
    def folder(self) -> Path:
        """Where the model lies."""
        return self._source.folder

    @property
    def sources(self) -> tuple[LoadedNet, ...]:
        """The nets as they were loaded."""
        return self._source.nets

    @property
    def input_names(self) -> list[str]:
        """``mel_1`` and ``mel_1_lengths`` for the stream mel of the first view, and so on."""
        return [
            f"{stream}_{number}{what}"
            for number, view in enumerate(self.views, start=1)
            for stream in view.streams
            for what in ("", "_lengths")
        ]

    def inputs(self, waveform: Waveform) -> list[Tensor]:
        """What the graph reads of a recording; the windows are an evaluation's.

        Raises:
            AudioError: the recording cannot be used.
        """
        features, found = self._source.features(waveform), []
        for view in self.views:
            net = self._source.nets[self._of.index(view)]
            pairs = list(zip(view.streams, view.keys, strict=True))
            arrays = {stream: as_stored([features[key]]) for stream, key in pairs}
            floors = {stream: self._source.front_end(key).floor for stream, key in pairs}
            (batch,) = net.batches(arrays, floors, None)
            for stream in view.streams:
                found += [batch.inputs[stream], batch.lengths[stream]]
        return found

    def arrays(self, waveform: Waveform) -> dict[str, np.ndarray]:
        """The same by the names of the inputs, as onnxruntime takes them.

        Raises:
            AudioError: the recording cannot be used.
        """
        found = self.inputs(waveform)
        return {name: one.numpy() for name, one in zip(self.input_names, found, strict=True)}

    def forward(self, *inputs: Tensor) -> Tensor:
        """(K,) probabilities of one recording."""
        batches = self._batches(inputs)
        scores = []
        for net, view, share, normaliser in zip(
            self.nets, self._of, self.shares, self._normalisers, strict=True
        ):
            values, lengths = normaliser(batches[self.views.index(view)])
            log_probs_BK = net(values, lengths).float().log_softmax(dim=1)
            scores.append(share * log_probs_BK.double().mean(dim=0))
        return torch.stack(scores).sum(dim=0).softmax(dim=0)

    def _batches(self, inputs: Sequence[Tensor]) -> list[Batch]:
        batches, first = [], 0
        for view in self.views:
            own = inputs[first : first + 2 * len(view.streams)]
            first += len(own)
            none_B = torch.zeros_like(own[1])  # labels and rows, which nothing asks for
            values = dict(zip(view.streams, own[::2], strict=True))
            lengths = dict(zip(view.streams, own[1::2], strict=True))
            batches.append(Batch(values, lengths, none_B, 1, none_B))
        return batches
