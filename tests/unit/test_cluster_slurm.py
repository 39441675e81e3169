"""slurm.sbatch, run for real as a job of three nodes; only Slurm, Ray and Python stand in."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from stand_ins import NOTE, calls, stand_ins

ROOT = Path(__file__).parents[2]
CLUSTER = ROOT / "cluster"

STAY = """trap 'echo ended >>"$CALLS"; kill $!; exit 143' TERM
echo up >>"$CALLS"
sleep 300 & wait $!
"""
# srun runs its command on this machine, and passes a TERM on, as Slurm's does.
SRUN = (
    NOTE
    + """while [[ $1 == -* ]]; do shift; done
trap 'kill -TERM $child' TERM
"$@" & child=$!
wait $child; wait $child
echo "srun over" >>"$CALLS"
"""
)
SCONTROL = NOTE + (
    "case $1-$2 in\n"
    "  show-hostnames) printf 'node1\\nnode2\\nnode3\\n' ;;\n"
    '  show-job) echo "JobState=${JOB_STATE:-RUNNING}" ;;\n'
    "esac\n"
)
# A search checkpoints when it is told to stop, and says that it can be resumed.
PYTHON = (
    NOTE
    + """env | grep ^RAY_AUTH >>"$CALLS"
case $* in
  *wait_for_nodes*)
    [ -z "${NEVER_JOINS:-}" ] || exit 1
    until [ "$(grep -cx up "$CALLS")" = 2 ]; do sleep 0.02; done ;;
  *raysearch.run*)
    trap 'echo checkpointed >>"$CALLS"; kill $!; exit 130' TERM
    touch "$CALLS.searching"
    sleep "${SEARCH_S:-300}" & wait $! ;;
  *) echo 10.0.0.7 ;;
