"""What a GPU does for a search: steps, tiers, features, slots and a whole trial, side by side.

    python tests/benchmarks/gpu_table.py --json gpu.json [--data EMODB] [--weights WHISPER]
    python tests/benchmarks/gpu_text.py gpu.json --output results/reference/gpu.md

Rows are measured one after the other, and the file is written anew after each: what fails or is out
of time says so in its row, and hides no other. ``--device cpu --small`` tries it out without a GPU.
"""

import argparse
import json
import os
import platform
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS.parent), str(TESTS / "gpu"), str(TESTS / "unit")]

import torch  # noqa: E402
from gpu_feeding import features, slots, tiers, whole_trial  # noqa: E402
from gpu_steps import SYSTEMS, TOO_LATE, compiled_ways, eager_ways  # noqa: E402

PARTS = ("steps", "tiers", "features", "slots", "trial", "compiled")
# Seconds that one row of a part may take.
LIMITS = {"steps": 45, "tiers": 40, "features": 60, "slots": 100, "trial": 120, "compiled": 75}
Row = Callable[[], Mapping[str, Any]]


def main() -> None:
    """Measure what is asked for, print a line a row, write the JSON."""
    options = _options()
    device = torch.device("cuda", 0) if options.device == "cuda" else torch.device("cpu")
    if device.type == "cuda" and not torch.cuda.is_available():
        sys.exit("torch sees no CUDA device: try --device cpu --small")
    torch.set_flush_denormal(True)  # as trials do
    deadline = time.monotonic() + 60 * options.minutes
    found: dict[str, Any] = {"facts": _facts(device, small=options.small)}
    with tempfile.TemporaryDirectory() as scratch:
        for part in [part for part in PARTS if part in options.only]:
            found[part] = {}
            for name, row in _rows(part, device, options, Path(scratch)):
                limit = min(LIMITS[part], deadline - time.monotonic())
                found[part][name] = _measured(row, limit)
                print(f"{part:9} {name:20} {_line(found[part][name])}", flush=True)
                if options.json:
                    options.json.write_text(json.dumps(found, indent=1) + "\n")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--small", action="store_true", help="tiny batches and few rounds: a try")
    parser.add_argument("--json", type=Path, help="what was found, written after each row")
    parser.add_argument("--data", type=Path, help="EMO-DB's folder, for a whole trial")
    parser.add_argument("--weights", type=Path, help="a Whisper's folder; else random ones")
    parser.add_argument("--minutes", type=float, default=6.0, help="after which no row begins")
    parser.add_argument(
        "--only", type=lambda text: text.split(","), default=PARTS, help=f"of {','.join(PARTS)}"
    )
    options = parser.parse_args()
    if unknown := set(options.only) - set(PARTS):
        parser.error(f"--only: no such part: {', '.join(sorted(unknown))}")
    return options


def _rows(
    part: str, device: torch.device, options: argparse.Namespace, scratch: Path
) -> Iterator[tuple[str, Row]]:
    """Names of a part's rows, and what measures each."""
    small = options.small
    if part in ("steps", "compiled"):
        ways = eager_ways if part == "steps" else compiled_ways
        for system in SYSTEMS:
            yield system, partial(ways, system, device, small=small)
    elif part == "tiers":
        for system in ("cnn", "emohrnet"):
            yield system, partial(tiers, system, device, small=small)
    elif part == "features":
        yield "whisper", partial(features, options.weights, device, small=small)
    elif part == "slots":
        for count in (1, 2) if small else (1, 2, 4):
            yield f"cnn x {count}", partial(slots, "cnn", count, device, small=small)
    elif options.data:
        places = [device, torch.device("cpu")] if device.type == "cuda" else [device]
        for place in places:
            limit = {"limit_s": float(LIMITS["trial"])}
            yield (
                f"on {place.type}",
                partial(whole_trial, options.data, place, scratch, small=small, **limit),
            )


def _measured(row: Row, limit_s: float) -> Mapping[str, Any]:
    """What ``row`` gives, or why it gave nothing."""
    if limit_s < 5:
        return {"error": "not begun: the time was up"}
    begun = time.monotonic()
    try:
        with _ended_after(limit_s):
            found = dict(row())
    except Exception as error:
        text = (str(error).splitlines() or [""])[0][:300]
        found = {"error": f"{type(error).__name__}: {text}"}
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    return {**found, "took_s": round(time.monotonic() - begun, 1)}


@contextmanager
def _ended_after(seconds: float) -> Iterator[None]:
    def late(number: int, frame: object) -> None:
        raise TimeoutError(f"{TOO_LATE} {seconds:.0f} s")

    signal.signal(signal.SIGALRM, late)
    signal.alarm(max(1, int(seconds)))
    try:
        yield
    finally:
        signal.alarm(0)


def _facts(device: torch.device, *, small: bool) -> Mapping[str, Any]:
    found: dict[str, Any] = {
        "device": device.type,
        "small": small,
        "cpus": len(os.sched_getaffinity(0)),
        "python": platform.python_version(),
        "versions": {name: version(name) for name in ("torch", "ray")},
    }
    if device.type == "cuda":
        card = torch.cuda.get_device_properties(device)
        found |= {
            "gpu": card.name,
            "memory_gib": card.total_memory / 2**30,
            "cuda": torch.version.cuda,
            "cudnn": torch.backends.cudnn.version(),
            "cudnn_tf32": torch.backends.cudnn.allow_tf32,
        }
    return found


def _line(row: Mapping[str, Any]) -> str:
    """The row's figures in short."""
    return "  ".join(f"{name}: {_short(value)}" for name, value in row.items())


def _short(value: Any) -> str:
    if isinstance(value, Mapping):
        keys = ("step_ms", "kernel_share", "memory_mib", "epoch_s", "error")
        shown = [f"{key} {_short(value[key])}" for key in keys if value.get(key) is not None]
        return "(" + ", ".join(shown) + ")"
    return f"{value:.3g}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    main()
