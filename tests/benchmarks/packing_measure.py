"""Steps of several ways, timed in turns: each row is one way of so many members."""

import gc
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

import torch
from packing_ways import Lone, Packed, Step, captured, in_streams
from packing_work import Work

__all__ = ["Clock", "Part", "rows_of"]

ROUNDS = 5
BLOCK_S, SMALL_BLOCK_S = 0.08, 0.02
MAX_STEPS = 2000


@dataclass(frozen=True)
class Part:
    """What one process measures.

    Attributes:
        name: of the part.
        system: a shipped space.
        precision: of the forward pass.
        groups: ways and members that take turns, beside the lone ways.
        tuned: let cuDNN try its algorithms (``cudnn.benchmark``) instead of choosing one.
    """

    name: str
    system: str
    precision: str
    groups: tuple[tuple[tuple[str, int], ...], ...]
    tuned: bool = False


class Clock:
    """Seconds of ``count`` steps, by CUDA events on a GPU."""

    def __init__(self, device: torch.device) -> None:
        self._cuda = device.type == "cuda"

    def __call__(self, step: Step, count: int) -> float:
        """From an idle device until the last step's work is done."""
        if not self._cuda:
            begun = time.perf_counter()
            for _ in range(count):
                step()
            return time.perf_counter() - begun
        torch.cuda.synchronize()
        first, last = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        first.record()
        for _ in range(count):
            step()
        last.record()
        torch.cuda.synchronize()
        return first.elapsed_time(last) / 1000


def _build(way: str, work: Work, members: int) -> Step:
    """A way's step, by its name."""
    device = work.device
    if way == "lone":
        return Lone(work, 0)
    if way == "lone, graph":
        return captured(Lone(work, 0, capturable=device.type == "cuda"), device)
    if way == "streams, graph":
        capturable = device.type == "cuda"
        lone = [Lone(work, member, capturable=capturable) for member in range(members)]
        return captured(in_streams(lone, device), device)
    packed = Packed(work, members, compiled="compiled" in way, matrices="matrices" in way)
    return captured(packed, device) if "graph" in way else packed


LONE = (("lone", 1), ("lone, graph", 1))


def rows_of(part: Part, device: torch.device, *, small: bool) -> Iterator[dict[str, Any]]:
    """The rows of a part, as soon as they are measured; an error is a row that holds its text."""
    torch.backends.cudnn.benchmark = part.tuned
    work = Work(part.system, device, part.precision, small=small)
    facts = {"part": part.name, "system": part.system, "precision": part.precision}
    lone, memory = _built(LONE, work)
    for group in part.groups:
        steps, own_memory = _built(group, work)
        for key, found in _in_turns({**lone, **steps}, device, small=small).items():
            row = {**facts, "way": key[0], "members": key[1], "beside": group[-1][1], **found}
            yield {**row, "peak_mib": (memory | own_memory).get(key)}
        steps.clear()
        _free(device)


def _built(
    keys: tuple[tuple[str, int], ...], work: Work
) -> tuple[dict[tuple[str, int], Step | str], dict[tuple[str, int], float]]:
    """Steps that ran once, or an error's text; and the MiB that each took at its peak."""
    steps: dict[tuple[str, int], Step | str] = {}
    memory: dict[tuple[str, int], float] = {}
    for way, members in keys:
        held = _held(work.device, reset=True)
        try:
            step = _build(way, work, members)
            step()
            steps[way, members] = step
        except Exception as error:
            steps[way, members] = _text(error)
            _free(work.device)
        memory[way, members] = (_held(work.device) - held) / 2**20
    return steps, memory


def _in_turns(
    steps: dict[tuple[str, int], Step | str], device: torch.device, *, small: bool
) -> dict[tuple[str, int], dict[str, Any]]:
    clock, block_s = Clock(device), SMALL_BLOCK_S if small else BLOCK_S
    times: dict[tuple[str, int], list[float]] = {}
    counts: dict[tuple[str, int], int] = {}
    errors = {key: step for key, step in steps.items() if isinstance(step, str)}
    running: dict[tuple[str, int], Callable[[], object]] = {
        key: step for key, step in steps.items() if not isinstance(step, str)
    }
    for turn in range(ROUNDS + 1):
        for key, step in list(running.items()):
            try:
                if not turn:  # warm up, and see how many steps fill a block
                    clock(step, 2)
                    counts[key] = max(2, min(MAX_STEPS, int(block_s / (clock(step, 2) / 2))))
                    continue
                seconds = clock(step, counts[key]) / counts[key]
                times.setdefault(key, []).append(seconds)
            except Exception as error:
                errors[key] = _text(error)
                del running[key]
    found = {key: asdict(_rate(key[1], values)) for key, values in times.items()}
    return {key: found.get(key) or {"error": errors[key]} for key in steps}


@dataclass(frozen=True)
class _Rate:
    """Steps of a member a second, all members together: median, slowest and fastest round."""

    rate: float
    low: float
    high: float
    step_ms: float


def _rate(members: int, seconds: list[float]) -> _Rate:
    middle = statistics.median(seconds)
    return _Rate(members / middle, members / max(seconds), members / min(seconds), 1000 * middle)


def _text(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"


def _held(device: torch.device, *, reset: bool = False) -> int:
    if device.type != "cuda":
        return 0
    if reset:
        gc.collect()
        torch.cuda.reset_peak_memory_stats()
        return torch.cuda.memory_allocated()
    return torch.cuda.max_memory_allocated()


def _free(device: torch.device) -> None:
    gc.collect()
    if device.type == "cuda":
        torch.cuda.synchronize()
        torch.cuda.empty_cache()
