"""A GPU's training steps: the ways to compute them side by side, and what of them is computing.

Each system at its own ``-gpu`` space's sizes, with the real ``Learner``, on batches that lie on the
device, as the device tier has them.
"""

import statistics
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import torch
from random_streams import RandomStreams

from raysearch.features.extractor_table import build_extractor
from raysearch.spec import SearchSpec
from raysearch.training.learner import Learner

if TYPE_CHECKING:
    from raysearch.training.training_sections import TrainingConfig

# By what compiling them costs.
SYSTEMS = ("cnn", "ssl", "cnn1d_attention", "lstm", "resnet34", "mfhca", "emohrnet")
MAPS = ("cnn", "emohrnet", "resnet34", "mfhca")
SETTINGS = {
    "resnet34": ["model.pretrained=false"],
    "ssl": ["model.tune=frozen"],
    "mfhca": ["features.ssl.mode=frozen"],
}
ROUNDS, STEPS = 7, 20
BATCHES = 4
TOO_LATE = "not over after"


class Way:
    """One way to compute a system's steps, warmed up.

    Args:
        system: whose.
        device: where.
        small: batches of two short clips, for a try.
        mode: of ``torch.compile``, where the settings have no word for it.
        training: settings over the space's own.

    Attributes:
        batch: rows of a step.
        first_s: seconds of the first step, compiling included.
        memory_mib: the most that a step held, the net included; None on a CPU.
    """

    def __init__(
        self,
        system: str,
        device: torch.device,
        *,
        small: bool,
        mode: str | None = None,
        **training: Any,
    ) -> None:
        spec = SearchSpec.load(f"{system}-gpu", SETTINGS.get(system, []))
        base, self._device = spec.base, device
        given = {"mixup_alpha": 0.0}
        if small:
            given |= {"batch_size": 2, "clip_s": 0.5}
        settings: TrainingConfig = base.training.model_copy(update={**given, **training})
        self.batch = settings.batch_size
        shapes = {
            stream: build_extractor(config).shape(settings.clip_s)
            for stream, config in base.used_features.items()
        }
        data = RandomStreams(shapes, BATCHES * self.batch, 4, self.batch, device=device)
        before = _reset_memory(device)
        self._learner = Learner(
            base.model,
            settings,
            base.spec_augment,
            data,
            seed=1,
            device=device,
            features=base.used_features,
        )
        self._fit: Any = self._learner._fit
        if mode is not None:
            self._fit._network = torch.compile(self._learner.model, mode=mode)
        self._batches = list(data.train_batches(0))
        self._learner.model.train()
        self._learner.model.begin_epoch(0)
        self.first_s = self.seconds(1)
        for _ in range(2):  # graphs are recorded at the second and third call
            self.seconds(BATCHES)
        self.memory_mib = _memory(device, before)

    def seconds(self, steps: int) -> float:
        """Of so many steps, by the wall, the device having finished before and after."""
        _wait(self._device)
        begun = time.perf_counter()
        for number in range(steps):
            self._fit._step(self._batches[number % BATCHES])
        _wait(self._device)
        return time.perf_counter() - begun

    def kernel_ms(self, steps: int = 5) -> float | None:
        """Milliseconds of a step in which a kernel ran, of a GPU."""
        if self._device.type != "cuda":
            return None
        from torch.autograd import DeviceType
        from torch.profiler import ProfilerActivity, profile

        with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]) as seen:
            self.seconds(steps)
        kernels = [
            one.self_device_time_total
            for one in seen.key_averages()
            if one.device_type == DeviceType.CUDA and not one.is_user_annotation
        ]
        return sum(kernels) / 1000 / steps

    def close(self) -> None:
        """Free it."""
        del self._fit, self._batches
        self._learner.close()


def eager_ways(system: str, device: torch.device, *, small: bool) -> Mapping[str, Any]:
    """Float32, bfloat16, and maps that are not stored channels last."""
    kinds: dict[str, dict[str, Any]] = {
        "fp32": {"precision": "fp32"},
        "bf16": {"precision": "bf16"},
    }
    if system in MAPS:
        kinds["bf16, channels first"] = {"precision": "bf16", "channels_last": False}
    return _side_by_side(
        {
            name: lambda kind=kind: Way(system, device, small=small, **kind)
            for name, kind in kinds.items()
        },
        small=small,
        kernels=True,
    )


def compiled_ways(system: str, device: torch.device, *, small: bool) -> Mapping[str, Any]:
    """Bfloat16, the same compiled, and compiled into CUDA graphs."""
    ways: dict[str, Callable[[], Way]] = {
        "bf16": lambda: Way(system, device, small=small, precision="bf16"),
        "compiled": lambda: Way(system, device, small=small, precision="bf16", compile=True),
    }
    if device.type == "cuda":
        ways["graphs"] = lambda: Way(
            system, device, small=small, precision="bf16", mode="reduce-overhead"
        )
    found = _side_by_side(ways, small=small, kernels=False)
    torch.compiler.reset()
    return found


def _side_by_side(
    makes: Mapping[str, Callable[[], Way]], *, small: bool, kernels: bool
) -> Mapping[str, Any]:
    """Of each way median and extremes of a step, the ways taking turns; one may fail alone."""
    ways, found, late = {}, {}, False
    for name, make in makes.items():
        try:
            if late:
                raise TimeoutError("not begun")
            ways[name] = make()
        except Exception as error:
            # A compiler gives an alarm's error as one of its own.
            late = late or TOO_LATE in str(error)
            text = (str(error).splitlines() or [""])[0][:200]
            found[name] = {"error": f"{type(error).__name__}: {text}"}
    steps = 2 if small else STEPS
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(2 if small else ROUNDS):
        for name, way in ways.items():
            times[name].append(1000 * way.seconds(steps) / steps)
    for name, way in ways.items():
        median = statistics.median(times[name])
        found[name] = {
            "batch": way.batch,
            "step_ms": median,
            "lowest_ms": min(times[name]),
            "highest_ms": max(times[name]),
            "clips_per_s": 1000 * way.batch / median,
            "first_step_s": way.first_s,
            "memory_mib": way.memory_mib,
        }
        if kernels and (busy := way.kernel_ms()) is not None:
            found[name] |= {"kernel_ms": busy, "kernel_share": busy / median}
        way.close()
    return {name: found[name] for name in makes}


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _reset_memory(device: torch.device) -> int:
    if device.type != "cuda":
        return 0
    torch.cuda.reset_peak_memory_stats(device)
    return torch.cuda.memory_allocated(device)


def _memory(device: torch.device, before: int) -> float | None:
    if device.type != "cuda":
        return None
    return (torch.cuda.max_memory_allocated(device) - before) / 2**20
