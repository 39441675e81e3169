"""Heads over time: they learn, read no padding, and change nothing where they are not asked for."""

import pytest
import torch

from raysearch.evaluation.named_ablations import ABLATIONS
from raysearch.features.extractor import StreamShape
from raysearch.models.layers.attended import attention
from raysearch.models.layers.temporal_head import TemporalHead
from raysearch.models.model_table import build_model, model_config

HEADS = ("lstm", "gru", "attention")
SMALL = {
    "emohrnet": {"width": 4, "branches": 2, "stem_width": 8},
    "cnn1d_attention": {"filters": 8},
}
SHAPES = {"mel": StreamShape(16, 48), "mfcc": StreamShape(16, 48, kind="frames")}
STREAM = {"emohrnet": "mel", "cnn1d_attention": "mfcc"}
every_network = pytest.mark.parametrize("name", list(SMALL))
every_head = pytest.mark.parametrize("head", HEADS)


def network(name, head):
    torch.manual_seed(0)
    return build_model(model_config({"name": name, "head": head, **SMALL[name]}), SHAPES, 3)


def frames(num_rows=4):
    return torch.randn(num_rows, 48, 16, generator=torch.Generator().manual_seed(1))


@every_network
@every_head
def test_every_part_learns(name, head):
    model, stream = network(name, head), STREAM[name]
    lengths = torch.tensor([48, 40, 24, 9])
    logits_BK = model({stream: frames()}, {stream: lengths})
    assert logits_BK.shape == (4, 3)
    logits_BK.square().sum().backward()
    assert [n for n, p in model.named_parameters() if p.grad is None or not p.grad.any()] == []


@every_head
def test_a_head_reads_no_padding_and_a_recurrent_one_the_order(head):
    torch.manual_seed(0)
    part = TemporalHead(head, 8).eval()
    h_BTC, lengths_B = frames(2)[:, :, :8], torch.tensor([48, 20])
    padded_BTC = h_BTC.clone()
    padded_BTC[1, 20:] = 9.0
    torch.testing.assert_close(part(padded_BTC, lengths_B), part(h_BTC, lengths_B))
    assert part(h_BTC, lengths_B).shape == (2, part.num_features)
    turned_BTC = h_BTC[:, torch.randperm(48, generator=torch.Generator().manual_seed(2))]
    whole = torch.tensor([48, 48])
    same = torch.allclose(part(turned_BTC, whole), part(h_BTC, whole), atol=1e-5)
    assert same is (head == "attention")


@every_head
def test_how_much_padding_follows_changes_nothing(head):
    model = network("emohrnet", head).eval()
    x_BTF, lengths = frames(2), {"mel": torch.tensor([48, 48])}
    few, many = (
        model({"mel": torch.nn.functional.pad(x_BTF, (0, 0, 0, times * 48))}, lengths)
        for times in (4, 9)
    )
    torch.testing.assert_close(many, few)


@every_network
def test_pooling_is_what_it_was(name):
    given = {"name": name, **SMALL[name]}
    assert "head" not in model_config(given).identity()
    assert model_config({**given, "head": "gru"}).identity()["head"] == "gru"
    assert not [key for key in network(name, "pool").state_dict() if key.startswith("head")]


def test_pooling_that_is_not_read_makes_no_other_trial():
    flat, mean = (
        model_config({"name": "cnn1d_attention", "head": "gru", "pooling": pooling}).identity()
        for pooling in ("flatten", "mean_std")
    )
    assert flat == mean


@every_network
def test_what_attention_looked_at_can_be_seen(name):
    model, stream = network(name, "attention").eval(), STREAM[name]
    weights_BHW = attention(model, {stream: frames()}, {stream: torch.tensor([48] * 4)})
    torch.testing.assert_close(weights_BHW.sum(dim=(1, 2)), torch.ones(4))


def test_it_can_be_left_out():
    (ablation,) = [one for one in ABLATIONS if one.name == "temporal-head"]
    assert ablation.changes({"model.head": "lstm"}) == {"model.head": "pool"}
    for fields in ({"model.head": "pool"}, {}):
        assert ablation.changes(fields) == "the winner has no temporal head"
