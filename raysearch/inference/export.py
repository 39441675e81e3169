"""Writes the whole final model as one file for other runtimes, once it is seen to say the same.

Beside it stands a JSON file that says exactly how a recording becomes the graph's inputs.
"""

import json
import logging
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from raysearch.errors import DataError, UserError, first_line
from raysearch.features.audio import Waveform
from raysearch.files import write_text
from raysearch.inference.emotion_model import EmotionModel
from raysearch.inference.graph import ModelGraph, View

__all__ = ["SUFFIXES", "ExportFormat", "Exported", "check_exporting", "export_model"]

ExportFormat = Literal["onnx", "torch"]
SUFFIXES: dict[ExportFormat, str] = {"onnx": ".onnx", "torch": ".pt2"}
OUTPUT = "probabilities"
VERSION = 1
# Of a probability: another runtime's float32 rounds otherwise, which moves the sixth digit.
TOLERANCE = 1e-4

Runtime = Callable[[Sequence[Tensor]], np.ndarray]


@dataclass(frozen=True)
class Exported:
    """What was written, and how far it is from the model.

    Attributes:
        graph: the file of the graph.
        description: the JSON file beside it.
        num_recordings: on how many recordings both were compared.
        difference: the largest difference of a probability on them.
    """

    graph: Path
    description: Path
    num_recordings: int
    difference: float


def check_exporting(kind: ExportFormat) -> None:
    """Look for what writes and runs the format, before anything is computed.

    Raises:
        UserError: it is not installed.
    """
    lacking = [name for name in ("onnx", "onnxscript", "onnxruntime") if find_spec(name) is None]
    if kind == "onnx" and lacking:
        raise UserError(
            f"--format onnx needs {', '.join(lacking)}: pip install 'raysearch[export]'"
        )


def export_model(
    model: EmotionModel, kind: ExportFormat, path: Path, recordings: Sequence[Waveform]
) -> Exported:
    """Write the graph to ``path`` and its description beside it, as ``.json``.

    Args:
        model: what is exported, all of its nets as one graph.
        kind: the format.
        path: the file; it appears once it has been compared.
        recordings: real speech, on which the graph must say what the model says.

    Raises:
        UserError: the model normalises by speaker, or its architecture cannot be exported.
        DataError: the graph says something else than the model.
        AudioError: a recording cannot be used.
    """
    graph = ModelGraph(model).eval()
    # The more windows the better: an exporter takes a size of 1 for a constant.
    longest = max(recordings, key=lambda one: one.duration_s)
    example = graph.inputs(_repeated(longest))
    staged = path.with_name(f".{path.name}.tmp{SUFFIXES[kind]}")
    try:
        with _told_nothing():
            runtime = _write(graph, example, kind, staged)
            difference = _difference(model, graph, runtime, recordings)
        if not difference <= TOLERANCE:
            raise DataError(
                f"{path}: not written: the graph differs from the model by {difference:.1e} of a"
                f" probability, more than {TOLERANCE:g}"
            )
        staged.replace(path)
    finally:
        staged.unlink(missing_ok=True)
    description = path.with_suffix(".json")
    write_text(description, json.dumps(describe(model, graph, path, difference), indent=1) + "\n")
    return Exported(path, description, len(recordings), difference)


def describe(model: EmotionModel, graph: ModelGraph, path: Path, difference: float) -> object:
    """What one must know to use the graph, as plain data."""
    return {
        "version": VERSION,
        "graph": path.name,
        "labels": list(model.labels),
        "inputs": [
            entry
            for number, view in enumerate(graph.views, start=1)
            for entry in _describe_view(model, view, number)
        ],
        "output": {"name": OUTPUT, "shape": ["labels"], "type": "float64", "sums_to": 1},
        "waveform": "channels averaged; soxr HQ to each front end's sample_rate; float32 of full"
        " scale 1",
        "windows": "of a view, all streams together: the stream of most frames a window leads, of"
        " several the first by name; its windows start each max(1, frames // 2) frames, the last"
        " one ends with the recording (starts are min(i * hop, slack), slack = max(0, recorded -"
        " frames), i = 0 to ceil(slack / hop)); the others' start at round(share * their slack),"
        " share = the leader's start / max(1, its slack); what lies beyond the recording is"
        " 'padding'; lengths count the frames that do not",
        "normalisation": "inside the graph",
        "max_difference": difference,
    }


def _describe_view(model: EmotionModel, view: View, number: int) -> Iterator[object]:
    for stream, key, frames in zip(view.streams, view.keys, view.clips, strict=True):
        front_end = model.front_end(key)
        yield {
            "name": f"{stream}_{number}",
            "lengths": f"{stream}_{number}_lengths",
            "view": number,
            "shape": ["windows", frames, front_end.num_bins],
            "type": "float32, lengths int64",
            "padding": front_end.floor,
            "half_precision": front_end.half,
            "front_end": front_end.config.model_dump(mode="json"),
        }


def _repeated(waveform: Waveform) -> Waveform:
    """Four times over, so that whatever net has several windows."""
    return Waveform(waveform.name, np.tile(waveform.samples, 4), waveform.sample_rate)


def _write(graph: ModelGraph, example: Sequence[Tensor], kind: ExportFormat, path: Path) -> Runtime:
    """Write the graph to ``path``; what runs the file."""
    shapes = tuple(
        {0: number}
        for index, view in enumerate(graph.views, start=1)
        for number in [torch.export.Dim(f"windows_{index}")]
        for _ in range(2 * len(view.streams))
    )
    try:
        with torch.no_grad():
            program = torch.export.export(
                graph,
                tuple(example),
                dynamic_shapes=(shapes,),
                strict=False,
            )
            if kind == "torch":
                torch.export.save(program, path)
                return _torch_runtime(path)
            found = torch.onnx.export(
                program,
                dynamo=True,
                input_names=graph.input_names,
                output_names=[OUTPUT],
                external_data=False,
                verbose=False,
            )
            assert found is not None
            found.save(path)
        return _onnx_runtime(path, graph.input_names)
    except Exception as error:  # an exporter raises anything at what it does not know
        names = ", ".join(dict.fromkeys(net.config.model.name for net in graph.sources))
        raise UserError(
            f"{graph.folder}: {names} cannot be exported as {kind}: {first_line(error)}"
        ) from error


def _torch_runtime(path: Path) -> Runtime:
    module = torch.export.load(path).module()

    def run(inputs: Sequence[Tensor]) -> np.ndarray:
        with torch.no_grad():
            probs_K: np.ndarray = module(*inputs).numpy()
        return probs_K

    return run


def _onnx_runtime(path: Path, names: Sequence[str]) -> Runtime:
    from onnxruntime import InferenceSession

    session = InferenceSession(str(path), providers=["CPUExecutionProvider"])

    def run(inputs: Sequence[Tensor]) -> np.ndarray:
        arrays = {name: one.numpy() for name, one in zip(names, inputs, strict=True)}
        probs_K: np.ndarray = session.run(None, arrays)[0]
        return probs_K

    return run


def _difference(
    model: EmotionModel, graph: ModelGraph, runtime: Runtime, recordings: Sequence[Waveform]
) -> float:
    """The largest of a probability on any of the recordings; NaN if one is."""
    found = []
    for waveform in recordings:
        (prediction,) = model.predict_many([waveform])
        expected_K = np.array(list(prediction.probabilities.values()))
        found.append(np.abs(runtime(graph.inputs(waveform)) - expected_K).max())
    return float(np.max(found))


@contextmanager
def _told_nothing() -> Iterator[None]:
    """Exporters warn of their own future, and log every step."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
