"""A training step of each network beside the same network in a plain loop, on one CPU thread.

Each at its own space's sizes and batch, on batches of noise that lie in memory. Ours is a trial's
step, with its normalisation, its loss and its optimizer, channels last; the plain loop has batches
that were normalised beforehand, torch's cross-entropy and AdamW. Neither augments nor drops out,
and their losses must be equal, of the first step and of the second. In float32 and, where the CPU
multiplies it, in bfloat16 by autocast.

    python tests/benchmarks/train_step.py [--pairs 3] [--json FILE]
"""

import importlib.util
import itertools
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

sys.path.append(str(Path(__file__).resolve().parents[1] / "gpu"))

from bench_frame import Figure, Options, absent, alternate, at_least, equal, figure, ratio, timed
from bench_script import run_script
from random_streams import NOT_AUGMENTED, NUM_CLASSES, RandomStreams
from torch import Tensor
from torch.nn.functional import cross_entropy

from raysearch.config.identity import seed_from
from raysearch.features.extractor import StreamShape
from raysearch.features.extractor_table import build_extractor
from raysearch.models.model_table import build_model, model_config
from raysearch.spec import SearchSpec
from raysearch.training.learner import Learner

SYSTEMS = ("cnn", "cnn1d_attention", "emohrnet", "lstm", "resnet34", "mfhca", "ssl")
SETTINGS = {
    "resnet34": ["model.pretrained=false"],
    "ssl": ["model.tune=frozen"],
    "mfhca": ["features.ssl.mode=frozen"],
}
UNDROPPED = ("dropout", "input_dropout", "encoder_dropout")
BATCHES, SEED = 4, 1
TIMM, WIDTHS = "hrnet_w18_small", (8, 12, 16, 18, 24, 32, 40, 48)
# It takes no others than multiples of 32.
TIMM_BINS, TIMM_FRAMES = 64, 96
# Streams and lengths, as a network takes them.
Inputs = tuple[Mapping[str, Tensor], Mapping[str, Tensor]]
PLAIN = {
    "mixup_alpha": 0.0,
    "class_weight": "none",
    "schedule": "constant",
    "warmup_epochs": 0,
    "optimizer": "adamw",
    "gradient_clip": None,
    "epochs": 1000,
}


def measure(options: Options) -> list[Figure]:
    """Each network in each precision."""
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)  # as trials do
    able = torch.cpu.get_capabilities()
    fast = able.get("amx_bf16") or able.get("avx512_bf16")
    found: list[Figure] = []
    for precision in ("fp32", "bf16"):
        for system in SYSTEMS:
            if precision == "bf16" and not fast:
                why = "this CPU has no bfloat16"
                found.append(absent(f"{system}, bf16: of the plain loop", at_least(1.0), why))
            else:
                found += _of_system(system, precision, options)
    return [*found, *_timm(options)]


@dataclass
class Network:
    """A network at its own space's sizes, without what is drawn at random, and its batches."""

    system: str
    precision: str
    small: bool

    def __post_init__(self) -> None:
        base = SearchSpec.load(self.system, SETTINGS.get(self.system, [])).base
        told = {**PLAIN, "precision": self.precision, **({"batch_size": 4} if self.small else {})}
        self.training = base.training.model_copy(update=told)
        fields = {name: 0.0 for name in UNDROPPED if name in type(base.model).model_fields}
        self.model = base.model.model_copy(update=fields)
        self.features = base.used_features
        shapes = {
            stream: build_extractor(config).shape(self.training.clip_s)
            for stream, config in self.features.items()
        }
        batch = self.training.batch_size
        self.data = RandomStreams(shapes, BATCHES * batch, 4, batch)
        self.batches = list(self.data.train_batches(0))


class Trial:
    """A trial's step."""

    def __init__(self, network: Network) -> None:
        self._batches = itertools.cycle(network.batches)
        self.learner = Learner(
            network.model,
            network.training,
            NOT_AUGMENTED,
            network.data,
            seed=SEED,
            device=torch.device("cpu"),
            features=network.features,
        )
        self.learner.model.train()
        self.learner.model.begin_epoch(0)

    def step(self) -> float:
        """One batch; its mean loss."""
        batch = next(self._batches)
        return self.learner._fit._step(batch).item() / batch.num_global


