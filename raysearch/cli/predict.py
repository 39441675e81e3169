"""``raysearch predict``: the emotion in recordings, by the model that a search ended with."""

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from pathlib import Path

from rich.console import Console

from raysearch.cli.failures import tell
from raysearch.cli.model_options import MANY, PredictOptions
from raysearch.cli.named_model import model_at
from raysearch.cli.terminal import ProgressLine, plain_console
from raysearch.errors import DataError, UserError
from raysearch.files import write_text
from raysearch.inference.emotion_model import EmotionModel
from raysearch.inference.recognition import Scored, Skipped, score_recordings, score_timelines
from raysearch.inference.recordings import Recording, find_recordings
from raysearch.reporting.prediction_table import as_text, shown, write_parquet
from raysearch.reporting.timeline_plot import check_plotting, draw_timeline

__all__ = ["predict"]


def predict(options: PredictOptions) -> int:
    """Carry the verb out; 3 if none of the recordings could be used."""
    if options.plot is not None:
        check_plotting()
    model = model_at(options.model)
    if options.plot is not None and model.by_dimensions:
        raise UserError("--plot draws emotions, and this model predicts dimensions: leave it out")
    recordings = find_recordings(options.recordings, sys.stdin)
    if options.plot is not None and len(recordings) != 1:
        raise UserError(f"--plot draws one recording: {len(recordings)} were named")
    scored = _scored(model, recordings, options)
    if not scored:
        tell(f"none of {len(recordings)} recordings could be used")
        return DataError.exit_code
    _write(scored, options)
    if options.plot is not None:
        draw_timeline(scored, model.labels, options.plot)
    return 0


def _scored(
    model: EmotionModel, recordings: Sequence[Recording], options: PredictOptions
) -> list[Scored]:
    """The good ones; the others are told."""
    scored = list[Scored]()
    # On standard error: the predictions may go through a pipe.
    with ProgressLine(Console(stderr=True), quiet=not sys.stderr.isatty()) as progress:

        def on_recording(done: int) -> None:
            if done < len(recordings):
                progress.update("recordings", done, len(recordings))

        for one in _found(model, recordings, options, on_recording):
            if isinstance(one, Skipped):
                tell(f"skipped {one.recording.name}: {one.reason}")
            else:
                scored.append(one)
    return scored


def _found(
    model: EmotionModel,
    recordings: Sequence[Recording],
    options: PredictOptions,
    on_recording: Callable[[int], None],
) -> Iterator[Scored | Skipped]:
    """Score them: here, or where there are many or a cluster is named, with features from Ray."""
    if options.timeline:
        spans = (options.window_s, options.hop_s)
        yield from score_timelines(model, recordings, *spans, on_recording)
    elif options.address or (len(recordings) >= MANY and len(os.sched_getaffinity(0)) > 1):
        # Ray takes seconds to import, which a few recordings need not wait for.
        with_ray = import_module("raysearch.cli.predict_with_ray")
        with with_ray.features_from_ray(options.address, model.folder, recordings) as features:
            yield from score_recordings(model, recordings, on_recording, features)
    else:
        yield from score_recordings(model, recordings, on_recording)


def _write(scored: Sequence[Scored], options: PredictOptions) -> None:
    kind = options.format or ("table" if sys.stdout.isatty() else "csv")
    if kind == "parquet":
        assert options.output is not None
        write_parquet(scored, options.output)
    elif kind == "table":
        _show(scored, options.output)
    elif options.output is None:
        sys.stdout.write(as_text(scored, kind))
    else:
        write_text(options.output, as_text(scored, kind))


def _show(scored: Sequence[Scored], output: Path | None) -> None:
    if output is None:
        plain_console().print(shown(scored))
        return
    with output.open("w", encoding="utf-8") as file:
        console = Console(file=file, markup=False, emoji=False, highlight=False, width=160)
        console.print(shown(scored))
