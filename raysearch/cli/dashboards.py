"""``raysearch dashboards``: a run's curves and study in TensorBoard and optuna-dashboard."""

import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec

from raysearch.cli.dashboards_options import DashboardsOptions
from raysearch.errors import MissingPathError
from raysearch.reporting.board_pictures import write_pictures
from raysearch.run_folder import RunFolder
from raysearch.service.local_servers import LocalServer, free_port, running
from raysearch.storage.replica import display_path

__all__ = ["servers_of", "watch"]

POLL_S = 0.5
TENSORBOARD_PORT, OPTUNA_PORT = 6006, 8080


def watch(options: DashboardsOptions) -> int:
    """Carry the verb out."""
    servers, notes = servers_of(options.run)
    try:
        with _ended_by_signals(), running(servers) as started:
            print(f"run: {display_path(options.run.root)}")
            for server in servers:
                print(f"{server.name}: {server.address}")
            for note in notes:
                print(note)
            print("Ctrl-C ends them", flush=True)
            # TensorBoard finds them within seconds; nobody need wait for them to see the curves.
            for note in write_pictures(options.run):
                print(note, flush=True)
            while True:
                time.sleep(POLL_S)
                started.check()
    except KeyboardInterrupt:
        return 0


def servers_of(run: RunFolder) -> tuple[list[LocalServer], list[str]]:
    """Return the servers that can show the run, and what is not shown and why.

    Raises:
        MissingPathError: there is nothing to show.
    """
    servers, notes = [], []
    curves = run.root / "tensorboard"
    if curves.is_dir():
        port = free_port(TENSORBOARD_PORT)
        command = [sys.executable, "-m", "tensorboard.main", "--logdir", str(curves)]
        command += ["--host", "127.0.0.1", "--port", str(port)]
        servers.append(LocalServer("TensorBoard", command, port))
    else:
        notes.append("TensorBoard: the run has no curves here")
    if not run.study_file.is_file():
        notes.append("optuna-dashboard: the run has no study here; a bucket keeps none")
    elif find_spec("optuna_dashboard") is None:
        notes.append("optuna-dashboard: not installed: pip install 'raysearch[dashboard]'")
    else:
        port = free_port(OPTUNA_PORT)
        code = "from optuna_dashboard._cli import main; main()"
        command = [sys.executable, "-c", code, str(run.study_file)]
        command += ["--host", "127.0.0.1", "--port", str(port)]
        servers.append(LocalServer("optuna-dashboard", command, port))
    if not servers:
        raise MissingPathError(f"{run.root}: nothing to show: {'; '.join(notes)}")
    return servers, notes


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """Have whatever asks this process to end do what Ctrl-C does."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(number: int, frame: object) -> None:
        del number, frame
        raise KeyboardInterrupt

    before = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
