"""One replica: the model in a process of its own, which Ray Serve hands the requests to."""

import asyncio
import math
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import ray
from ray import serve
from starlette.applications import Starlette

from raysearch.features.audio import Waveform
from raysearch.inference.emotion_model import EmotionModel, load
from raysearch.ray_cluster.session import NAMESPACE
from raysearch.serving.answer import Answer, Question, in_turn
from raysearch.serving.packed_model import PackedFiles, unpacked
from raysearch.serving.web_app import ServerFacts, WebApp

__all__ = ["MAX_ONGOING", "HeldModel", "ModelReplica", "batch_size", "held_model"]

# Requests that one replica has at a time; the others wait before it.
MAX_ONGOING = 16
# A batch is answered as a whole: it holds this many recordings, fewer if they are long.
_MAX_BATCH = 8
_SHORT_S = 10
# For others to arrive; a request that is alone waits as long, too.
_BATCH_WAIT_S = 0.005


class ModelHolder:
    """An actor with the files of a model, for replicas on nodes that do not see its folder."""

    def __init__(self, files: PackedFiles) -> None:
        self._files = files

    def files(self) -> PackedFiles:
        """Every file, by its name."""
        return self._files


@dataclass(frozen=True, slots=True)
class HeldModel:
    """Where a replica finds the files of its model: an actor."""

    actor: str
    namespace: str

    def files(self) -> PackedFiles:
        """Every file, by its name."""
        holder = ray.get_actor(self.actor, namespace=self.namespace)
        files: PackedFiles = ray.get(holder.files.remote())
        return files


@contextmanager
def held_model(files: PackedFiles) -> Iterator[HeldModel]:
    """Keep the files in an actor for the duration of a ``with``.

    Its name is its own: others may hold theirs on the same cluster.
    """
    name = f"raysearch-model-{uuid.uuid4().hex}"
    held = ray.remote(num_cpus=0, name=name, namespace=NAMESPACE)(ModelHolder)
    holder = held.remote(files)  # kept until the end: it is the holder's only reference
    try:
        yield HeldModel(name, NAMESPACE)
    finally:
        ray.kill(holder)


def batch_size(questions: Sequence[Question]) -> int:
    """How much of a batch these are: a recording for each 10 s; one alone is never too much."""
    lengths = (question.waveform.duration_s for question in questions)
    size = sum(max(1, math.ceil(seconds / _SHORT_S)) for seconds in lengths)
    return size if len(questions) > 1 else min(size, _MAX_BATCH)


class ModelReplica:
    """Answers requests, a batch of them at a time.

    Args:
        source: the model's folder, or who holds its files.
        facts: what the server tells of itself.
    """

    def __init__(self, source: str | HeldModel, facts: ServerFacts) -> None:
        self._facts = facts
        self._model = _ready(source)

    def __serve_build_asgi_app__(self) -> Starlette:
        """The application, which Ray Serve asks for."""
        return WebApp(self._facts, self.answers).asgi()

    # What Ray Serve makes of it takes one question, and gives its answer.
    @serve.batch(
        max_batch_size=_MAX_BATCH,
        batch_wait_timeout_s=_BATCH_WAIT_S,
        batch_size_fn=batch_size,
    )
    async def answers(self, questions: list[Question]) -> list[Answer | Exception]:
        """The answers to questions that came together, each recording scored alone."""
        return await asyncio.to_thread(in_turn, self._model, questions)


def _ready(source: str | HeldModel) -> EmotionModel:
    """The model, with all that it reads in memory: the first request is not to wait for it."""
    if isinstance(source, str):
        return _warm(load(source))
    with unpacked(source.files()) as folder:
        return _warm(load(folder))


def _warm(model: EmotionModel) -> EmotionModel:
    noise_N = np.random.default_rng(0).normal(0, 0.1, 32000).astype(np.float32)
    model.predict_many([Waveform("noise", noise_N, 16000)])
    return model