esac
"""
)


@pytest.fixture
def slurm(tmp_path):
    """A three-node job on this machine: the environment that Slurm gives, and its tools."""
    tools = stand_ins(tmp_path / "tools", srun=SRUN, scontrol=SCONTROL)
    stand_ins(tmp_path / "venv" / "bin", ray=NOTE + STAY, python=PYTHON)
    project = tmp_path / "project"
    project.mkdir()
    (project / "cluster").symlink_to(CLUSTER)
    return {
        "PATH": f"{tools}:{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "CALLS": str(tmp_path / "calls"),
        "SLURM_JOB_ID": "4711",
        "SLURM_JOB_NUM_NODES": "3",
        "SLURM_JOB_NODELIST": "node[1-3]",
        "SLURM_CPUS_PER_TASK": "8",
        "SLURM_SUBMIT_DIR": str(project),
        "RAYSEARCH_STORAGE": str(tmp_path / "results"),
        "RAYSEARCH_VENV": str(tmp_path / "venv"),
    }


@contextmanager
def job_of(environment: dict[str, str], *options: str) -> Iterator[subprocess.Popen[str]]:
    """The script as a job in a session of its own, which a failing test leaves nothing of."""
    job = subprocess.Popen(
        ["bash", str(CLUSTER / "slurm.sbatch"), "--space", "emohrnet", *options],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        yield job
    finally:
        for process in living(job.pid):
            process.kill()
        job.communicate()


def wait_for(done, seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.02)


def living(session: int) -> list[psutil.Process]:
    """Processes of a session that are not over."""
    found = []
    for process in psutil.process_iter():
        try:
            if os.getsid(process.pid) == session and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except (psutil.Error, ProcessLookupError):
            continue
    return found


def test_slurm_starts_one_ray_a_node_and_the_search_then_ends_all(slurm):
    with job_of({**slurm, "SEARCH_S": "0.1"}, "--trials", "4") as job:
        output, _ = job.communicate(timeout=60)
        assert job.returncode == 0, output
        steps = [c for c in calls(slurm) if c.startswith("srun --")]
        head, workers = sorted(steps, key=lambda c: "--exclude" in c)
        assert "--nodes=1 --ntasks=1 --nodelist=node1 ray start --head --block" in head
        assert "--dashboard-host=127.0.0.1" in head
        assert "--nodes=2 --ntasks=2 --exclude=node1 ray start --address=10.0.0.7:7111" in workers
        (search,) = [c for c in calls(slurm) if "raysearch.run" in c]
        asked = f"--storage {slurm['RAYSEARCH_STORAGE']} --name raysearch-4711 --resume auto"
        assert f"--space emohrnet --trials 4 {asked} --address 10.0.0.7:7111" in search
        assert calls(slurm).count("srun over") == 2
        assert not [c for c in calls(slurm) if "requeue" in c or "ray stop" in c]
        assert living(job.pid) == []


def test_slurm_token_is_private_and_gone_afterwards(slurm):
    private = Path(slurm["SLURM_SUBMIT_DIR"]) / ".slurm-4711"
    with job_of(slurm) as job:
        wait_for(Path(f"{slurm['CALLS']}.searching").exists)
        assert private.stat().st_mode & 0o777 == 0o700
        assert (private / "token").stat().st_mode & 0o777 == 0o600
        assert len((private / "token").read_text()) == 64
        seen = {c for c in calls(slurm) if c.startswith("RAY_AUTH")}
        assert seen == {"RAY_AUTH_MODE=token", f"RAY_AUTH_TOKEN_PATH={private / 'token'}"}
        job.send_signal(signal.SIGTERM)
        job.communicate(timeout=60)
        assert not private.exists()


@pytest.mark.parametrize(("state", "requeues"), [("RUNNING", 1), ("CANCELLED", 0)])
def test_slurm_out_of_time_checkpoints_ends_all_and_queues_again(slurm, state, requeues):
    with job_of({**slurm, "JOB_STATE": state}) as job:
        wait_for(Path(f"{slurm['CALLS']}.searching").exists)
        job.send_signal(signal.SIGTERM)
        output, _ = job.communicate(timeout=60)
        assert job.returncode == 130, output
        assert calls(slurm).count("checkpointed") == 1
        assert calls(slurm).count("ended") == 2  # both steps' Rays were ended, and not killed
        assert calls(slurm).count("scontrol requeue 4711") == requeues
        assert living(job.pid) == []


def test_slurm_nodes_that_never_join_are_an_error_and_nothing_stays(slurm):
    with job_of({**slurm, "NEVER_JOINS": "yes"}) as job:
        output, _ = job.communicate(timeout=60)
        assert job.returncode == 1
        assert "slurm.sbatch: the nodes did not form a cluster" in output
        assert not [c for c in calls(slurm) if "raysearch.run" in c]
        assert living(job.pid) == []


def test_slurm_ray_that_ends_on_a_node_is_an_error_and_nothing_stays(slurm, tmp_path):
    stand_ins(tmp_path / "venv" / "bin", ray=NOTE + "[[ $* == *--head* ]] || exit 1\n" + STAY)
    slow = 'case $* in *wait_for*) sleep 300 & trap "kill $!; exit 1" TERM; wait ;; esac\n'
    stand_ins(tmp_path / "venv" / "bin", python=NOTE + slow + "echo 10.0.0.7\n")
    with job_of(slurm) as job:
        output, _ = job.communicate(timeout=60)
        assert job.returncode == 1
        assert "slurm.sbatch: Ray ended on a node before all had joined" in output
        assert living(job.pid) == []


def test_slurm_told_to_stop_before_the_search_ends_its_steps(slurm, tmp_path):
    stand_ins(
        tmp_path / "venv" / "bin",
        python=NOTE + "echo 10.0.0.7; [[ $* == *wait_for* ]] || exit 0\n" + STAY,
    )
    with job_of(slurm) as job:
        wait_for(lambda: sum("ray start" in c for c in calls(slurm) if c.startswith("ray")) == 2)
        wait_for(lambda: any("wait_for_nodes" in c for c in calls(slurm)))
        job.send_signal(signal.SIGTERM)
        job.communicate(timeout=60)
        assert job.returncode == 143
        assert living(job.pid) == []


def test_slurm_refuses_to_run_outside_a_job(slurm):
    del slurm["SLURM_JOB_ID"]
    with job_of(slurm) as job:
        output, _ = job.communicate(timeout=60)
        assert job.returncode == 1
        assert output.splitlines() == [
            "slurm.sbatch: this is no Slurm job; submit it: sbatch cluster/slurm.sbatch ..."
        ]
