"""raysearch: finds the best speech-emotion-recognition model for a corpus, honestly measured.

``search(load_space("emohrnet"))`` is what ``raysearch run --space emohrnet`` does,
``load("results/my-run")`` gives the model that it ended with, and ``charts`` draws it. Nothing is
imported before it is used: ``import raysearch`` alone loads neither Ray nor torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from raysearch import charts
    from raysearch.errors import RaysearchError
    from raysearch.inference.emotion_model import load
    from raysearch.searching.named_space import load_space
    from raysearch.searching.observers import SearchObserver
    from raysearch.searching.results import Run
    from raysearch.searching.whole_search import search
    from raysearch.spec import SearchSpec
    from raysearch.trial_config import TrialConfig
    from raysearch.trial_records import TrialRecord, Trials

__all__ = [
    "RaysearchError",
    "Run",
    "SearchObserver",
    "SearchSpec",
    "TrialConfig",
    "TrialRecord",
    "Trials",
    "charts",
    "load",
    "load_space",
    "search",
]

__version__ = "0.1.0"

# Public name to the module that has it, or is it.
_MODULES = {
    "RaysearchError": "raysearch.errors",
    "Run": "raysearch.searching.results",
    "SearchObserver": "raysearch.searching.observers",
    "SearchSpec": "raysearch.spec",
    "TrialConfig": "raysearch.trial_config",
    "TrialRecord": "raysearch.trial_records",
    "Trials": "raysearch.trial_records",
    "charts": "raysearch.charts",
    "load": "raysearch.inference.emotion_model",
    "load_space": "raysearch.searching.named_space",
    "search": "raysearch.searching.whole_search",
}


def __getattr__(name: str) -> object:
    """Import the public ``name`` when it is first asked for; it is kept for the next time."""
    if name not in _MODULES:
        raise AttributeError(f"module 'raysearch' has no attribute {name!r}")
    module = import_module(_MODULES[name])
    found: object = module if module.__name__ == f"raysearch.{name}" else getattr(module, name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    """List the public names as well, for whoever completes them."""
    return sorted({*globals(), *__all__})
