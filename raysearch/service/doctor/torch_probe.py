"""Run by itself in a process of its own: what torch sees, as one line of JSON.

Its text is sent to the machines that are asked, so it imports nothing of raysearch. A process of
its own: CUDA may hang or crash, and what it takes of the memory is given back at once.
"""

import json
import warnings
from typing import Any

__all__ = ["look"]


def look() -> dict[str, object]:
    """Gather the facts of ``raysearch.service.doctor.facts.TorchFacts``."""
    try:
        import torch  # whether it can be is what is asked
    except Exception as error:
        return {"error": _line(error)}
    found: dict[str, object] = {"error": None, "audio_error": None, "cuda_warning": None}
    try:
        import torchaudio  # noqa: F401
    except Exception as error:
        found["audio_error"] = _line(error)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found["gpus"] = [_gpu(torch, index) for index in range(_usable(torch))]
    if caught:
        found["cuda_warning"] = _line(caught[0].message)
    return found


def _usable(torch: Any) -> int:
    return int(torch.cuda.device_count()) if torch.cuda.is_available() else 0


def _gpu(torch: Any, index: int) -> dict[str, object]:
    device = torch.cuda.get_device_properties(index)
    found = {"name": device.name, "memory_gib": device.total_memory / 2**30, "error": None}
    try:
        ones = torch.ones(256, 256, device=f"cuda:{index}")
        if float((ones @ ones).sum()) != 256.0**3:
            found["error"] = "a product of ones came out wrong"
    except Exception as error:
        found["error"] = _line(error)
    return found


def _line(error: object) -> str:
    text = str(error).strip()
    return text.splitlines()[0] if text else type(error).__name__


if __name__ == "__main__":
    print(json.dumps(look()))
