"""MFHCA: sizes that follow from the input, its parts one by one, and an encoder that it tunes."""

# Axis letters name tensor shapes.

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_data import TinyData
from tiny_encoder import STYLES, WIDTH, write_file
from torch import nn
from torch.nn.functional import adaptive_avg_pool1d, conv2d

from raysearch.features.extractor import StreamShape
from raysearch.features.ssl import Ssl, SslConfig
from raysearch.models.layers.cooperative import CooperativeAttention, LayerMixture
from raysearch.models.layers.grf import GlobalReceptiveField, MultiSpatialFusion, SpectralBranch
from raysearch.models.layers.spans import span_weights
from raysearch.models.mfhca import Mfhca, MfhcaConfig
from raysearch.spec import SearchSpec
from raysearch.training.data import Batch
from raysearch.training.learner import Learner
from raysearch.training.training_sections import SpecAugmentConfig, TrainingConfig

NUM_CLASSES = 3
MEL = StreamShape(40, 60)
FRAMES = StreamShape(WIDTH, 29, frames_per_second=50, kind="frames")
CLIP_SAMPLES = 9600  # 29 frames of the tiny encoder
SMALL = {"lstm_hidden": 16, "fusion_width": 8, "grf_width": 0.25}


def made(shapes=None, **fields):
    torch.manual_seed(0)
    config = MfhcaConfig(**{**SMALL, **fields})
    return Mfhca(config, shapes or {"mel": MEL, "ssl": FRAMES}, NUM_CLASSES)


def batch(num_rows=4, ssl=FRAMES, seed=0):
    generator = torch.Generator().manual_seed(seed)
    inputs = {
        stream: torch.randn(num_rows, shape.num_frames, shape.num_bins, generator=generator)
        for stream, shape in (("mel", MEL), ("ssl", ssl))
    }
    lengths = {stream: torch.full((num_rows,), x_BTF.shape[1]) for stream, x_BTF in inputs.items()}
    return inputs, lengths


def tuned(tmp_path, style="base", **fields):
    """Settings, shapes and model of a tiny encoder that is tuned."""
    stream = SslConfig(weights=str(write_file(tmp_path, style)), mode="tuned")
    shapes = {"mel": MEL, "ssl": Ssl(stream).shape(CLIP_SAMPLES / 16_000)}
    return stream, shapes, made(shapes, **fields)


def test_the_papers_sizes_fall_out_for_3_s_and_hubert_base():
    shapes = {
        "mel": StreamShape(128, 300),
        "ssl": Ssl(SslConfig(mode="tuned")).shape(3.0),
    }
    with torch.device("meta"):
        model = Mfhca(MfhcaConfig(), shapes, 4)
    assert model.spectral.num_features == 288
    assert model.cooperative.scores.weight.shape == (149, 288)
    assert model.cooperative.lstm.onward[0].weight_ih_l0.shape == (4 * 384, 768)
    assert model.cooperative.product.weight.shape == (768, 1024)
    assert model.cooperative.out.weight.shape == (128, 768)
    assert model.project.weight.shape == (128, 288)
    layers = [layer.weight.shape for layer in model.classifier if isinstance(layer, nn.Linear)]
    assert layers == [(128, 256), (128, 128), (4, 128)]
    # hubert-base has 94,371,712 with the embedding of masked frames, which pre-training used.
    assert sum(p.numel() for p in model.frames.encoder.parameters()) == 94_371_712 - 768


@pytest.mark.parametrize(
    "fields",
    [
        {"modality": "mel"},
        {"modality": "ssl"},
        {"multi_spatial": False},
        {"grf": False},
        {"cooperative": False},
        {"grf_width": 2.0, "attention_ratio": 8, "dilation": 4, "lstm_hidden": 48},
    ],
)
def test_every_part_can_be_left_out_or_resized(fields):
    whole, model = made(), made(**fields)
    inputs, lengths = batch()
    model(inputs, lengths).square().sum().backward()
    unreached = [n for n, p in model.named_parameters() if p.grad is None or not p.grad.any()]
    assert not unreached
    assert model.num_params != whole.num_params
    used = Mfhca.required_streams(model.config)
    only = {stream: inputs[stream] for stream in used}
    assert model.eval()(only, lengths).shape == (4, NUM_CLASSES)


def test_one_modality_needs_one_stream():
    settings = SearchSpec.load("mfhca", ["model.modality=mel"])
    assert set(settings.base.used_features) == {"mel"}
    settings = SearchSpec.load("mfhca", ["model.modality=ssl"])
    assert set(settings.base.used_features) == {"ssl"}


