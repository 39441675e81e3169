"""MFHCA with Whisper in HuBERT's place: any width, frozen and tuned, and labelled a variant."""

# Axis letters name tensor shapes.

import json

import pytest
import tiny_whisper
import torch
from tiny_whisper import MAX_FRAMES, WIDTH

from raysearch.cli.described_systems import describe
from raysearch.features.extractor import StreamShape
from raysearch.features.ssl import Ssl, SslConfig
from raysearch.models.mfhca import Mfhca, MfhcaConfig
from raysearch.prerequisites import check_prerequisites
from raysearch.spec import SearchSpec

MEL = StreamShape(40, 60)
CLIP_SAMPLES = 9600
SMALL = MfhcaConfig(lstm_hidden=16, fusion_width=8, grf_width=0.25)


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    folder = tmp_path_factory.mktemp("w")
    return tiny_whisper.write_ctranslate2(folder, tiny_whisper.ctranslate2(tiny_whisper.openai()))


def made(path, **fields):
    stream = SslConfig(weights=str(path), **fields)
    shapes = {"mel": MEL, "ssl": Ssl(stream).shape(CLIP_SAMPLES / 16_000)}
    torch.manual_seed(0)
    model = Mfhca(SMALL, shapes, 3)
    model.load_pretrained({"ssl": stream})
    return model, shapes["ssl"]


@pytest.mark.parametrize("layer", ["last", 2, "weighted"])
def test_a_frozen_whisper_is_read(path, layer):
    model, shape = made(path, layer=layer)
    assert (shape.num_frames, shape.num_bins // shape.num_layers) == (30, WIDTH)
    inputs = {"mel": torch.randn(2, 60, 40), "ssl": torch.randn(2, 30, shape.num_bins)}
    lengths = {"mel": torch.tensor([60, 30]), "ssl": torch.tensor([30, 9])}
    assert model(inputs, lengths).shape == (2, 3)


def test_a_tuned_whisper_learns(path):
    model, _ = made(path, mode="tuned")
    inputs = {"mel": torch.randn(3, 60, 40), "ssl": torch.randn(3, CLIP_SAMPLES, 1) * 0.1}
    lengths = {"mel": torch.tensor([60, 30, 2]), "ssl": torch.tensor([CLIP_SAMPLES, 4000, 10])}
    model(inputs, lengths).square().sum().backward()
    unreached = [n for n, p in model.named_parameters() if p.grad is None or not p.grad.any()]
    assert not unreached
    backbone = {id(param) for param in model.parameter_groups()["backbone"]}
    names = {name for name, param in model.named_parameters() if id(param) in backbone}
    assert sum("layers.1.attention.q_proj" in name for name in names) == 2
    assert not any("positions" in name for name in names)


def test_the_shipped_space_takes_whisper_and_calls_it_a_variant(path):
    spec = SearchSpec.load("mfhca", [f"features.ssl.weights={path}"])
    check_prerequisites(spec)
    assert spec.variant == f"Whisper (3 layers of {WIDTH}) in HuBERT-base's place"
    found = describe("mfhca", [f"features.ssl.weights={path}"])
    assert (found.variant, found.weights) == (spec.variant, "found")
    assert SearchSpec.load("mfhca").variant == ""
    lacking = describe("mfhca", [])
    assert lacking.variant == ""
    for form in ("OpenAI's .pt", "openai/whisper-tiny", "CTranslate2"):
        assert form in lacking.weights


def test_the_stream_tells_the_model_the_encoder_as_json(path):
    shape = Ssl(SslConfig(weights=str(path), mode="tuned")).shape(1.0)
    told = json.loads(shape.encoder)
    assert told["sizes"]["family"] == "whisper"
    assert told["sizes"]["max_frames"] == MAX_FRAMES
