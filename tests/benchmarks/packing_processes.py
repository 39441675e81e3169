"""Several processes that share a device, each with one trial: what a search does without packing.

Each is this file, started with a system; it builds its trial, says so, and then steps for so many
seconds whenever it is told to. No service that shares the device between them is started.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import torch
from packing_measure import ROUNDS
from packing_ways import Lone, Step, captured
from packing_work import Work

__all__ = ["process_rows"]

SECONDS, SMALL_SECONDS = 0.5, 0.1
WAYS = ("lone", "lone, graph")


def process_rows(
    system: str, precision: str, device: str, *, small: bool, processes: int
) -> Iterator[dict[str, Any]]:
    """Rows of 1, 2, 4... ``processes`` processes; the ways and numbers take turns."""
    command = [sys.executable, __file__, system, precision, device]
    workers = [
        subprocess.Popen(
            command + ["--small"] * small,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(processes)
    ]
    try:
        for worker in workers:
            _answer(worker)
        yield from _rounds(workers, {"system": system, "precision": precision}, small)
    finally:
        for worker in workers:
            worker.kill()
            worker.communicate()


def _rounds(
    workers: list["subprocess.Popen[str]"], facts: dict[str, Any], small: bool
) -> Iterator[dict[str, Any]]:
    seconds = SMALL_SECONDS if small else SECONDS
    numbers = [2**i for i in range(len(workers).bit_length()) if 2**i <= len(workers)]
    rates: dict[tuple[str, int], list[float]] = {}
    for _ in range(2 if small else ROUNDS):
        for number in numbers:
            for way in WAYS:
                for worker in workers[:number]:
                    _tell(worker, f"{way};{seconds}")
                rate = sum(float(_answer(worker)) for worker in workers[:number])
                rates.setdefault((way, number), []).append(rate)
    for (way, number), found in rates.items():
        found.sort()
        yield {
            "part": "processes",
            **facts,
            "way": f"processes, {way}",
            "members": number,
            "beside": len(workers),
            "rate": found[len(found) // 2],
            "low": found[0],
            "high": found[-1],
            "step_ms": 1000 * number / found[len(found) // 2],
        }


def _tell(worker: "subprocess.Popen[str]", line: str) -> None:
    assert worker.stdin is not None
    worker.stdin.write(line + "\n")
    worker.stdin.flush()


def _answer(worker: "subprocess.Popen[str]") -> str:
    assert worker.stdout is not None
    line = worker.stdout.readline().strip()
    if not line or line.startswith("{"):
        raise RuntimeError(json.loads(line)["error"] if line else "a process ended")
    return line


def _steps_a_second(step: Step, seconds: float, device: torch.device) -> float:
    begun, count = time.perf_counter(), 0
    while time.perf_counter() - begun < seconds:
        for _ in range(10):
            step()
        count += 10
        if device.type == "cuda":
            torch.cuda.synchronize()
    return count / (time.perf_counter() - begun)


def main() -> None:
    """Serve one trial."""
    parser = argparse.ArgumentParser()
    parser.add_argument("system")
    parser.add_argument("precision")
    parser.add_argument("device")
    parser.add_argument("--small", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    device = torch.device(arguments.device)
    work = Work(arguments.system, device, arguments.precision, small=arguments.small)
    cuda = device.type == "cuda"
    steps = {"lone": Lone(work, 0), "lone, graph": captured(Lone(work, 0, capturable=cuda), device)}
    for step in steps.values():
        _steps_a_second(step, 0.1, device)
    print("ready", flush=True)
    for line in sys.stdin:
        way, seconds = line.split(";")
        print(_steps_a_second(steps[way], float(seconds), device), flush=True)


if __name__ == "__main__":
    main()