def test_padding_frames_are_never_read():
    model = made().eval()
    inputs, lengths = batch()
    lengths["ssl"] = torch.tensor([29, 5, 1, 17])
    before = model(inputs, lengths)
    for row, length in enumerate(lengths["ssl"].tolist()):
        inputs["ssl"][row, length:] = 1e3
    torch.testing.assert_close(model(inputs, lengths), before)
    longer = {**inputs, "ssl": inputs["ssl"][:, :17]}
    lengths["ssl"] = torch.tensor([17, 5, 1, 17])
    assert model(longer, lengths).isfinite().all()
    torch.testing.assert_close(model(longer, lengths)[1:], before[1:])


def test_columns_beyond_a_row_do_not_count_in_its_regions():
    branch = SpectralBranch((4, 4, 4), 8, 2, multi_spatial=True, grf=False).eval()
    x_BTF = torch.randn(1, 400, 40)
    padded_BTF = x_BTF.clone()
    padded_BTF[:, 300:] = 50.0
    length_B = torch.tensor([200])
    torch.testing.assert_close(branch(x_BTF, length_B), branch(padded_BTF, length_B))


def test_a_mixture_of_layers_begins_as_their_mean_and_is_learned():
    mixture, x_BTF = LayerMixture(3), torch.randn(2, 5, 12)
    layers = x_BTF.reshape(2, 5, 3, 4)  # layer by layer in the bins
    torch.testing.assert_close(mixture(x_BTF), layers.mean(dim=2))
    with torch.no_grad():
        mixture.scores_L.copy_(torch.tensor([0.0, 50.0, 0.0]))
    torch.testing.assert_close(mixture(x_BTF), layers[:, :, 1])
    shape = StreamShape(3 * WIDTH, 29, frames_per_second=50, kind="frames", num_layers=3)
    model = made({"mel": MEL, "ssl": shape})
    model(*batch(ssl=shape)).square().sum().backward()
    assert model.frames.mixture.scores_L.grad.any()
    assert made().frames.mixture.scores_L is None


@settings(deadline=None)
@given(st.integers(1, 40), st.integers(0, 20), st.integers(1, 40))
def test_spans_are_torchs_adaptive_pooling_of_the_valid_part(length, padding, num_spans):
    weights_ST = span_weights(torch.tensor([length]), length + padding, num_spans)[0]
    x_T = torch.randn(length + padding)
    expected_S = adaptive_avg_pool1d(x_T[None, None, :length], num_spans)[0, 0]
    torch.testing.assert_close(weights_ST @ x_T, expected_S)


def test_the_fusion_is_two_kernels_side_by_side():
    fusion, x_B1HW = MultiSpatialFusion(8).eval(), torch.randn(2, 1, 20, 30)
    tall, long = fusion.paths
    assert (tall.weight.shape, long.weight.shape) == ((4, 1, 10, 2), (4, 1, 2, 8))
    expected = torch.cat(
        [
            conv2d(x_B1HW, tall.weight, padding=(5, 1)),
            conv2d(x_B1HW, long.weight, padding=(1, 4)),
        ],
        dim=1,
    )
    found = fusion(x_B1HW)
    assert found.shape == (2, 8, 21, 31)
    torch.testing.assert_close(found, fusion.norm(expected).relu())


def test_a_grf_block_sees_the_whole_map():
    """One value changed in a corner reaches the far corner, which two 3x3 kernels would not."""
    h_BCHW = torch.randn(1, 4, 60, 90)
    changed_BCHW = h_BCHW.clone()
    changed_BCHW[:, :, :16, :16] += 5.0
    mask_BW = torch.ones(1, 90, dtype=torch.bool)
    reach = {}
    for dilation in (1, 4):
        block = GlobalReceptiveField(4, 8, dilation).eval()
        block.attention = nn.Module()  # its gates see the whole map, too
        block.attention.forward = lambda h, mask: h
        difference = (block(h_BCHW, mask_BW) - block(changed_BCHW, mask_BW)).abs()
        reach[dilation] = difference.sum(dim=(0, 1, 2)).nonzero().max().item()
    assert 20 < reach[1] < reach[4] <= 89


def test_scores_choose_the_frames():
    attention = CooperativeAttention(6, 10, 16, 4, num_features=3, product=True)
    assert attention.scores.weight.shape == (10, 3)
    x_BTF, lengths_B = torch.randn(2, 10, 6), torch.tensor([10, 4])
    with torch.no_grad():
        attention.scores.weight.zero_()
        attention.scores.bias.copy_(torch.tensor([-1.0] * 2 + [1.0] + [-1.0] * 7))
    state_BC = attention._state(x_BTF, lengths_B, torch.randn(2, 3))
    torch.testing.assert_close(state_BC, attention.lstm(x_BTF, lengths_B)[:, 2])


