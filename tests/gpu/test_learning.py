"""Every architecture learns on a GPU what it learns on a CPU.

Tolerances are of the mean losses of three epochs of three steps, absolute, or relative where a
loss is above 1. In float32 they leave room for sums in another order, which Adam's first steps, all
of one size, enlarge.
"""

import pytest
import torch
from random_streams import MEL, NUM_CLASSES, SMALL, RandomStreams, learner_of, losses, near

from raysearch.training.gradient import autocast
from raysearch.training.scoring import score_batches

pytestmark = pytest.mark.gpu

FP32, TF32, BF16 = 2e-3, 1e-2, 5e-2
CPU = torch.device("cpu")


def log_probs(trial):
    """Of the validation rows, by the weights as they are."""
    training = trial.training
    batches, device = trial.data.validation_batches(), trial.device
    scores = score_batches(
        trial.model, batches, trial._normaliser, NUM_CLASSES, autocast(training, device)
    )
    return scores.log_probs


@pytest.fixture(scope="module", params=SMALL)
def name(request):
    return request.param


@pytest.fixture(scope="module")
def on_cpu(name):
    """The losses of a CPU in float32."""
    return losses(learner_of(name, CPU))


def test_in_float32_losses_are_a_cpus(name, on_cpu, device, exact):
    assert losses(learner_of(name, device)) == near(on_cpu, FP32)


def test_in_tf32_as_torch_has_it_they_are_near(name, on_cpu, device):
    assert losses(learner_of(name, device)) == near(on_cpu, TF32)


def test_in_bfloat16_they_are_near(name, on_cpu, device):
    found = losses(learner_of(name, device, precision="bf16"))
    assert found == near(on_cpu, BF16)


def test_a_gpus_checkpoint_goes_on_on_a_cpu_and_back(name, device, tmp_path, exact):
    trial = learner_of(name, device)
    losses(trial, 2)
    trial.save(tmp_path / "last")
    elsewhere, back = learner_of(name, CPU), learner_of(name, device)
    for one in (elsewhere, back):
        one.load(tmp_path / "last")
    expected = log_probs(trial)
    torch.testing.assert_close(log_probs(elsewhere), expected, atol=1e-3, rtol=1e-3)
    torch.testing.assert_close(log_probs(back), expected, atol=1e-5, rtol=1e-5)
    straight = losses(trial, 1)
    assert losses(back, 1) == near(straight, FP32)
    assert losses(elsewhere, 1) == near(straight, FP32)


def test_the_same_trial_again_is_the_same_within_a_tolerance(name, device):
    first, second = (losses(learner_of(name, device)) for _ in range(2))
    assert second == near(first, FP32)


def test_what_is_drawn_on_the_device_is_drawn_again_after_a_resume(device, tmp_path):
    """Masks, dropout and mixup come from (seed, epoch), on a GPU as well."""
    settings = {"mixup_alpha": 0.4, "label_smoothing": 0.1, "epochs": 3}
    straight = learner_of("emohrnet", device, **settings)
    losses(straight, 2)
    straight.save(tmp_path / "last")
    resumed = learner_of("emohrnet", device, **settings)
    resumed.load(tmp_path / "last")
    assert losses(resumed, 1) == near(losses(straight, 1), FP32)


def test_an_idle_rank_gets_gradients_through_an_lstm(device):
    """cuDNN gives none in evaluation mode, in which ``stand_by`` leaves all other layers."""
    trial = learner_of("lstm", device)
    trial.run_epoch()
    data = RandomStreams(MEL, num_validation=1, rank=1, world_size=2)
    (batch,) = data.validation_batches()
    assert not len(batch.labels)
    before = [buffer.clone() for buffer in trial.model.buffers()]
    trial._fit._optimizer.zero_grad()
    loss = trial._fit._idle_loss(batch)
    loss.backward()
    assert loss.item() == 0.0
    assert all(p.grad is not None and not p.grad.any() for p in trial.model.parameters())
    assert all(map(torch.equal, trial.model.buffers(), before))
    assert trial.model.training


def test_without_that_cudnn_refuses(cuda):
    """What the rule is for; if this fails, torch has changed, and the rule may go."""
    lstm = torch.nn.LSTM(4, 8, batch_first=True).to(cuda).eval()
    with pytest.raises(RuntimeError, match="training mode"):
        lstm(torch.zeros(1, 5, 4, device=cuda))[0].sum().backward()


def test_closing_a_trial_gives_its_memory_back(cuda):
    torch.cuda.empty_cache()
    before = torch.cuda.memory_reserved(cuda), torch.cuda.memory_allocated(cuda)
    trial = learner_of("resnet34", cuda)
    trial.run_epoch()
    assert torch.cuda.memory_allocated(cuda) > before[1] + 250 * 2**20
    trial.close()
    room = 160 * 2**20  # cuBLAS keeps its workspaces
    assert torch.cuda.memory_allocated(cuda) <= before[1] + room
    assert torch.cuda.memory_reserved(cuda) <= before[0] + room
