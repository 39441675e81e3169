"""The proof that no test row reaches a search: ruin them all, and nothing changes."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
from tiny_search import losses, search, small_spec

from raysearch.corpora.table import CorpusConfig, load_corpus
from raysearch.protocols.splits import make_split
from raysearch.training.checkpoint import load_tensors

pytestmark = pytest.mark.ray


def ruin_test_rows(root: Path, spec) -> int:
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


def test_ruined_test_rows_change_nothing(cluster, storage, tmp_path):
    demo = load_corpus(CorpusConfig(), storage).root
    found = {}
    for name in ("whole", "ruined"):
        root = tmp_path / name / "corpus"
        shutil.copytree(demo, root)
        # The demo tree is a RAVDESS tree; the demo's own folds keep it six times two actors.
        spec = small_spec(
            corpus__name="ravdess",
            corpus__data=str(root),
            search__slots=1,
            search__trials=3,
            search__checkpoint_every_s=1e6,
        )
        if name == "ruined":
            assert ruin_test_rows(root, spec) > 20
        run, trials = search(spec, tmp_path / name, "run", cluster)
        found[name] = (losses(trials), checkpoints(run))
    assert found["whole"][0] == found["ruined"][0]
    whole, ruined = found["whole"][1], found["ruined"][1]
    assert whole.keys() == ruined.keys()
    assert whole
    for path, tensors in whole.items():
        assert tensors.keys() == ruined[path].keys()
        assert all((tensors[key] == ruined[path][key]).all() for key in tensors), path
