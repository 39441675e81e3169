"""ImageNet's weights in their real formats, and how a pretrained backbone is tuned."""

# Axis letters name tensor shapes.

import hashlib
import os
import pickle
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torchvision.models import resnet34

from raysearch.errors import DataError, MissingPathError
from raysearch.features.extractor import StreamShape
from raysearch.models import resnet34 as module
from raysearch.models.resnet34 import ResNet34, ResNet34Config
from raysearch.prerequisites import check_prerequisites
from raysearch.spec import SearchSpec
from raysearch.training.learner import Learner
from raysearch.training.training_sections import SpecAugmentConfig, TrainingConfig

SHAPES = {"mel": StreamShape(40, 64)}


@pytest.fixture(scope="module")
def imagenet():
    torch.manual_seed(0)
    return resnet34(weights=None).state_dict()


@pytest.fixture(scope="module")
def weights(imagenet, tmp_path_factory):
    return save(imagenet, tmp_path_factory.mktemp("weights") / "w.pth")


@pytest.fixture(autouse=True)
def empty_hub(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "hub-home"))


def save(tensors, path):
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".safetensors":
        save_file(dict(tensors), path)
    else:
        torch.save(tensors, path)
    return path


def made(**fields):
    torch.manual_seed(1)
    return ResNet34(ResNet34Config(**fields), SHAPES, 3)


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_one_channel_is_the_sum_of_three(imagenet, tmp_path, suffix):
    model = made(weights=str(save(imagenet, tmp_path / f"w{suffix}")))
    model.load_pretrained({})
    expected = imagenet["conv1.weight"].sum(dim=1, keepdim=True)
    assert torch.equal(model.backbone.conv1.weight, expected)
    assert torch.equal(model.backbone.layer4[2].conv2.weight, imagenet["layer4.2.conv2.weight"])


def test_repeating_the_input_is_summing_the_kernels(weights):
    path = str(weights)
    models = [made(weights=path, channels=channels) for channels in ("sum", "repeat")]
    for model in models:
        model.load_pretrained({})
        model.classifier.load_state_dict(models[0].classifier.state_dict())
    x = {"mel": torch.randn(2, 64, 40)}
    length = {"mel": torch.tensor([64, 30])}
    first, second = (model.eval()(x, length) for model in models)
    torch.testing.assert_close(first, second, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("num_channels", [2, 3])
def test_equal_channels_are_as_strong_as_one(weights, num_channels):
    shape = StreamShape(40 * num_channels, 64, num_channels=num_channels)
    config = ResNet34Config(weights=str(weights))
    models = [ResNet34(config, {"mel": s}, 3).eval() for s in (SHAPES["mel"], shape)]
    for model in models:
        model.load_pretrained({})
        model.classifier.load_state_dict(models[0].classifier.state_dict())
    x_BTF, length = torch.randn(2, 64, 40), {"mel": torch.tensor([64, 64])}
    first = models[0]({"mel": x_BTF}, length)
    second = models[1]({"mel": x_BTF.repeat(1, 1, num_channels)}, length)
    torch.testing.assert_close(first, second, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", ["resnet34-b627a593.pth", "resnet34-333f7ec4.pth"])
def test_torch_hubs_folder_is_looked_into(weights, tmp_path, name):
    config = ResNet34Config()
    with pytest.raises(MissingPathError, match=r"resnet34-b627a593\.pth.*model\.pretrained=false"):
        config.check_external_files()
    path = tmp_path / "hub-home" / "hub" / "checkpoints" / name
    path.parent.mkdir(parents=True)
    path.symlink_to(weights)
    config.check_external_files()
    assert config.weights_file() == path


def test_from_scratch_nothing_is_wanted():
    config = ResNet34Config(pretrained=False, weights="/nowhere.pth")
    config.check_external_files()
    before = made(pretrained=False)
    before.load_pretrained({})
    assert torch.equal(before.classifier.weight, made(pretrained=False).classifier.weight)


class Harmful:
    def __reduce__(self):
        return print, ("ran",)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda t: t.pop("layer1.0.conv1.weight"), "lacks 'layer1.0.conv1.weight'"),
        (lambda t: t.update(extra=torch.ones(1)), "holds 'extra'"),
        (lambda t: t.update({"bn1.weight": torch.ones(3)}), r"'bn1.weight' has shape \(3,\)"),
        (lambda t: t.update({"conv1.weight": torch.ones(64, 3, 3, 3)}), "'conv1.weight' has shape"),
        # Summing its kernels would hide that it is for other inputs.
        (lambda t: t.update({"conv1.weight": torch.ones(64, 5, 7, 7)}), "'conv1.weight' has shape"),
        (lambda t: t.update({"conv1.weight": torch.ones(3)}), "'conv1.weight' has shape"),
        (lambda t: t.update({"conv1.weight": 3}), "named tensors are expected"),
        (lambda t: t.update(bn1=Harmful()), "not weights that can be read safely"),
    ],
)
def test_other_weights_are_refused(imagenet, tmp_path, capsys, damage, message):
    # All zeros of a tensor in one stored number keep the file small.
    tensors = {k: torch.zeros((), dtype=v.dtype).expand(v.shape) for k, v in imagenet.items()}
    damage(tensors)
    model = made(weights=str(save(tensors, tmp_path / "w.pth")))
    for meet in (model.config.check_external_files, lambda: model.load_pretrained({})):
        with pytest.raises(DataError, match=message) as caught:
            meet()
        assert "\n" not in str(caught.value)
    assert "ran" not in capsys.readouterr().out


