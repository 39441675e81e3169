"""No process imports what it does not need: it costs each slot memory, and a start its time."""

import subprocess
import sys

import pytest

SLOW = ("sklearn", "scipy.signal", "scipy.stats", "scipy.optimize", "librosa.core", "numba")
# Each process' modules, as it imports them, and what must not come along.
TRAIN = ("ray.train", "ray.tune", "ray.data", "pandas", "pyarrow", "torch")
PROCESSES = {
    "a search's driver, before Ray starts": (
        "raysearch.cli.search_start, raysearch.models.emohrnet, raysearch.features.mfcc",
        SLOW,
    ),
    "a report": ("raysearch.cli.report", ("ray", *SLOW)),
    "a rank": ("raysearch.workers.worker_loop", SLOW),
    "the controller": (
        "raysearch.workers.group_fit, raysearch.ray_cluster.process_group",
        ("torch",),
    ),
    "the host": ("raysearch.workers.host", TRAIN),
    "the trial's proxy": ("raysearch.tuning.trial_proxy", ("torch",)),
    "the node's cache": (
        "raysearch.streaming.node_cache",
        ("ray.train", "ray.tune", "ray.data", "pandas", "torch"),
    ),
    "the slot broker": ("raysearch.ray_cluster.slot_broker", TRAIN),
    "who ends a hung worker": ("raysearch.workers.hung_worker", TRAIN),
}


@pytest.mark.parametrize("process", PROCESSES)
def test_what_a_process_imports(process):
    modules, unwanted = PROCESSES[process]
    code = (
        f"import sys, {modules}; sys.exit(', '.join({set(unwanted)!r} & sys.modules.keys()) or 0)"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (ended.returncode, ended.stderr) == (0, ""), f"{process} imports {ended.stderr}"


def test_what_the_controller_is_sent_needs_no_torch(tmp_path):
    """All that Ray Train pickles for it, but for the train function, which the workers unpack."""
    make = f"""
import ray
from ray import cloudpickle
from ray.train import RunConfig, ScalingConfig
from raysearch.workers.group_fit import GroupFit, HostNotifier
from raysearch.workers.worker_loop import serve_trials

fit = GroupFit(
    serve_trials,
    {{"host": None, "threads": 1, "gpus": 0.0}},
    scaling_config=ScalingConfig(num_workers=1),
    run_config=RunConfig(callbacks=[HostNotifier(None)], storage_path={str(tmp_path)!r}),
)
with open({str(tmp_path / "sent")!r}, "wb") as file:
    cloudpickle.dump((fit.train_run_context, fit._create_default_callbacks()), file)
"""
    read = f"""
import pickle, sys
with open({str(tmp_path / "sent")!r}, "rb") as file:
    _, callbacks = pickle.load(file)
print(*(type(one).__name__ for one in callbacks))
sys.exit("torch" in sys.modules)
"""
    subprocess.run([sys.executable, "-c", make], check=True)
    ended = subprocess.run([sys.executable, "-c", read], capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr or "torch is imported"
    names = ended.stdout.split()
    assert "HostNotifier" in names
    assert "BackendSetupCallback" in names
    assert not {"DatasetsCallback", "PlacementGroupCleanerCallback"} & set(names)
