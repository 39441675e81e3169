"""The model that a verb's argument names."""

from raysearch.cli.options import folder_at
from raysearch.inference.emotion_model import EmotionModel, load
from raysearch.inference.stored_model import ENSEMBLE
from raysearch.run_folder import RunFolder

__all__ = ["model_at"]


def model_at(text: str) -> EmotionModel:
    """The model at ``text``: ``best/`` itself, or that of a run or race, which may be at a URL.

    Raises:
        MissingPathError: there is none.
        DataError: it is damaged, or of an earlier version.
    """
    folder = folder_at(text)
    if (folder / ENSEMBLE).is_file() or (folder / "best").exists() or not folder.exists():
        return load(folder)
    return load(RunFolder.existing(folder).root)