def test_a_fixed_mode_leaves_one_regime():
    for mode, bounds in (("frozen", (1e-5, 1e-3)), ("tuned", (3e-6, 1e-4))):
        space = SearchSpec.load("mfhca-gpu", [f"features.ssl.mode={mode}"]).space
        _, rate = space.parameter("training.learning_rate", {})
        assert (rate.low, rate.high) == bounds
        assert ("features.ssl.layer" not in space.fields) == (mode == "tuned")
        assert ("model.freeze_epochs" not in space.fields) == (mode == "frozen")


def test_a_tuned_encoder_starts_from_its_weights_and_waits(tmp_path):
    stream, _, model = tuned(tmp_path, freeze_epochs=1, backbone_rate=0.1)
    model.load_pretrained({"ssl": stream})
    waveform = torch.randn(1, CLIP_SAMPLES, 1) * 0.1
    with torch.no_grad():
        frames, count = model.eval().frames(waveform, torch.tensor([CLIP_SAMPLES]))
    frozen = Ssl(SslConfig(weights=stream.weights))([waveform[0, :, 0].numpy()])[0]
    torch.testing.assert_close(frames[0], torch.from_numpy(frozen), rtol=1e-4, atol=1e-4)
    assert count.tolist() == [29]
    assert [model.rate_factor("backbone", epoch) for epoch in (0, 1)] == [0.0, 0.1]
    assert model.rate_factor("rest", 0) == 1.0
    model.train().begin_epoch(0)
    assert (model.frames.encoder.training, model.classifier.training) == (False, True)
    model.train().begin_epoch(1)
    assert model.frames.encoder.training


def test_the_gradient_reaches_every_parameter_of_a_tuned_encoder(tmp_path):
    _, shapes, model = tuned(tmp_path)
    inputs, lengths = batch(ssl=shapes["ssl"])
    lengths["ssl"] = torch.tensor([CLIP_SAMPLES, 4000, 400, 10])
    model(inputs, lengths).square().sum().backward()
    unreached = [n for n, p in model.named_parameters() if p.grad is None or not p.grad.any()]
    # Its softmax takes a constant out of every score.
    assert all(name.endswith("k_proj.bias") for name in unreached)
    groups = model.parameter_groups()
    grouped = sorted(id(p) for params in groups.values() for p in params)
    assert grouped == sorted(id(p) for p in model.parameters())


class TwoStreams(TinyData):
    """TinyData with a waveform whose loudness tells the classes beside it."""

    def __init__(self, ssl_shape):
        super().__init__(num_train=12, num_validation=6, batch_size=6)
        self.shapes["ssl"], self.floors["ssl"] = ssl_shape, 0.0
        self.normalisation["ssl"] = (torch.zeros(1), torch.ones(1))

    def _batch(self, source, rows, num_global):
        found = super()._batch(source, rows, num_global)
        noise = torch.randn(len(rows), CLIP_SAMPLES, 1, generator=torch.Generator().manual_seed(0))
        found.inputs["ssl"] = noise * (1 + found.labels[:, None, None]) * 0.1
        found.lengths["ssl"] = torch.full((len(rows),), CLIP_SAMPLES)
        return Batch(found.inputs, found.lengths, found.labels, num_global, rows)


def test_a_learner_tunes_the_encoder_after_it_has_waited(tmp_path):
    stream, shapes, _ = tuned(tmp_path)
    learner = Learner(
        MfhcaConfig(**SMALL, freeze_epochs=1),
        TrainingConfig(epochs=2, learning_rate=1e-3, optimizer="adamw", precision="fp32"),
        SpecAugmentConfig(),
        TwoStreams(shapes["ssl"]),
        seed=1,
        device=torch.device("cpu"),
        features={"ssl": stream},
    )
    name = "network.encoder.transformer.layers.0.attention.v_proj.weight"
    history = [learner.model.frames.encoder.state_dict()[name].clone()]
    for _ in range(2):
        learner.run_epoch()
        history.append(learner.model.frames.encoder.state_dict()[name].clone())
    assert torch.equal(history[0], history[1])
    assert not torch.equal(history[1], history[2])
    learner.save(tmp_path / "checkpoint")
    # Where the file is not, the checkpoint's weights stand alone.
    (tmp_path / "encoder.pth").unlink()
    again = made(shapes)
    again.load_state_dict(learner.model.state_dict())
    torch.testing.assert_close(again.frames.encoder.state_dict()[name], history[2])


@pytest.mark.parametrize("style", STYLES)
def test_half_precision_arithmetic_is_near_the_whole(tmp_path, style):
    stream, shapes, _ = tuned(tmp_path, style)
    model = made(shapes).eval()
    model.load_pretrained({"ssl": stream})
    inputs, lengths = batch(ssl=shapes["ssl"])
    lengths["ssl"] = torch.tensor([CLIP_SAMPLES, 4000, 400, 10])
    whole = model(inputs, lengths)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        half = model(inputs, lengths)
    torch.testing.assert_close(half.float(), whole, rtol=0.1, atol=0.1)
