"""A storage as ``gc`` finds it: a run that is over, what it asks for, and what nobody does."""

import os
import shutil
import time
from pathlib import Path

from raysearch.files import write_json
from raysearch.published_folder import publish
from raysearch.run_folder import RunFolder
from raysearch.searching.storage_upkeep import find_leftovers
from raysearch.spec import SearchSpec
from raysearch.streaming.store import feature_source, feature_store
from raysearch.streaming.wanted_features import WantedFeatures

OLD = time.time() - 7200


def settled_run(root):
    """A run that is over, of which only the settings are left."""
    run = RunFolder(root)
    run.root.mkdir(parents=True)
    run.spec_file.write_text(SearchSpec.load("cnn").to_yaml())
    over(run)
    return run


def over(run, outcome="finished"):
    write_json(run.info_file, {"sessions": [{"started": 1.0, "ended": 2.0, "outcome": outcome}]})


def published(folder):
    publish(folder, lambda stage: (stage / "best.safetensors").write_bytes(b"x" * 5000))
    return folder


def aged(path):
    for one in (path, *path.rglob("*")) if path.is_dir() else (path,):
        os.utime(one, (OLD, OLD))
    return path


def feature_sets(storage, spec):
    """A set that the run asks for, and one that nobody does."""
    store = feature_store(storage)
    stream, config, _ = WantedFeatures.of_search(spec).streams()[0]
    used = Path(feature_source(store, spec.corpus.name, stream, config).folder)
    other = config.model_copy(update={"hop_ms": 12.0})
    unused = Path(feature_source(store, spec.corpus.name, stream, other).folder)
    for folder in (used, unused):
        folder.mkdir(parents=True)
        (folder / "manifest.json").write_text("{}")
        aged(folder)
    return used, unused


def found(storage):
    return {one.path: one.kind for one in find_leftovers(storage).found}


def another_set(storage, spec, hop_ms):
    stream, config, _ = WantedFeatures.of_search(spec).streams()[0]
    other = config.model_copy(update={"hop_ms": hop_ms})
    folder = Path(feature_source(feature_store(storage), spec.corpus.name, stream, other).folder)
    folder.mkdir()
    (folder / "manifest.json").write_text("{}")
    return aged(folder)


def when_the_first_goes(monkeypatch, act):
    """Call ``act`` once, while the first of several folders is being removed."""
    rmtree, calls = shutil.rmtree, []

    def removing(path, *arguments, **options):
        if ".features/" in str(path) and not calls:
            calls.append(act())
        rmtree(path, *arguments, **options)

    monkeypatch.setattr(shutil, "rmtree", removing)
    return calls
