"""Where a loaded model's attention lies in a recording: a reading of its weights, not a reason.

Axes: H frequencies, W stretches of a window's time, B windows, C columns of the recording.
"""

import numpy as np
import torch

from raysearch.features.audio import Waveform
from raysearch.inference.emotion_model import EmotionModel, front_end_key
from raysearch.inference.net import LoadedNet, as_stored
from raysearch.models.layers.attended import attention
from raysearch.streaming.windows import WindowBatch, validation_windows
from raysearch.training.normalise import Normaliser

__all__ = ["attention_map"]

_FIRST = np.zeros(1, dtype=np.int64)


def attention_map(model: EmotionModel, waveform: Waveform, num_columns: int) -> np.ndarray | None:
    """The weights of the net of most share that has attention, of equal stretches of a recording.

    Where windows overlap it is their mean.

    Args:
        model: the final model.
        waveform: the recording.
        num_columns: C.

    Returns:
        weights_HC, H from low to high, 1 for attention over time alone; None where no net has any,
        or where the model needs several recordings of a speaker.

    Raises:
        AudioError: the recording cannot be used.
    """
    if model.by_speaker:
        return None
    features = model.features(waveform)
    for net in sorted(model.nets, key=lambda one: -one.share):
        found = _of_net(model, net, features, num_columns)
        if found is not None:
            return found
    return None


@torch.inference_mode()
def _of_net(
    model: EmotionModel, net: LoadedNet, features: dict[str, np.ndarray], num_columns: int
) -> np.ndarray | None:
    keys = {stream: front_end_key(stream, config) for stream, config in net.streams.items()}
    arrays = {stream: as_stored([features[key]]) for stream, key in keys.items()}
    floors = {stream: model.front_end(key).floor for stream, key in keys.items()}
    (batch,) = net.batches(arrays, floors, None)  # one recording's windows are in one batch
    kind, device = net.config.training.normalise, torch.device("cpu")
    inputs, lengths = Normaliser(kind, net.statistics, net.shapes, device)(batch)
    weights_BHW = attention(net.model, inputs, lengths)
    if weights_BHW is None:
        return None
    frames = {stream: item.stats.num_frames for stream, item in arrays.items()}
    clips = {stream: net.shapes[stream].num_frames for stream in arrays}
    (windows,) = validation_windows(frames, clips, _FIRST, _FIRST)
    leader = max(sorted(clips), key=lambda stream: clips[stream])
    num_frames = int(frames[leader][0])
    return _laid_out(weights_BHW.float().numpy(), windows, leader, num_frames, num_columns)


def _laid_out(
    weights_BHW: np.ndarray, windows: WindowBatch, leader: str, num_frames: int, num_columns: int
) -> np.ndarray:
    """The windows' weights where they lie in the recording."""
    at_C = (np.arange(num_columns) + 0.5) * num_frames / num_columns
    sums_HC = np.zeros((weights_BHW.shape[1], num_columns))
    covered_C = np.zeros(num_columns)
    width, clip = weights_BHW.shape[2], windows.num_frames[leader]
    for weights_HW, start in zip(weights_BHW, windows.starts[leader], strict=True):
        inside_C = (at_C >= start) & (at_C < start + clip)
        column_C = ((at_C[inside_C] - start) * width / clip).astype(np.int64)
        sums_HC[:, inside_C] += weights_HW[:, np.minimum(column_C, width - 1)]
        covered_C += inside_C
    return sums_HC / np.maximum(covered_C, 1)
