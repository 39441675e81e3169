"""The encoder probe: what is stored for it, and what learns of an encoder."""

import numpy as np
import pytest
import tiny_encoder
import tiny_whisper
import torch
from tiny_data import TinyData
from tiny_encoder import NUM_LAYERS, STYLES, WIDTH

from raysearch.features.extractor import StreamShape
from raysearch.features.ssl import Ssl, SslConfig
from raysearch.models.encoder_probe import EncoderProbe, EncoderProbeConfig
from raysearch.models.layers.side_statistics import masked_mean_std
from raysearch.models.layers.ssl_frames import layer_at
from raysearch.models.layers.statistics_pooling import StatisticsPooling
from raysearch.spec import SearchSpec
from raysearch.training.checkpoint import load_tensors, load_weights, save_tensors
from raysearch.training.data import Batch
from raysearch.training.learner import Learner
from raysearch.training.training_sections import SpecAugmentConfig, TrainingConfig

NUM_CLASSES = 3


CLIP_SAMPLES = 9600  # 29 frames of the tiny encoder


TUNED = ("last_n", "lora", "all")


ENCODERS = (*STYLES, "whisper")


LENGTHS = [CLIP_SAMPLES, 4000, 400, 10]


WEIGHTED = StreamShape(3 * WIDTH, 29, frames_per_second=50, kind="frames", num_layers=3)


def write_file(folder, style="base"):
    if style == "whisper":
        return tiny_whisper.write_openai(folder / "tiny.pt", tiny_whisper.openai())
    return tiny_encoder.write_file(folder, style)


def made(shape, seed=0, **fields):
    torch.manual_seed(seed)
    fields = {"depth": "mixture", **fields}
    return EncoderProbe(EncoderProbeConfig(**fields), {"ssl": shape}, NUM_CLASSES)


def tuned(folder, style="base", layer="weighted", **fields):
    """Settings and model of a tiny encoder that is tuned, its weights loaded."""
    stream = SslConfig(weights=str(write_file(folder, style)), mode="tuned", layer=layer)
    model = made(Ssl(stream).shape(CLIP_SAMPLES / 16_000), **fields)
    model.load_pretrained({"ssl": stream})
    return stream, model


def waveforms(num_rows=4):
    generator = torch.Generator().manual_seed(0)
    return 0.1 * torch.randn(num_rows, CLIP_SAMPLES, 1, generator=generator)


def run(model, x_BTF, lengths):
    return model({"ssl": x_BTF}, {"ssl": torch.tensor(lengths)})


def learned(model):
    return {name for name, param in model.named_parameters() if param.requires_grad}


def noise(num_samples, seed=0):
    return np.random.default_rng(seed).normal(0, 0.1, num_samples).astype(np.float32)


