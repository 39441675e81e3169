"""The HTTP of a served model in this process, by the server that Ray Serve uses, without Ray."""

import asyncio
import contextlib
import socket
import threading

import uvicorn

from raysearch.serving.answer import in_turn
from raysearch.serving.limits import Limits
from raysearch.serving.web_app import ServerFacts, WebApp

TOKEN = "a-token-of-enough-letters"


@contextlib.contextmanager
def served(model, *, limits=None, digest="", answering=None):
    """The address at which ``model`` answers, on a free port of loopback."""

    async def by_model(question):
        (answer,) = await asyncio.to_thread(in_turn, model, [question])
        return answer

    facts = ServerFacts("a-run", model.labels, limits or Limits(), digest)
    app = WebApp(facts, answering or by_model).asgi()
    options = uvicorn.Config(app, log_level="critical", ws="none", lifespan="off")
    server = uvicorn.Server(options)
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()  # who asks before the server is up waits for it
        port = listening.getsockname()[1]
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            server.should_exit = True
            thread.join()
