"""A process trains many compiled trials, one after the other."""

from functools import partial

import torch
from tiny_data import POOLED_LINEAR, PooledLinear, TinyData
from torch._dynamo.eval_frame import _debug_get_cache_entry_list

from raysearch.training.learner import Learner
from raysearch.training.training_sections import SpecAugmentConfig, TrainingConfig


def test_closing_forgets_what_was_compiled(monkeypatch):
    """torch compiles a function for eight trials; those of all others would run uncompiled."""
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend="eager"))
    training = TrainingConfig(epochs=1, batch_size=8, precision="fp32", compile=True)
    cpu = torch.device("cpu")
    trial = Learner(POOLED_LINEAR, training, SpecAugmentConfig(), TinyData(), seed=3, device=cpu)
    trial.run_epoch()
    compiled = partial(_debug_get_cache_entry_list, PooledLinear.forward.__code__)
    assert compiled()
    trial.close()
    assert not compiled()
