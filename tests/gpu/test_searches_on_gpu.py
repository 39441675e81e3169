"""Whole searches on one card: alone, by halves, interrupted, with trials that break it.

Each takes under a minute there; the longest is that of a device-side assert, after which the
group starts again several times.
"""

import shutil
import subprocess
import sys

import numpy as np
import pytest
import tiny_encoder
import tiny_whisper
import torch
from driver_context import has_context
from picky_net import GREEDY, WILD
from searches import Search, tones

from raysearch.features.ssl import Ssl, SslConfig

pytestmark = pytest.mark.gpu


@pytest.fixture(scope="module")
def storage(tmp_path_factory):
    return tmp_path_factory.mktemp("storage")


@pytest.fixture(scope="module")
def manifest(tmp_path_factory):
    return tones(tmp_path_factory.mktemp("tones"))


@pytest.fixture
def search(storage, manifest, device):
    """Makes one that is to use the GPU, or in a rehearsal the CPU, and ends it if it must."""
    made = []

    def make(name, *options, gpus=1.0, trials=4, **more):
        share = gpus if device.type == "cuda" else 0
        options = (f"--trials={trials}", "--slots=1", f"--gpus-per-worker={share}", *options)
        made.append(Search(storage, name, manifest, *options, device=device.type, **more))
        return made[-1].start()

    yield make
    for one in made:
        if one.process.poll() is None:
            one.process.terminate()
            one.process.wait(60)


def check_whole(one, trials=4):
    assert one.finish() == 0, one.told()
    ends = one.ends()
    assert sorted(ends) == list(range(trials)), one.told()
    assert all(event["event"] != "failed" for event in ends.values()), ends
    assert (one.run / "best" / "weights.safetensors").stat().st_size > 0


def test_a_search_on_one_gpu_and_no_context_in_its_driver(search, device):
    if device.type == "cuda":
        torch.zeros(1, device=device)
        assert has_context(), "the probe does not see this process' own"
    one = search("alone", probe=True)
    check_whole(one)
    assert "CUDA context: False" in one.told()
    if device.type == "cuda":
        assert "+ 1 GPU" in one.log.read_text()
        assert "worker's free GPU memory" in one.log.read_text()


def test_two_slots_share_a_card(search, device):
    one = search("halves", "--slots=2", gpus=0.5, trials=6)
    check_whole(one, trials=6)
    assert "2 trials at a time" in one.log.read_text()
    if device.type == "cuda":
        assert "+ 0.5 GPU" in one.log.read_text()


@pytest.mark.parametrize("tier", ["host", "stream"])
def test_the_other_tiers_feed_a_gpu(search, tier):
    one = search(f"by-{tier}", f"--set=search.tier={tier}", trials=2)
    check_whole(one, trials=2)
    assert f"tier {tier}: asked for" in one.log.read_text()


def test_an_interrupted_search_goes_on(search):
    one = search("interrupted", "--max-epochs=40")
    one.interrupt_at(lambda events: sum(e["event"] == "epoch" for e in events) >= 3)
    assert one.finish() != 0, "it was over before"
    assert len(one.ends()) < 4
    one.start("--resume")
    check_whole(one)
    told = [(e["number"], e["attempt"], e["epoch"]) for e in one.events() if e["event"] == "epoch"]
    assert len(told) == len(set(told))


def test_a_trial_that_wants_too_much_memory_fails_and_the_slot_lives(search):
    one = search("greedy", width=GREEDY)
    assert one.finish() == 0, one.told()
    ends = one.ends()
    assert ends[0]["event"] == "failed"
    assert "memory" in ends[0]["reason"].lower()
    assert ends[0]["attempt"] <= 2, "more than one retry"
    assert {event["event"] for event in ends.values()} != {"failed"}


def test_a_trial_that_breaks_the_gpu_costs_no_other(search, cuda):
    one = search("wild", width=WILD, trials=3)
    assert one.finish(300) == 0, one.told()
    ends = one.ends()
    assert ends[0]["event"] == "failed"
    assert "assert" in ends[0]["reason"].lower()
    assert ends[0]["attempt"] > 1, "it is the slot's fault: the group must have started again"
    assert {event["event"] for event in ends.values()} != {"failed"}


def encoders(folder):
    """Small ones with random weights, in their real formats."""
    whisper = folder / "whisper"
    tiny_whisper.write_hugging_face(whisper, tiny_whisper.openai())
    found = {"whisper": whisper}
    for style in tiny_encoder.STYLES:
        (folder / style).mkdir()
        found[style] = tiny_encoder.write_file(folder / style, style)
    return found


@pytest.mark.parametrize("kind", ["whisper", *tiny_encoder.STYLES])
def test_an_encoders_frames_are_a_cpus(kind, tmp_path, device, exact):
    config = SslConfig(weights=str(encoders(tmp_path)[kind]), layer="weighted")
    waveforms = [
        np.random.default_rng(n).normal(0, 0.1, n).astype(np.float32) for n in (9000, 14000)
    ]
    there = Ssl(config)
    there.device = device.type
    for one, two in zip(Ssl(config)(waveforms), there(waveforms), strict=True):
        assert np.abs(one - two).max() < 2e-3 * np.abs(one).max()


def test_a_search_over_an_encoder_computes_its_frames_on_the_gpu(search, tmp_path, device):
    weights = encoders(tmp_path)["whisper"]
    options = [f"--set=features.ssl.weights={weights}", "--max-epochs=2", "--final=single"]
    one = search("encoder", *options, trials=2, space="ssl")
    check_whole(one, trials=2)


def test_the_doctor_finds_the_gpu(device):
    done = subprocess.run(
        [sys.executable, "-m", "raysearch", "doctor"], capture_output=True, text=True, timeout=180
    )
    if device.type == "cuda":
        assert torch.cuda.get_device_name(device) in done.stdout, done.stdout + done.stderr
        assert "each ran a small product" in done.stdout
        assert shutil.which("nvidia-smi")
    else:
        assert "none: training runs on CPUs" in done.stdout, done.stdout + done.stderr
