"""ImageNet's weights in their real formats, and how a pretrained backbone is tuned."""

# Axis letters name tensor shapes.

import pickle

import pytest
import torch
from safetensors.torch import save_file
from torchvision.models import resnet34

from raysearch.errors import DataError, MissingPathError
from raysearch.features.extractor import StreamShape
from raysearch.models.resnet34 import ResNet34, ResNet34Config
from raysearch.spec import SearchSpec, check_ready
from raysearch.training.config import SpecAugmentConfig, TrainingConfig
from raysearch.training.learner import Learner

SHAPES = {"mel": StreamShape(40, 64)}


@pytest.fixture(scope="module")
def imagenet():
    torch.manual_seed(0)
    return resnet34(weights=None).state_dict()


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


def test_repeating_the_input_is_summing_the_kernels(imagenet, tmp_path):
    path = str(save(imagenet, tmp_path / "w.pth"))
    models = [made(weights=path, channels=channels) for channels in ("sum", "repeat")]
    for model in models:
        model.load_pretrained({})
        model.classifier.load_state_dict(models[0].classifier.state_dict())
    x = {"mel": torch.randn(2, 64, 40)}
    length = {"mel": torch.tensor([64, 30])}
    first, second = (model.eval()(x, length) for model in models)
    torch.testing.assert_close(first, second, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", ["resnet34-b627a593.pth", "resnet34-333f7ec4.pth"])
def test_torch_hubs_folder_is_looked_into(imagenet, tmp_path, name):
    config = ResNet34Config()
    with pytest.raises(MissingPathError, match=r"resnet34-b627a593\.pth.*model\.pretrained=false"):
        config.ready()
    path = save(imagenet, tmp_path / "hub-home" / "hub" / "checkpoints" / name)
    config.ready()
    assert config.weights_file() == path


def test_from_scratch_nothing_is_wanted():
    config = ResNet34Config(pretrained=False, weights="/nowhere.pth")
    config.ready()
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
        (lambda t: t.update(bn1=Harmful()), "not weights that can be read safely"),
    ],
)
def test_other_weights_are_refused(imagenet, tmp_path, capsys, damage, message):
    tensors = dict(imagenet)
    damage(tensors)
    model = made(weights=str(save(tensors, tmp_path / "w.pth")))
    with pytest.raises(DataError, match=message):
        model.load_pretrained({})
    assert "ran" not in capsys.readouterr().out


@pytest.mark.parametrize("content", [b"", b"junk", pickle.dumps({"a": 1})])
@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_other_files_are_refused(tmp_path, content, suffix):
    path = tmp_path / f"w{suffix}"
    path.write_bytes(content)
    with pytest.raises(DataError, match="w"):
        made(weights=str(path)).load_pretrained({})


def test_identity_is_the_content_not_the_path(imagenet, tmp_path):
    first = save(imagenet, tmp_path / "a" / "w.pth")
    second = save(imagenet, tmp_path / "b" / "w.pth")
    other = save({**imagenet, "fc.bias": torch.ones(1000)}, tmp_path / "c" / "w.pth")
    same, again, changed = (
        ResNet34Config(weights=str(path)).identity() for path in (first, second, other)
    )
    assert same == again != changed
    assert ResNet34Config(pretrained=False, weights=str(first)).identity()["weights"] is None


def test_a_frozen_backbone_stays_and_then_learns_at_its_own_rate(imagenet, tmp_path, tiny):
    config = ResNet34Config(
        weights=str(save(imagenet, tmp_path / "w.pth")), freeze_epochs=1, backbone_rate=0.1
    )
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


def test_the_space_says_what_is_lacking(imagenet, tmp_path):
    spec = SearchSpec.load("resnet34")
    with pytest.raises(MissingPathError, match="model.weights=FILE"):
        check_ready(spec)
    check_ready(SearchSpec.load("resnet34", ["model.pretrained=false"]))
    path = save(imagenet, tmp_path / "w.pth")
    check_ready(SearchSpec.load("resnet34", [f"model.weights={path}"]))
