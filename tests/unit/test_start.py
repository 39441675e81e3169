"""What a trial takes from the weights that it starts from."""

import pytest
import torch
from safetensors.torch import save_file
from tiny_data import NUM_BINS, SMALL_EMOHRNET, TinyData

from raysearch.errors import DataError
from raysearch.features.extractor import StreamShape
from raysearch.models.model_table import MODELS, build_model, model_config
from raysearch.training.learner import Learner
from raysearch.training.start_weights import Start, read_start, save_start, take_over
from raysearch.training.training_sections import SpecAugmentConfig, TrainingConfig

SHAPES = {"mel": StreamShape(NUM_BINS, num_frames=40)}
LABELS, OTHERS = ("a", "b", "c"), ("x", "y", "z")


def network(num_classes=3, config=SMALL_EMOHRNET, seed=0):
    torch.manual_seed(seed)
    return build_model(config, SHAPES, num_classes)


def start(labels, **kind):
    return Start(network(len(labels), seed=7, **kind).state_dict(), labels, "")


def differing(model, given):
    own = model.state_dict()
    return {n for n, t in given.tensors.items() if n in own and not torch.equal(own[n], t)}


def test_the_file_holds_weights_and_classes_and_its_digest_is_of_both(tmp_path):
    tensors = network().state_dict()
    paths = [tmp_path / f"{name}.safetensors" for name in "abc"]
    for path, labels in zip(paths, (LABELS, LABELS, OTHERS), strict=True):
        save_start(path, tensors, labels)
    first, again, other = (read_start(path) for path in paths)
    assert first.labels == LABELS
    assert first.tensors.keys() == tensors.keys()
    assert first.digest == again.digest != other.digest
    assert TrainingConfig(pretrained=first.digest)


def test_weights_without_classes_are_refused(tmp_path):
    save_file({"a": torch.zeros(2)}, tmp_path / "w.safetensors")
    with pytest.raises(DataError, match="not weights to start from"):
        read_start(tmp_path / "w.safetensors")


def test_equal_classes_take_everything():
    model, given = network(), start(LABELS)
    taken = take_over(model, given, LABELS, network)
    assert not differing(model, given)
    assert (taken.tensors, taken.values) == (taken.of_tensors, taken.of_values)
    assert taken.describe().endswith("(100.0% of the values)")


@pytest.mark.parametrize("labels", [OTHERS, LABELS[::-1], (*OTHERS, "w")])
def test_other_classes_leave_the_classifier_as_it_was(labels):
    model, given = network(), start(labels)
    fresh = {name: t.clone() for name, t in model.state_dict().items()}
    state = torch.random.get_rng_state()
    taken = take_over(model, given, LABELS, network)
    assert torch.equal(state, torch.random.get_rng_state()), "a look at it costs no luck"
    assert taken.tensors == taken.of_tensors - 2
    left = {n for n, t in model.state_dict().items() if torch.equal(t, fresh[n]) and t.ndim > 1}
    assert left == {"classifier.weight"}


def test_what_fits_nowhere_is_refused():
    other = SMALL_EMOHRNET.model_copy(update={"width": 8, "stem_width": 16})
    with pytest.raises(DataError, match="no layer of the weights to start from fits"):
        take_over(network(), start(LABELS, config=other), LABELS, network)


def learner(**given):
    return Learner(
        SMALL_EMOHRNET,
        TrainingConfig(epochs=2, batch_size=8, precision="fp32"),
        SpecAugmentConfig(),
        TinyData(),
        seed=3,
        device=torch.device("cpu"),
        **given,
    )


def test_a_learner_starts_from_it():
    given = start(LABELS)
    model = learner(start=given, labels=LABELS).model
    assert not differing(model, given)
    assert differing(learner().model, given)


def test_what_it_cost_is_no_part_of_the_identity_of_a_trial_from_nothing():
    assert "pretrained" not in TrainingConfig().identity()
    one, two = (TrainingConfig(pretrained=digit * 16).identity() for digit in "ab")
    assert one != two


@pytest.mark.parametrize("name", ["cnn", "cnn1d_attention", "emohrnet", "lstm", "resnet34"])
def test_learning_fields_change_no_tensor(name):
    cls = MODELS.load(name)
    shapes = {stream: StreamShape(32, num_frames=64) for stream in cls.streams}
    base = model_config({"name": name, **({"pretrained": False} if name == "resnet34" else {})})
    other = {"dropout": 0.3, "input_dropout": 0.3, "l2": 0.1, "backbone_rate": 0.5}
    changes = {f: other[f] for f in cls.learning_fields if f in other}
    assert changes
    with torch.device("meta"):
        one, two = (
            build_model(config, shapes, 4).state_dict()
            for config in (base, base.model_copy(update=changes))
        )
    assert {n: t.shape for n, t in one.items()} == {n: t.shape for n, t in two.items()}
