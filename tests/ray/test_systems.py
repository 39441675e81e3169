"""Every built-in system searches, and ruining the test rows changes nothing of what it finds."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
from tiny_search import SMALL_FEATURES, losses, search

from raysearch.corpora.corpus_table import CorpusConfig, load_corpus
from raysearch.protocols.splits import make_split
from raysearch.spec import SearchSpec
from raysearch.training.checkpoint import load_tensors

pytestmark = pytest.mark.ray

# One feature set and small sizes: what is tested is the way, not the model.
FIXED = {
    **SMALL_FEATURES,
    "training.clip_s": 1.0,
    "training.batch_size": 64,
    "model.branches": 2,
    "model.blocks": 2,
    "model.stem_width": 32,
    "model.stem_stride": 4,
    "search.slots": 1,
    "search.inner_folds": 1,
    "search.final": "single",
    "search.trials": 2,
    "search.checkpoint_every_s": 1e6,
    "training.epochs": 2,
}
OWN = {
    "cnn": {"search.inner_folds": 2},
    "resnet34": {
        "model.pretrained": False,
        "waveform_augment.bank": ["noise:15", "stretch:0.9"],
        "waveform_augment.cells": "all",
        "training.epochs": 1,
    },
    "logistic": {"training.clip_s": 60.0, "training.epochs": 1},
    "svm": {"training.clip_s": 60.0, "training.epochs": 1},
}
NETWORKS = ("cnn", "cnn1d_attention", "emohrnet", "lstm", "mfhca", "resnet34", "ssl")
SYSTEMS = (*NETWORKS, "logistic", "svm")
# Searched by the tests of races and of command lines, too, or next to another of their kind.
SLOW = ("emohrnet", "resnet34", "logistic", "svm", "cnn1d_attention")
UNIT = Path(__file__).parents[1] / "unit"


def system_spec(name: str, root: Path, weights: Path | None = None) -> SearchSpec:
    """The shipped space with everything that costs time fixed, on the RAVDESS tree ``root``."""
    fields = SearchSpec.load(name).base.fields()
    fixed = {k: v for k, v in FIXED.items() if k in fields or k.startswith("search.")}
    given = {"corpus.name": "ravdess", "corpus.data": str(root)}
    if "features.ssl.weights" in fields:
        given["features.ssl.weights"] = str(weights)
    return SearchSpec.load(name, list({**fixed, **OWN.get(name, {}), **given}.items()))


def ruin_test_rows(root: Path, spec: SearchSpec) -> int:
    """Other audio, and another emotion in its file's name, for every test row."""
    split = make_split(load_corpus(spec.corpus, root.parent), spec.protocol)
    rng = np.random.default_rng(0)
    for row in split.test:
        path = Path(row.path)
        fields = path.stem.split("-")
        fields[2] = "05" if fields[2] != "05" else "03"
        fields[5] = "01" if int(fields[5]) > 2 else fields[5]
        noise_N = rng.uniform(-0.9, 0.9, int(rng.integers(100, 30_000)))
        path.unlink()
        target = path.with_name("-".join(fields) + ".wav")
        soundfile.write(target, noise_N, 22_050)
    next(iter(Path(split.test[0].path).parent.glob("*.wav"))).write_bytes(b"not audio at all")
    return len(split.test)


def checkpoints(run):
    """Relative path to tensors of everything that was kept."""
    files = sorted(run.root.glob("checkpoints/*/*/*.safetensors"))
    return {str(file.relative_to(run.root)): load_tensors(file) for file in files}


@pytest.fixture(scope="module")
def trees(storage, tmp_path_factory):
    """The demo corpus, which is a RAVDESS tree, as it is and with its test rows ruined."""
    demo = load_corpus(CorpusConfig(), storage).root
    folders = {}
    for name in ("whole", "ruined"):
        folders[name] = tmp_path_factory.mktemp(name) / "corpus"
        shutil.copytree(demo, folders[name])
    assert ruin_test_rows(folders["ruined"], system_spec("cnn", folders["ruined"])) > 20
    return folders


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A small encoder with random weights, in torchaudio's format."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(UNIT))
        from tiny_encoder import write_file

        return write_file(tmp_path_factory.mktemp("encoder"))


@pytest.fixture(scope="module")
def searched(cluster, trees, weights):
    """What a search for a system finds on a tree; each is made once."""
    found = {}

    def find(system, tree):
        if (system, tree) not in found:
            root = trees[tree]
            run, trials = search(system_spec(system, root, weights), root.parent, system, cluster)
            found[system, tree] = (trials, losses(trials), checkpoints(run))
        return found[system, tree]

    return find


@pytest.mark.parametrize(
    "system",
    [pytest.param(name, marks=pytest.mark.slow if name in SLOW else ()) for name in SYSTEMS],
)
def test_a_search_ends_well(system, searched):
    trials, _, _ = searched(system, "whole")
    assert {record.status for record in trials.records.values()} <= {"completed", "pruned"}
    assert trials.ranked()


@pytest.mark.parametrize(
    "system",
    [pytest.param(name, marks=() if name == "cnn" else pytest.mark.slow) for name in SYSTEMS],
)
def test_ruined_test_rows_change_nothing(system, searched):
    _, whole_losses, whole = searched(system, "whole")
    _, ruined_losses, ruined = searched(system, "ruined")
    assert whole_losses == ruined_losses
    assert whole.keys() == ruined.keys()
    assert whole
    for path, tensors in whole.items():
        assert tensors.keys() == ruined[path].keys()
        assert all((tensors[key] == ruined[path][key]).all() for key in tensors), path