@pytest.mark.parametrize("layer", ["last", 2, "weighted"])
def test_stored_statistics_are_those_of_the_frames(tmp_path, layer):
    path = str(write_file(tmp_path))
    pooled = Ssl(SslConfig(weights=path, layer=layer, pool="mean_std"))
    (frames_TF,) = Ssl(SslConfig(weights=path, layer=layer))([noise(9000)])
    (row,) = pooled([noise(9000)])
    shape = pooled.shape(3.0)
    assert (shape.kind, shape.num_frames, shape.num_bins) == ("vector", 1, row.shape[1])
    assert row.shape == (1, 2 * frames_TF.shape[1])
    blocks = row.reshape(shape.num_layers, 2, WIDTH)
    layers_TLW = frames_TF.reshape(len(frames_TF), shape.num_layers, WIDTH)
    np.testing.assert_allclose(blocks[:, 0], layers_TLW.mean(0), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(blocks[:, 1], layers_TLW.std(0), rtol=1e-4, atol=1e-5)


def test_statistics_and_frames_are_other_features(tmp_path):
    path = str(write_file(tmp_path))
    frames, pooled = (SslConfig(weights=path, pool=pool) for pool in ("none", "mean_std"))
    assert frames.identity() != pooled.identity()


@pytest.mark.parametrize("pooling", ["mean", "mean_std", "attentive"])
@pytest.mark.parametrize("hidden", [0, 16])
def test_padding_frames_are_never_read(pooling, hidden):
    model = made(WEIGHTED, pooling=pooling, hidden=hidden).eval()
    x_BTF = torch.randn(4, 29, 3 * WIDTH)
    lengths = [29, 5, 1, 17]
    before = run(model, x_BTF, lengths)
    for row, length in enumerate(lengths):
        x_BTF[row, length:] = 1e3
    torch.testing.assert_close(run(model, x_BTF, lengths), before)
    torch.testing.assert_close(run(model, x_BTF[1:, :17], lengths[1:]), before[1:])


def test_attentive_pooling_is_weighted_mean_and_deviation():
    pool = StatisticsPooling("attentive", 6, 4)
    x_BTF, lengths_B = torch.randn(3, 9, 6), torch.tensor([9, 4, 1])
    with torch.no_grad():
        pool.score[2].weight.zero_()
    # Equal scores are no attention.
    torch.testing.assert_close(pool(x_BTF, lengths_B), masked_mean_std(x_BTF, lengths_B))
    with torch.no_grad():
        pool.score[0].weight.copy_(torch.eye(4, 6))
        pool.score[0].bias.zero_()
        pool.score[2].weight.copy_(torch.tensor([[200.0, 0, 0, 0]]))
    x_BTF[:, :, 0] = -1.0
    x_BTF[:, 0, 0] = 1.0
    # One frame with all of the weight is the mean, and has no spread.
    found_B2F = pool(x_BTF, lengths_B)
    torch.testing.assert_close(found_B2F[:, :6], x_BTF[:, 0])
    assert found_B2F[:, 6:].max() < 0.01


def test_a_vector_is_mixed_over_its_layers():
    shape = StreamShape(3 * 2 * WIDTH, 1, frames_per_second=0, kind="vector", num_layers=3)
    x_BTF = torch.randn(4, 1, shape.num_bins)
    for pooling, width in (("mean_std", 2 * WIDTH), ("mean", WIDTH)):
        model = made(shape, pooling=pooling).eval()
        mean_BF = x_BTF.reshape(4, 3, 2 * WIDTH).mean(dim=1)[:, :width]
        torch.testing.assert_close(run(model, x_BTF, [1] * 4), model.classifier(mean_BF))
        run(model, x_BTF, [1] * 4).square().sum().backward()
        assert model.frames.mixture.scores_L.grad.any()


@pytest.mark.parametrize("style", ENCODERS)
@pytest.mark.parametrize("tune", TUNED)
def test_a_tuned_row_does_not_depend_on_its_padding(tmp_path, style, tune):
    _, model = tuned(tmp_path, style, tune=tune, pooling="attentive")
    x_BN1 = waveforms()
    together = run(model.eval(), x_BN1, LENGTHS)
    x_BN1[1, 4000:] = 9.0
    alone = run(model, x_BN1[1:2, :4500], [4000])
    torch.testing.assert_close(alone, together[1:2], rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("style", ENCODERS)
def test_low_rank_updates_begin_as_nothing(tmp_path, style):
    _, plain = tuned(tmp_path, style, tune="all")
    _, model = tuned(tmp_path, style, tune="lora", lora_rank=2)
    model.classifier.load_state_dict(plain.classifier.state_dict())
    before = run(plain.eval(), waveforms(), LENGTHS)
    torch.testing.assert_close(run(model.eval(), waveforms(), LENGTHS), before)
    with torch.no_grad():
        for up in model.frames.updates.up:
            up.normal_()
    assert not torch.allclose(run(model, waveforms(), LENGTHS), before, atol=1e-3)


def test_an_update_is_of_queries_and_values_alone(tmp_path):
    """Joined as WavLM has them, the rows of the keys stay; alpha / r scales."""
    _, model = tuned(tmp_path, "wavlm", tune="lora", lora_rank=2, lora_alpha=6.0)
    updates, encoder = model.frames.updates, model.frames.encoder
    with torch.no_grad():
        updates.up[0].fill_(1.0)
    weights = updates.updated(encoder)
    assert len(weights) == NUM_LAYERS
    name, weight = next(iter(weights.items()))
    delta = (weight - encoder.get_parameter(name)).reshape(3, WIDTH, WIDTH)
    assert not delta[1].any()
    for part, down_RI in zip((0, 2), updates.down[0], strict=True):
        expected = 3.0 * down_RI.sum(0).expand(WIDTH, -1)
        torch.testing.assert_close(delta[part], expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("style", ENCODERS)
def test_what_learns_is_what_was_asked_for(tmp_path, style):
    head = {"classifier.1.weight", "classifier.1.bias"}
    encoder, mixture = "frames.encoder.", {"frames.mixture.scores_L"}
    _, model = tuned(tmp_path, style, tune="all")
    assert {n for n, _ in model.named_parameters()} == learned(model)
    _, model = tuned(tmp_path, style, tune="lora")
    assert not any(name.startswith(encoder) for name in learned(model))
    assert learned(model) - head - mixture == {
        n for n, _ in model.named_parameters() if n.startswith("frames.updates.")
    }
    _, model = tuned(tmp_path, style, tune="last_n", last_n=2)
    assert learned(model) - head - mixture == {
        name for name, _ in model.named_parameters() if ".layers.1." in name or ".layers.2." in name
    }
    _, model = tuned(tmp_path, style, layer=2, tune="last_n", last_n=1)
    assert learned(model) - head == {
        name for name, _ in model.named_parameters() if ".layers.1." in name
    }


@pytest.mark.parametrize("style", ["base", "wavlm", "whisper"])
@pytest.mark.parametrize("tune", TUNED)
def test_the_gradient_reaches_all_that_learns(tmp_path, style, tune):
    _, model = tuned(tmp_path, style, tune=tune, last_n=9)
    for up in model.frames.updates.up if model.frames.updates else ():
        torch.nn.init.normal_(up)
    run(model, waveforms(), LENGTHS).square().sum().backward()
    unreached = {n for n, p in model.named_parameters() if p.requires_grad and p.grad is None}
    unreached |= {n for n, p in model.named_parameters() if p.requires_grad and not p.grad.any()}
    # Its softmax takes a constant out of every score.
    assert all(name.endswith("k_proj.bias") for name in unreached)
    groups = model.parameter_groups()
    assert set(groups) == {"encoder", "head"}
    grouped = sorted(id(p) for params in groups.values() for p in params)
    assert grouped == sorted(id(p) for p in model.parameters() if p.requires_grad)
    assert model.rate_factor("encoder", 0) == model.config.encoder_rate
    assert model.rate_factor("head", 0) == 1.0


class Waveforms(TinyData):
    """TinyData's rows as a waveform whose loudness tells the classes."""

    def __init__(self, shape):
        super().__init__(num_train=12, num_validation=6, batch_size=6)
        self.shapes, self.floors = {"ssl": shape}, {"ssl": 0.0}
        self.normalisation = {"ssl": (torch.zeros(1), torch.ones(1))}

    def _batch(self, source, rows, num_global):
        labels = source[2][rows]
        x_BN1 = waveforms(len(rows)) * (1 + labels[:, None, None])
        lengths = torch.full((len(rows),), CLIP_SAMPLES)
        return Batch({"ssl": x_BN1}, {"ssl": lengths}, labels, num_global, rows)


@pytest.mark.parametrize("tune", ["last_n", "lora"])
def test_a_learner_moves_only_what_learns_and_its_checkpoint_stands_alone(tmp_path, tune):
    stream, model = tuned(tmp_path, tune=tune, last_n=1)
    shape = Ssl(stream).shape(CLIP_SAMPLES / 16_000)
    learner = Learner(
        model.config,
        TrainingConfig(epochs=1, learning_rate=1e-2, optimizer="adamw", precision="fp32"),
        SpecAugmentConfig(),
        Waveforms(shape),
        seed=1,
        device=torch.device("cpu"),
        features={"ssl": stream},
    )
    learner.run_epoch()
    before, after = dict(model.named_parameters()), dict(learner.model.named_parameters())
    encoder = {name for name in before if name.startswith("frames.encoder.")}
    moved = {name for name in encoder if not torch.equal(before[name], after[name])}
    assert moved <= learned(model)
    assert bool(moved) == (tune == "last_n")
    save_tensors(tmp_path / "w.safetensors", learner.model.state_dict())
    # Where the encoder's file is not, the checkpoint's weights stand alone.
    (tmp_path / "encoder.pth").unlink()
    again = made(shape, seed=5, **model.config.model_dump())
    load_weights(again, load_tensors(tmp_path / "w.safetensors"), "w")
    expected = run(learner.model.eval(), waveforms(), LENGTHS)
    assert torch.equal(run(again.eval(), waveforms(), LENGTHS), expected)


def test_a_frozen_encoder_is_no_part_of_the_network(tmp_path):
    path = str(write_file(tmp_path))
    spec = SearchSpec.load("ssl", [f"features.ssl.weights={path}"])
    shape = Ssl(spec.base.used_features["ssl"]).shape(3.0)
    for depth, num_mixed in (("mixture", NUM_LAYERS), (0.5, 0)):
        model = made(shape, depth=depth)
        assert model.frames.encoder is None
        assert set(model.parameter_groups()) == {"all"}
        assert model.num_params == num_mixed + (2 * WIDTH + 1) * NUM_CLASSES


@pytest.mark.parametrize(
    ("depth", "num_layers", "layer"),
    [(0.5, 12, 6), (0.5, 4, 2), (0.5, 1, 1), (0.25, 3, 1), (1.0, 24, 24), (0.01, 12, 1)],
)
def test_depth_is_a_share_of_the_layers(depth, num_layers, layer):
    assert layer_at(depth, num_layers) == layer
    shape = StreamShape(num_layers * WIDTH, 9, kind="frames", num_layers=num_layers)
    model = made(shape, depth=depth).eval()
    x_BTF = torch.randn(2, 9, num_layers * WIDTH)
    expected = x_BTF[:, :, (layer - 1) * WIDTH : layer * WIDTH]
    torch.testing.assert_close(model.frames(x_BTF, torch.tensor([9, 9]))[0], expected)


@pytest.mark.parametrize(("pooling", "kept"), [("mean_std", slice(None)), ("mean", slice(0, 1))])
def test_all_layers_stand_side_by_side(pooling, kept):
    num_bins = NUM_LAYERS * 2 * WIDTH  # a layer's mean, then its deviation
    shape = StreamShape(num_bins, 1, kind="vector", num_layers=NUM_LAYERS)
    model = made(shape, depth="all", pooling=pooling, dropout=0.0).eval()
    x_B1F = torch.randn(3, 1, num_bins)
    read_BF = x_B1F.reshape(3, NUM_LAYERS, 2, WIDTH)[:, :, kept].flatten(1)
    torch.testing.assert_close(run(model, x_B1F, [1, 1, 1]), model.classifier(read_BF))
