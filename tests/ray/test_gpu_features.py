"""Features that want a GPU get one where Ray has some."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

pytestmark = pytest.mark.ray

HERE = Path(__file__).parent


def test_a_gpu_goes_to_tasks_whose_features_want_one(cluster, tmp_path):
    """Ray believes in two, torch finds none: the task falls back to its CPU.

    The process starts a Ray of its own beside this one's.
    """
    rng, paths = np.random.default_rng(0), [tmp_path / f"u{number}.wav" for number in range(70)]
    for path in paths:
        soundfile.write(path, rng.uniform(-0.5, 0.5, 400), 16000)
    done = subprocess.run(
        [sys.executable, str(HERE / "gpu_extractor.py")],
        input="\n".join(str(path) for path in paths),
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(HERE), *sys.path])},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert found == {"True": [1.0] * 70, "False": [0.0] * 70}
