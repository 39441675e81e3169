"""Connecting to Ray: a private local instance, or a running cluster; quiet, closed, cleaned up."""

import contextlib
import logging
import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import ray

from raysearch.errors import ConfigError, InfrastructureError, first_line
from raysearch.proxies import speak_directly
from raysearch.ray_cluster.local_ray import local_environment
from raysearch.ray_cluster.orphans import kill_with_driver
from raysearch.ray_cluster.own_token import own_token
from raysearch.ray_cluster.ray_internals import local_init_options, node_notices_to
from raysearch.ray_cluster.token_check import check_token

__all__ = ["ClusterSession", "cluster_session", "dashboard_lines"]

NAMESPACE = "raysearch"

_DRIVER_ENV = {
    # Tune's own console, loggers, signal handler and snapshots: the ledger replaces them.
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    "TUNE_GLOBAL_CHECKPOINT_S": "86400",
    "TUNE_WARN_SLOW_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S": "600",
    "RAY_AIR_NEW_OUTPUT": "0",
    # The searcher gives no more trials than there are free slots; these start side by side.
    "TUNE_MAX_PENDING_TRIALS_PG": "1000",
    # A busy machine starts a group slowly; a dead worker should be noticed fast.
    "RAY_TRAIN_WORKER_GROUP_START_TIMEOUT_S": "600",
    "RAY_TRAIN_HEALTH_CHECK_INTERVAL_S": "0.5",
    "RAY_TRAIN_METRICS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    # A task that Ray ends because its node has no memory left is tried again, each time later, for
    # half a minute. Ray's own tries have no end: a search would stand still without a word.
    "RAY_task_oom_retries": "5",
}

_LOCAL_ENV = {
    # Nothing can be preempted here.
    "RAY_TRAIN_ENABLE_PREEMPTION_WATCHER": "0",
}


@dataclass(frozen=True, slots=True)
class ClusterSession:
    """A connection to Ray, and what is known of it."""

    address: str
    dashboard_url: str | None
    local: bool
    log_folder: str


@contextlib.contextmanager
def cluster_session(
    address: str | None, log_folder: Path, *, num_cpus: int | None = None
) -> Iterator[ClusterSession]:
    """Connect to Ray for the duration of a ``with``; it is started here unless there is an address.

    Args:
        address: a cluster's address; without one ``RAY_ADDRESS`` is tried, then a private
            instance is started on the loopback interface with token authentication.
        log_folder: where Ray's own log records go.
        num_cpus: of a private instance; by default all that this process may use.

    Raises:
        ConfigError: no address has such a form, or it is that of a dashboard.
        UserError: this process' token is none.
        InfrastructureError: no cluster answers at the address, it refuses this process' token or
            versions, or Ray did not start.
    """
    address = address or os.environ.get("RAY_ADDRESS")
    local = address in (None, "", "local")
    if local:
        speak_directly()
    else:
        _check_reachable(str(address))
    for name, value in _DRIVER_ENV.items():
        os.environ.setdefault(name, value)
    if local:
        for name, value in _LOCAL_ENV.items():
            os.environ.setdefault(name, value)
    with _ray_logs_to(log_folder / "driver.log"):
        before = _children()
        try:
            with _environment(local) as folder:
                context = ray.init(
                    address="local" if local else address,
                    namespace=NAMESPACE,
                    log_to_driver=False,
                    logging_level=logging.WARNING,
                    **_init_options(local, num_cpus, folder),
                )
        except ValueError as error:
            raise ConfigError(f"--address {address}: {_one_line(error)}") from error
        except Exception as error:  # Ray raises plain ones, too, if its dashboard does not start
            what = "Ray did not start" if local else f"no Ray cluster answers at {address!r}"
            raise InfrastructureError(f"{what}: {_one_line(error)}") from error
        try:
            with kill_with_driver(sorted(_children() - before) if local else []):
                yield ClusterSession(
                    address=context.address_info["gcs_address"],
                    dashboard_url=context.dashboard_url or None,
                    local=local,
                    log_folder=str(Path(context.address_info["session_dir"]) / "logs"),
                )
        finally:
            ray.shutdown()


def dashboard_lines(url: str | None) -> list[str]:
    """Where Ray's dashboard is, and where the trials are in it."""
    if url is None:
        return []
    return [
        f"dashboard: http://{url} (it asks for a token: `ray get-auth-token` prints yours)",
        "  Jobs > the job > Task Table, function WorkerGroupHost.trial: the trials, by name",
    ]


def _check_reachable(address: str) -> None:
    """Refuse at once what Ray would try for minutes."""
    if "://" in address and not address.startswith("ray://"):
        raise ConfigError(
            f"--address or RAY_ADDRESS {address}: this is the address of a dashboard, where jobs "
            "are sent (raysearch submit); give HOST:PORT of the cluster itself (6379 as a rule), "
            "or unset RAY_ADDRESS for a private Ray"
        )
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    speak_directly(host.strip("[]"))
    own_token()
    if not colon:
        return  # "auto", or a name that Ray resolves
    try:
        socket.create_connection((host, int(port)), timeout=10).close()
    except (OSError, ValueError) as error:
        raise InfrastructureError(
            f"no Ray cluster answers at {address!r}: {error}; correct --address or RAY_ADDRESS"
        ) from error
    if not address.startswith("ray://"):
        check_token(address)


def _one_line(error: Exception) -> str:
    text = str(error)
    if text.startswith("Version mismatch"):
        return " ".join(text.split())  # the versions come in the lines below
    return first_line(error)


def _children() -> set[int]:
    return {process.pid for process in psutil.Process().children(recursive=True)}


def _environment(local: bool) -> contextlib.AbstractContextManager[str | None]:
    return local_environment() if local else contextlib.nullcontext()


def _init_options(local: bool, num_cpus: int | None, folder: str | None) -> dict[str, object]:
    if not local:
        return {}
    return {
        **local_init_options(folder, "127.0.0.1"),
        "include_dashboard": True,  # without it Train leaks the groups of stopped runs
        "dashboard_host": "127.0.0.1",
        "num_cpus": num_cpus or len(os.sched_getaffinity(0)),
    }


class _Log(logging.FileHandler):
    """A full disk is told once, by what needs the room; not by each record's traceback."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 (logging's own name)
        del record


@contextlib.contextmanager
def _ray_logs_to(path: Path) -> Iterator[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    handler = _Log(path, delay=True)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logger = logging.getLogger("ray")
    handlers, propagate = logger.handlers[:], logger.propagate
    logger.handlers, logger.propagate = [handler], False

    def to_log(data: dict[str, list[str]], *_: object, **__: object) -> None:
        logger.warning("%s", " ".join(data["lines"]))

    try:
        with node_notices_to(to_log):
            yield
    finally:
        logger.handlers, logger.propagate = handlers, propagate
        handler.close()
