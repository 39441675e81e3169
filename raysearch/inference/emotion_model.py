"""A search's final model, loaded: waveforms to emotions.

>>> model = raysearch.load("results/my-run")  # or its best/, wherever that was copied
>>> model.predict(wave, 16000).label
'anger'
"""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import scipy.special

from raysearch.config.identity import canonical_json
from raysearch.errors import UserError
from raysearch.features.audio import Waveform
from raysearch.features.extractor import FeatureConfig
from raysearch.inference.front_end import FrontEnd
from raysearch.inference.net import LoadedNet
from raysearch.inference.recognised import Prediction
from raysearch.inference.stored_model import StoredModel, best_folder, read_stored_model
from raysearch.training.transductive import is_transductive

__all__ = ["EmotionModel", "front_end_key", "load"]


def load(path: str | Path) -> "EmotionModel":
    """Load the final model of a search, on the CPU.

    Args:
        path: a run's folder, or its ``best/`` alone, which may have been copied anywhere.

    Raises:
        MissingPathError: there is no model.
        DataError: a file is damaged, missing or of an earlier version.
        ConfigError: settings that this version refuses.
    """
    return EmotionModel(read_stored_model(best_folder(path)))


class EmotionModel:
    """Nets whose weighted mean log-probability is the prediction, and their front ends.

    Where they predict dimensions, the prediction is the weighted mean of their numbers.

    Args:
        stored: what ``best/`` holds.
    """

    def __init__(self, stored: StoredModel) -> None:
        self.folder = stored.folder
        self.labels = stored.labels
        self.nets = tuple(LoadedNet(net, len(stored.labels)) for net in stored.nets)

    @cached_property
    def by_speaker(self) -> bool:
        """Whether it needs several recordings of each speaker to normalise one."""
        return any(is_transductive(net.config) for net in self.nets)

    @cached_property
    def by_dimensions(self) -> bool:
        """Whether it predicts dimensions, which ``labels`` then name, in place of emotions."""
        return any(net.config.training.by_dimensions for net in self.nets)

    def predict(self, wave: np.ndarray, sample_rate: int) -> Prediction:
        """The emotion of one recording, of any length.

        Args:
            wave: samples (N,) or (N, channels); floats with full scale 1, or integers.
            sample_rate: Hz.

        Raises:
            AudioError: no samples, or some that are not finite.
            UserError: a model that needs several recordings of a speaker.
        """
        return self.predict_many([Waveform.of(wave, sample_rate)])[0]

    def predict_many(
        self, waveforms: Sequence[Waveform], speakers: Sequence[str] | None = None
    ) -> list[Prediction]:
        """The emotion of each recording.

        Those that an evaluation scored, in its order, get its predictions to the bit, on one CPU.
        Alone, a recording may get another last bit of float32: matrix products of other sizes
        round otherwise, as do those of several threads.

        Args:
            waveforms: the recordings.
            speakers: who speaks in each, for a model that normalises by speaker.

        Raises:
            AudioError: a recording that cannot be used.
            UserError: a model that needs the speakers, which are not given.
        """
        features = [self.features(waveform) for waveform in waveforms]
        return self.predictions(self.probabilities(features, speakers))

    def predictions(self, probs_NK: np.ndarray) -> list[Prediction]:
        """Each row's label and probabilities, or its ratings."""
        if self.by_dimensions:
            return [
                Prediction("", {}, dict(zip(self.labels, map(float, numbers_D), strict=True)))
                for numbers_D in probs_NK
            ]
        return [
            Prediction(
                self.labels[int(probs_K.argmax())],
                dict(zip(self.labels, map(float, probs_K), strict=True)),
            )
            for probs_K in probs_NK
        ]

    def features(self, waveform: Waveform) -> dict[str, np.ndarray]:
        """Every stream's (T, F) that a net reads, by what ``front_end_key`` makes of its settings.

        Raises:
            AudioError: the recording cannot be used.
        """
        return {key: front_end([waveform])[0] for key, front_end in self._front_ends.items()}

    def probabilities(
        self, features: Sequence[dict[str, np.ndarray]], speakers: Sequence[str] | None = None
    ) -> np.ndarray:
        """(N, K), float64, of recordings whose features ``features`` gave; or (N, D) ratings.

        Raises:
            UserError: a model that needs the speakers, which are not given.
        """
        if not features:
            return np.zeros((0, len(self.labels)))
        self.check_speakers(speakers)
        numbers_N = _numbered(speakers) if speakers and self.by_speaker else None
        total_NK = np.zeros((len(features), len(self.labels)))
        for net in self.nets:
            keys = {stream: front_end_key(stream, config) for stream, config in net.streams.items()}
            rows = {stream: [row[key] for row in features] for stream, key in keys.items()}
            floors = {stream: self._front_ends[key].floor for stream, key in keys.items()}
            own_N = numbers_N if is_transductive(net.config) else None
            total_NK += net.share * net.log_probabilities(rows, floors, own_N)
        mean_NK: np.ndarray = total_NK / sum(net.share for net in self.nets)
        if self.by_dimensions:
            return mean_NK
        probs_NK: np.ndarray = scipy.special.softmax(mean_NK, axis=1)
        return probs_NK

    def front_end(self, key: str) -> FrontEnd:
        """What computes the features called ``key``."""
        return self._front_ends[key]

    def check_speakers(self, speakers: Sequence[str] | None) -> None:
        """Refuse, before anything is computed, recordings without the speakers it needs.

        Raises:
            UserError: it normalises by speaker, and they are not given.
        """
        if self.by_speaker and not speakers:
            raise UserError(
                f"{self.folder}: this model's training.normalise is 'speaker': it needs several"
                " recordings of each speaker, and who speaks; give a manifest with the columns"
                " path and speaker, or use a model with another normalisation"
            )

    @cached_property
    def _front_ends(self) -> dict[str, FrontEnd]:
        """One for each stream and settings that a net reads."""
        used = [net.streams for net in self.nets]
        return {
            front_end_key(s, config): FrontEnd(config) for one in used for s, config in one.items()
        }


def front_end_key(stream: str, config: FeatureConfig) -> str:
    """What the features of a stream under these settings are called."""
    return f"{stream} {canonical_json(config)}"


def _numbered(speakers: Sequence[str]) -> np.ndarray:
    numbers = {name: number for number, name in enumerate(dict.fromkeys(speakers))}
    return np.array([numbers[name] for name in speakers], dtype=np.int64)
