"""``raysearch serve``: the final model behind HTTP, until it is interrupted."""

import signal
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from raysearch.cli.failures import tell
from raysearch.cli.named_model import model_at
from raysearch.cli.serve_options import ServeOptions
from raysearch.cli.terminal import plain_console
from raysearch.errors import UserError
from raysearch.inference.emotion_model import EmotionModel
from raysearch.ray_cluster.resources import local_node
from raysearch.ray_cluster.session import ClusterSession, cluster_session
from raysearch.serving.bearer import ServerToken, given_token, is_loopback
from raysearch.serving.serve_session import Place, check_port, check_room, serving
from raysearch.serving.web_app import ServerFacts

__all__ = ["directions", "serve"]

# Where a server listens that listens at every address of its machine.
_EVERY = ("0.0.0.0", "::")


def serve(options: ServeOptions) -> int:
    """Carry the verb out; it ends when it is interrupted, or told to end."""
    token = given_token(options.token_file, options.host)
    place = Place(options.host, options.port or _free_port())
    if options.address in (None, "", "local"):
        check_room(local_node(), options.replicas)
        check_port(place)
    model = _served(options)
    facts = ServerFacts(_name(model.folder), model.labels, options.limits, token.digest)
    folder, nets = model.folder, len(model.nets)
    del model  # the replicas have their own
    console = plain_console()
    parts = f"{_count(options.replicas, 'replica')} of {_count(nets, 'net')}"
    console.print(f"starting {facts.model}: {parts}", soft_wrap=True)
    with (
        _ends_on_sigterm(),
        tempfile.TemporaryDirectory(prefix="raysearch-") as logs,
        cluster_session(options.address, Path(logs), num_cpus=options.replicas) as session,
        _ends_on_sigterm(),  # again: Ray, as it starts, takes the signal for itself
        serving(session, folder, facts, place, options.replicas, console.print),
    ):
        for line in directions(session, place, token):
            console.print(line, soft_wrap=True)
        try:
            while True:
                time.sleep(3600)
        except KeyboardInterrupt:
            tell("ending")
    return 0


def _served(options: ServeOptions) -> EmotionModel:
    """The model, which is loaded once to find what is wrong with it.

    Raises:
        UserError: it cannot say anything of a single recording, or tells no emotions apart.
    """
    model = model_at(options.model)
    if model.by_dimensions:
        raise UserError(
            f"{model.folder}: this model predicts dimensions (training.task), and an answer is an"
            " emotion: use raysearch predict"
        )
    if model.by_speaker:
        raise UserError(
            f"{model.folder}: this model's training.normalise is 'speaker': it needs several"
            " recordings of each speaker, and a request brings one; use raysearch predict, or a"
            " model with another normalisation"
        )
    return model


def _name(folder: Path) -> str:
    """The run's, of its ``best/``."""
    folder = folder.absolute()
    return folder.parent.name if folder.name == "best" else folder.name


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("", 0))
        port: int = probe.getsockname()[1]
    return port


def directions(session: ClusterSession, place: Place, token: ServerToken) -> list[str]:
    """Where the server is, and how it is asked, in lines for the terminal."""
    url = f"http://{_host(session, place.host)}:{place.port}"
    header = ' -H "Authorization: Bearer $TOKEN"' if token.text else ""
    lines = [
        f"page:    {url}/" + (f"#token={token.text}" if token.made_here else ""),
        f"ask:     curl{header} --data-binary @speech.wav {url}/predict",
        f"health:  {url}/health",
        f"logs:    {session.log_folder}/serve",
    ]
    if token.made_here:
        lines.append(f"token:   {token.text} (made for this time; --token-file keeps one)")
    if not session.local and is_loopback(place.host):
        tunnel = f"ssh -L {place.port}:{place.host}:{place.port} HEAD"
        lines.append(f"where:   on the cluster's head node alone; `{tunnel}` brings it here")
    return [*lines, "Ctrl-C ends it"]


def _host(session: ClusterSession, host: str) -> str:
    """By which name others reach ``host``, as an URL has it."""
    if host in _EVERY:
        host = socket.gethostname() if session.local else session.address.rpartition(":")[0]
    return f"[{host}]" if ":" in host else host


@contextmanager
def _ends_on_sigterm() -> Iterator[None]:
    """What SIGTERM does is what an interruption does."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        del number, frame
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
