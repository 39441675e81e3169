"""Every kind of final model, made of the trials of one small search."""

import shutil

from tiny_search import search, small_spec

from raysearch.evaluation.final_model import FINAL, load_final

METHODS = ("single", "bag", "ensemble", "refit", "auto")


def run_with_finals(storage, cluster):
    """The run; the record of each final model is ``METHOD.json``."""
    spec = small_spec(
        search__defaults_first=True,
        search__published_first=False,
        search__inner_folds=2,
        search__final="auto",
        search__final_seeds=2,
        search__trials=3,
        search__scheduler="none",
    )
    return search(spec, storage, "finals", cluster, finals=METHODS)[0]


def use(run, method):
    """Make that one the run's final model."""
    shutil.copyfile(run.root / f"{method}.json", run.root / FINAL)
    return load_final(run)
