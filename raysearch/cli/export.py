"""``raysearch export``: the whole final model as one file for onnxruntime or torch alone."""

from pathlib import Path

from raysearch.cli.failures import tell
from raysearch.cli.model_options import ExportOptions
from raysearch.cli.named_model import model_at
from raysearch.cli.options import run_at
from raysearch.cli.terminal import plain_console
from raysearch.errors import DataError, UserError
from raysearch.features.audio import AudioError, Waveform, read_waveform
from raysearch.inference.export import check_exporting, export_model
from raysearch.inference.graph import check_graph
from raysearch.inference.recordings import Recording, find_recordings

__all__ = ["export"]

# Enough to meet short and long ones; a network runs each of them twice.
NUM_COMPARED = 8


def export(options: ExportOptions) -> int:
    """Carry the verb out."""
    check_exporting(options.format)
    model = model_at(options.model)  # first: a wrong folder is told before a missing corpus
    check_graph(model)
    recordings = find_recordings([_audio(options)])
    exported = export_model(model, options.format, options.output, _readable(recordings))
    console = plain_console()
    nets = "1 net" if len(model.nets) == 1 else f"{len(model.nets)} nets"
    console.print(f"exported: {exported.graph} ({nets} in one graph)", soft_wrap=True)
    console.print(f"front end and windows: {exported.description}", soft_wrap=True)
    console.print(
        f"compared with the model on {exported.num_recordings} recordings:"
        f" max difference {exported.difference:.1e} of a probability",
        soft_wrap=True,
    )
    return 0


def _audio(options: ExportOptions) -> str:
    """What is compared on: as asked for, or the run's corpus.

    Raises:
        UserError: there is no run, or its corpus is not here.
    """
    if options.audio is not None:
        return options.audio
    try:
        data = run_at(options.model).spec().corpus.data
    except UserError:
        data = None
    first = "" if data is None else data.partition(",")[0]
    if not first or not Path(first).exists():
        raise UserError(
            "the model is compared on real speech before it is exported, and this run's corpus is"
            " not here: give --audio FILE|FOLDER|MANIFEST"
        )
    return first


def _readable(recordings: list[Recording]) -> list[Waveform]:
    """The first that can be read; the others are told.

    Raises:
        DataError: there is none.
    """
    found = list[Waveform]()
    for recording in recordings:
        try:
            found.append(read_waveform(recording.path))
        except AudioError as error:
            tell(f"skipped {error}")
        if len(found) == NUM_COMPARED:
            break
    if not found:
        raise DataError(f"none of {len(recordings)} recordings could be used")
    return found