class Plain:
    """A plain loop's step, on inputs that are normalised already."""

    def __init__(self, network: Network, inputs: Sequence[Inputs]) -> None:
        training, shapes = network.training, network.data.shapes
        self._bf16, self._smoothing = network.precision == "bf16", training.label_smoothing
        labels = [batch.labels for batch in network.batches]
        self._batches = itertools.cycle(zip(inputs, labels, strict=True))
        torch.manual_seed(seed_from(SEED, "init"))
        self._net = build_model(network.model, shapes, NUM_CLASSES)
        self._net.load_pretrained(network.features)
        self._net.train()
        self._net.begin_epoch(0)
        self._optimizer = torch.optim.AdamW(
            self._net.parameters(),
            lr=training.learning_rate,
            betas=(training.beta1, training.beta2),
            weight_decay=training.weight_decay,
        )

    def step(self) -> float:
        """One batch; its mean loss."""
        inputs, labels_B = next(self._batches)
        self._optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=self._bf16):
            logits_BK = self._net(*inputs)
        loss = cross_entropy(logits_BK.float(), labels_B, label_smoothing=self._smoothing)
        penalty = self._net.penalty()
        (loss if penalty is None else loss + penalty).backward()
        self._optimizer.step()
        return loss.item()


def _of_system(system: str, precision: str, options: Options) -> list[Figure]:
    network = Network(system, precision, options.small)
    trial = Trial(network)
    plain = Plain(network, [trial.learner._normaliser(batch) for batch in network.batches])
    name = f"{system}, {precision}"
    # The first is of the weights as they were, the second after a step: Adam's first step is as
    # large for a gradient of nearly nothing, whose sign the order of sums may decide.
    tolerances = (1e-3, 2e-2) if precision == "fp32" else (2e-2, 2e-1)
    for number, tolerance in enumerate(tolerances, 1):
        equal(f"{name}: losses of step {number}", [trial.step()], [plain.step()], tolerance)
    steps = 2 if options.small else 12

    def seconds(step: Callable[[], float]) -> Callable[[int], float]:
        return lambda _: timed(lambda: [step() for _ in range(steps)]) / steps

    ways = {"ours": seconds(trial.step), "plain": seconds(plain.step)}
    times = alternate(ways, options.pairs)
    return [
        ratio(f"{name}: speed, of the plain loop", times["plain"], times["ours"], at_least(1.0)),
        figure(f"{name}: a trial's step", "ms", [1000 * one for one in times["ours"]]),
    ]


def _timm(options: Options) -> list[Figure]:
    """emohrnet beside timm's network of the same kind and about as many parameters."""
    name = f"emohrnet: speed, of timm's {TIMM}"
    if importlib.util.find_spec("timm") is None:
        return [absent(name, at_least(1.0), "timm is not installed")]
    import timm  # not among raysearch's dependencies

    theirs = timm.create_model(TIMM, pretrained=False, in_chans=1, num_classes=NUM_CLASSES)
    wanted = sum(one.numel() for one in theirs.parameters())
    shapes = {"mel": StreamShape(TIMM_BINS, TIMM_FRAMES)}
    nets = [
        build_model(model_config({"name": "emohrnet", "branches": 4, "width": n}), shapes, 4)
        for n in WIDTHS
    ]
    ours = min(nets, key=lambda net: abs(net.num_params - wanted))
    batch = 4 if options.small else 16
    x_BTF = torch.randn(batch, TIMM_FRAMES, TIMM_BINS)
    lengths_B = torch.full((batch,), TIMM_FRAMES)
    labels_B = torch.arange(batch) % NUM_CLASSES
    acts = {
        "ours": lambda _: cross_entropy(ours({"mel": x_BTF}, {"mel": lengths_B}), labels_B),
        "timm": lambda _: cross_entropy(theirs(x_BTF.transpose(1, 2)[:, None]), labels_B),
    }
    for network in (ours, theirs):
        network.train().to(memory_format=torch.channels_last)
    ways = {way: lambda n, act=act: timed(lambda: act(n).backward()) for way, act in acts.items()}
    alternate(ways, 1)
    times = alternate(ways, options.pairs)
    rates = {way: [1 / seconds for seconds in found] for way, found in times.items()}
    millions = [number / 1e6 for number in (ours.num_params, wanted)]
    return [
        ratio(name, rates["ours"], rates["timm"], at_least(1.0)),
        figure("millions of parameters, ours and timm's", "M", millions),
    ]


if __name__ == "__main__":
    run_script("train_step", __doc__, measure)
