"""What trials gain by being packed: n of them as one network on one device.

    python tests/benchmarks/gpu_packing.py --device cuda --json packing.json
    python tests/benchmarks/gpu_packing.py --device cpu --small

Each part runs in a process of its own, the important ones first, until the time is over: an error
in one harms no other, and what is measured is written at once. ``--markdown`` writes the table.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from packing_equality import deviation
from packing_measure import Part, rows_of
from packing_processes import process_rows
from packing_text import markdown
from packing_work import SMALL

NUMBERS = (8, 32, 4, 16, 2, 1)
PROCESSES, SMALL_PROCESSES = 8, 2
PART_S = 90  # no part may take all the time


def _groups(
    numbers: tuple[int, ...], ways: tuple[str, ...], streams: tuple[int, ...] = ()
) -> tuple[tuple[tuple[str, int], ...], ...]:
    """Ways in turns for each number of members; then streams, whose captures are the riskiest."""
    packed = [tuple((way, number) for way in ways) for number in numbers]
    return (*packed, *((("streams, graph", number),) for number in streams))


BOTH, GRAPH = ("packed", "packed, graph"), ("packed, graph",)
MATRICES = "packed, matrices, graph"
COMPILED = ("packed, graph", "packed, compiled, graph")
PARTS = (
    Part("cnn", "cnn-gpu", "bf16", _groups(NUMBERS, BOTH, (8, 32, 16))),
    Part("emohrnet", "emohrnet", "bf16", _groups((8, 32), (*BOTH, MATRICES), (8, 32))),
    Part("lstm", "lstm-gpu", "bf16", _groups((8, 32), GRAPH, (8, 32))),
    Part("cnn1d", "cnn1d_attention-gpu", "bf16", _groups((8, 32), BOTH, (8, 32))),
    Part("ssl", "ssl", "bf16", _groups((8, 32), BOTH, (8,))),
    Part("cnn compiled", "cnn-gpu", "bf16", _groups((8,), COMPILED)),
    Part("cnn matrices", "cnn-gpu", "bf16", _groups((8, 32), (*GRAPH, MATRICES))),
    Part("cnn tuned", "cnn-gpu", "bf16", _groups((8, 32), GRAPH), tuned=True),
    Part("cnn fp32", "cnn-gpu", "fp32", _groups((8, 32), GRAPH, (8,))),
    Part("emohrnet-gpu", "emohrnet-gpu", "bf16", _groups((8, 32), GRAPH, (8,))),
)
ORDER = ("equality", "cnn", "processes", *(part.name for part in PARTS[1:]))


def main() -> None:
    """Measure the parts, or one of them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--small", action="store_true", help="tiny networks, to try it out")
    parser.add_argument("--json", type=Path, help="where all figures go")
    parser.add_argument("--markdown", type=Path, help="where the table goes")
    parser.add_argument("--only", help="parts, separated by commas", default=",".join(ORDER))
    parser.add_argument("--deadline", type=float, default=300, help="seconds for everything")
    parser.add_argument("--part", choices=ORDER, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.part:
        torch.set_num_threads(1)
        for row in _part_rows(arguments.part, arguments.device, arguments.small):
            print(json.dumps(row), flush=True)
        return
    names = arguments.only.split(",")
    unknown = sorted(set(names) - set(ORDER))
    if unknown:
        parser.error(f"no part {', '.join(unknown)}; there are: {', '.join(ORDER)}")
    _measure(arguments, names)


def _measure(arguments: argparse.Namespace, names: list[str]) -> None:
    begun = time.monotonic()
    figures: dict[str, Any] = {"facts": _facts(arguments), "rows": [], "parts": {}}
    for name in names:
        left = arguments.deadline - (time.monotonic() - begun)
        started = time.monotonic()
        if left > 5:
            rows, how = _run_part(name, arguments, min(left, PART_S))
        else:
            rows, how = [], "not begun: no time left"
        figures["rows"] += rows
        figures["parts"][name] = {"seconds": round(time.monotonic() - started, 1), "ended": how}
        print(f"{name}: {len(rows)} rows, {figures['parts'][name]}", flush=True)
        if arguments.json:
            arguments.json.write_text(json.dumps(figures, indent=1) + "\n")
    text = markdown(figures)
    print(text)
    if arguments.markdown:
        arguments.markdown.write_text(text)


def _run_part(
    name: str, arguments: argparse.Namespace, seconds: float
) -> tuple[list[dict[str, Any]], str]:
    """The rows that a part printed before it ended or its time was over, and how it ended."""
    command = [sys.executable, __file__, "--part", name, "--device", arguments.device]
    try:
        done = subprocess.run(
            command + ["--small"] * arguments.small,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        printed = error.stdout or b""
        text = printed.decode() if isinstance(printed, bytes) else printed
        return _rows(text), f"stopped after {seconds:.0f} s"
    how = "whole" if done.returncode == 0 else f"failed: {done.stderr.strip()[-600:]}"
    return _rows(done.stdout), how


def _rows(text: str) -> list[dict[str, Any]]:
    whole = text[: text.rfind("\n") + 1]
    return [json.loads(line) for line in whole.splitlines() if line.startswith("{")]


def _part_rows(name: str, device_name: str, small: bool) -> Iterator[dict[str, Any]]:
    device = torch.device(device_name)
    if name == "processes":
        count = SMALL_PROCESSES if small else PROCESSES
        yield from process_rows("cnn-gpu", "bf16", device_name, small=small, processes=count)
    elif name == "equality":
        # In float32 proper: TensorFloat-32 would hide what is asked.
        torch.backends.cudnn.allow_tf32 = False
        for system in SMALL:
            try:
                yield {"part": name, **deviation(system, device, small=small)}
            except Exception as error:
                yield {"part": name, "system": system, "error": f"{error!r:.300}"}
    else:
        (part,) = (part for part in PARTS if part.name == name)
        yield from rows_of(part, device, small=small)


def _facts(arguments: argparse.Namespace) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "device": arguments.device,
        "small": arguments.small,
        "cpus": os.cpu_count(),
        "python": platform.python_version(),
        "torch": torch.__version__,
    }
    if arguments.device == "cuda":
        # Asked of another process, so that this one holds no memory of the device.
        code = "import torch; print(torch.cuda.get_device_name(), torch.version.cuda)"
        asked = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=False
        )
        facts["device"] = asked.stdout.strip() or "cuda, but torch finds none"
    return facts


if __name__ == "__main__":
    main()