@pytest.mark.parametrize("content", [b"", b"junk", pickle.dumps({"a": 1})])
@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_other_files_are_refused(tmp_path, content, suffix):
    path = tmp_path / f"w{suffix}"
    path.write_bytes(content)
    with pytest.raises(DataError, match="w"):
        made(weights=str(path)).load_pretrained({})


def test_a_file_that_was_exchanged_is_looked_into_again(weights, tmp_path):
    path = tmp_path / "w.pth"
    path.write_bytes(b"half a download")
    config = ResNet34Config(weights=str(path))
    with pytest.raises(DataError):
        config.check_external_files()
    path.unlink()
    path.symlink_to(weights)
    config.check_external_files()


def test_looking_into_weights_draws_no_random_numbers(weights):
    # Or initial weights would depend on whether the file had been seen before.
    module._check_file.cache_clear()
    config = ResNet34Config(weights=str(weights))
    before = torch.get_rng_state()
    config.check_external_files()
    assert torch.equal(torch.get_rng_state(), before)


def test_loaded_weights_change_the_first_loss(weights):
    path = str(weights)
    x, lengths = {"mel": torch.randn(4, 64, 40)}, {"mel": torch.full((4,), 64)}
    scratch, loaded = made(pretrained=False), made(weights=path)
    assert torch.equal(scratch(x, lengths), loaded(x, lengths))
    loaded.load_pretrained({})
    first, second = (
        torch.nn.functional.cross_entropy(model(x, lengths), torch.tensor([0, 1, 2, 0]))
        for model in (scratch, loaded)
    )
    assert abs(first - second) > 1e-3


def test_a_relative_path_holds_in_another_folder(weights, tmp_path, monkeypatch):
    monkeypatch.chdir(weights.parent)
    config = ResNet34Config(weights=weights.name)
    monkeypatch.chdir(tmp_path)
    config.check_external_files()


def serve(monkeypatch, folder, name):
    """Let ``folder`` stand for the server."""
    monkeypatch.setattr(module, "HUB_URL", folder.as_uri())
    monkeypatch.setattr(module, "HUB_NAMES", (name,))


def test_the_hub_is_asked_once_and_only_if_told_to(weights, tmp_path, monkeypatch):
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    served = tmp_path / "server" / f"resnet34-{digest[:8]}.pth"
    served.parent.mkdir()
    served.symlink_to(weights)
    serve(monkeypatch, served.parent, served.name)
    with pytest.raises(MissingPathError):
        ResNet34Config().check_external_files()
    config = ResNet34Config(weights="hub")
    config.check_external_files()
    served.unlink()
    config.check_external_files()
    assert config.weights_file() == Path(os.environ["TORCH_HOME"], "hub/checkpoints", served.name)
    assert config.identity()["weights"] == digest == ResNet34Config().identity()["weights"]


@pytest.mark.parametrize("content", [None, b"another file"])
def test_a_download_that_fails_leaves_nothing(tmp_path, monkeypatch, content):
    folder = tmp_path / "server"
    folder.mkdir()
    if content:
        (folder / "resnet34-b627a593.pth").write_bytes(content)
    serve(monkeypatch, folder, "resnet34-b627a593.pth")
    with pytest.raises(MissingPathError, match=r"could not be downloaded.*pretrained=false") as e:
        ResNet34Config(weights="hub").check_external_files()
    assert "\n" not in str(e.value)
    assert not list((tmp_path / "hub-home" / "hub" / "checkpoints").iterdir())


def test_identity_is_the_content_not_the_path(imagenet, weights, tmp_path):
    first, second = weights, tmp_path / "again.pth"
    second.symlink_to(first)
    other = save({**imagenet, "fc.bias": torch.ones(1000)}, tmp_path / "other.pth")
    same, again, changed = (
        ResNet34Config(weights=str(path)).identity() for path in (first, second, other)
    )
    assert same == again != changed
    assert ResNet34Config(pretrained=False, weights=str(first)).identity()["weights"] is None


def test_a_frozen_backbone_stays_and_then_learns_at_its_own_rate(weights, tiny):
    config = ResNet34Config(weights=str(weights), freeze_epochs=1, backbone_rate=0.1)
    learner = Learner(
        config,
        TrainingConfig(epochs=2, batch_size=8),
        SpecAugmentConfig(),
        tiny,
        seed=0,
        device=torch.device("cpu"),
    )
    backbone = learner.model.backbone
    before = {name: value.clone() for name, value in backbone.state_dict().items()}
    head = learner.model.classifier.weight.clone()
    learner.run_epoch()
    for name, value in backbone.state_dict().items():
        assert torch.equal(value, before[name]), name
    assert not torch.equal(learner.model.classifier.weight, head)
    learner.run_epoch()
    moved = {
        name
        for name, value in backbone.state_dict().items()
        if not torch.equal(value, before[name])
    }
    assert {"conv1.weight", "bn1.running_mean"} <= moved


@pytest.fixture
def tiny():
    from tiny_data import TinyData

    return TinyData()


def test_the_space_says_what_is_lacking(weights):
    spec = SearchSpec.load("resnet34")
    with pytest.raises(MissingPathError, match=r"model\.weights=FILE"):
        check_prerequisites(spec)
    check_prerequisites(SearchSpec.load("resnet34", ["model.pretrained=false"]))
    check_prerequisites(SearchSpec.load("resnet34", [f"model.weights={weights}"]))
