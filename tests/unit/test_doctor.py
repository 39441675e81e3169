"""What doctor says about a cluster's nodes, and the levels of it."""

import argparse
import importlib.metadata
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.requirements import Requirement

from raysearch.cli import doctor
from raysearch.cli.inspection_options import DoctorOptions
from raysearch.errors import UserError
from raysearch.service.doctor.cluster_findings import (
    assess_bandwidth,
    assess_nodes,
    assess_ports,
    assess_token,
)
from raysearch.service.doctor.facts import (
    Gpu,
    Listener,
    NodeFacts,
    RayNode,
    TorchFacts,
)
from raysearch.service.doctor.findings import Finding, listed, worst
from raysearch.service.doctor.node_findings import (
    Offset,
    assess_clocks,
    assess_gpus,
    assess_pins,
    assess_processors,
    assess_room,
    assess_torch,
    assess_versions,
)

VERSIONS = {"python": "3.11", "raysearch": "0.1.0", "sources": "aa", "torch": "2.11.0"}


NODE = NodeFacts(
    host="one",
    versions=VERSIONS,
    num_cpus=8,
    cpu_flags=("avx2", "amx_bf16"),
    memory_gib=32,
    shm_gib=8,
    disk_gib={"/tmp": 100},
    max_files=65536,
    nvidia_driver=None,
    listeners=(),
    torch=TorchFacts(),
)


H200 = Gpu("NVIDIA H200", 139.8)


ON_GPU = replace(NODE, nvidia_driver="580.1", torch=TorchFacts(gpus=(H200, H200)))


def ray_node(gpus=0.0, cpus=8.0):
    return RayNode("id", "a", "10.0.0.1", cpus, gpus, 4.0, 1234)


def levels(findings):
    return [finding.level for finding in findings]


def run_doctor(*arguments):
    parser = argparse.ArgumentParser()
    DoctorOptions.add(parser)
    return doctor.examine(DoctorOptions.of(parser.parse_args([*map(str, arguments)])))


def test_equal_versions_are_one_line():
    (finding,) = assess_versions({"a": NODE, "b": NODE})
    assert finding.level == "ok"
    assert "alike on 2 machines: raysearch 0.1.0 (sources aa)" in finding.what


@pytest.mark.parametrize(
    ("package", "value", "told"),
    [
        ("torch", "2.10.0", "torch differs: 2.11.0 on a, c; 2.10.0 on b"),
        ("sources", "bb", "raysearch's sources differs: aa on a, c; bb on b"),
        ("raysearch", None, "raysearch differs: 0.1.0 on a, c; none on b"),
    ],
)
def test_a_differing_version_names_who_has_which(package, value, told):
    other = replace(NODE, versions={**VERSIONS, package: value})
    (finding,) = assess_versions({"a": NODE, "b": other, "c": NODE})
    assert (finding.level, finding.what) == ("failed", told)


def test_pins_of_the_installed_package_hold_here():
    wanted = importlib.metadata.requires("raysearch")
    names = {Requirement(text).name for text in wanted if "extra ==" not in text}
    finding = assess_pins(wanted, {name: importlib.metadata.version(name) for name in names})
    assert finding.level == "ok", finding.what


def test_pins_that_do_not_hold_are_named():
    wanted = ["torch==2.11.0", "numpy>=2", "boto3>=1; extra == 'aws'", "soxr>=0.5"]
    finding = assess_pins(wanted, {"torch": "2.10.0", "numpy": "2.4.6", "soxr": None})
    assert finding.level == "failed"
    assert finding.what == "torch 2.10.0 instead of ==2.11.0, soxr is missing"


def test_torch_of_a_local_build_is_the_pinned_one():
    assert assess_pins(["torch==2.11.0"], {"torch": "2.11.0+cu130"}).level == "ok"


def test_a_torch_that_cannot_be_imported_fails():
    assert assess_torch({"a": NODE}).level == "ok"
    for torch in (TorchFacts(error="no libcudart"), TorchFacts(audio_error="undefined symbol")):
        finding = assess_torch({"a": NODE, "b": replace(NODE, torch=torch)})
        assert finding.level == "failed"
        assert finding.what.startswith("b: ")


def test_gpus_that_work_are_counted():
    (finding,) = assess_gpus({"a": ON_GPU}, {"a": ray_node(gpus=2)})
    assert finding.level == "ok"
    assert "2 x NVIDIA H200 (140 GiB)" in finding.what
    (none,) = assess_gpus({"a": NODE}, {"a": ray_node()})
    assert none == Finding("ok", "gpus", "none: training runs on CPUs")


@pytest.mark.parametrize(
    ("node", "counted", "level", "told"),
    [
        (ON_GPU, 4, "failed", "Ray counts 4 GPUs, torch sees 2"),
        (ON_GPU, 1, "warning", "Ray counts 1 of 2 GPUs"),
        (NODE, 1, "failed", "sees no GPU (no NVIDIA driver)"),
        (
            replace(
                NODE, nvidia_driver="450.1", torch=TorchFacts(cuda_warning="driver is too old")
            ),
            0,
            "failed",
            "sees no GPU (driver 450.1): driver is too old",
        ),
        (
            replace(ON_GPU, torch=TorchFacts(gpus=(H200, replace(H200, error="ECC")))),
            2,
            "failed",
            "GPU 1 (NVIDIA H200) runs nothing: ECC",
        ),
    ],
)
def test_gpus_that_cannot_be_used(node, counted, level, told):
    (finding,) = assess_gpus({"a": node}, {"a": ray_node(gpus=counted)})
    assert finding.level == level
    assert told in finding.what


def test_processors_tell_what_all_of_them_have():
    assert (
        "16 usable; bfloat16 in hardware (amx_bf16)"
        in assess_processors({"a": NODE, "b": NODE}).what
    )
    plain = replace(NODE, cpu_flags=("avx2",))
    assert "no bfloat16" in assess_processors({"a": NODE, "b": plain}).what


@pytest.mark.parametrize(
    ("change", "level", "check"),
    [
        ({"memory_gib": 2.0}, "warning", "memory"),
        ({"shm_gib": 0.06}, "warning", "/dev/shm"),
        ({"disk_gib": {"/tmp": 100.0, "/data": 5.0}}, "warning", "disk"),
        ({"disk_gib": {"/tmp": 0.2}}, "failed", "disk"),
        ({"max_files": 4096}, "warning", "files"),
        ({"max_files": 256}, "failed", "files"),
    ],
)
def test_too_little_room_is_told_by_node(change, level, check):
    (finding,) = assess_room({"a": NODE, "b": replace(NODE, **change)})
    assert (finding.level, finding.check) == (level, check)
    assert finding.what.startswith("b: ")
    assert finding.advice


def test_enough_room_is_one_line():
    assert levels(assess_room({"a": NODE, "b": NODE})) == ["ok"]


@given(
    true_s=st.floats(-100, 100),
    there_s=st.floats(0, 20),
    back_s=st.floats(0, 20),
)
def test_a_clock_is_never_accused_of_the_way(true_s, there_s, back_s):
    """Whatever way there and back takes: a clock that is right is fine, a bad one is bad."""
    seen = true_s + there_s - (there_s + back_s) / 2
    offset = Offset(seen, (there_s + back_s) / 2)
    (finding,) = assess_clocks({"a": offset}, "the nodes'")
    assert offset.certain_s <= abs(true_s) + 1e-9
    if abs(true_s) <= 1:
        assert finding.level == "ok"
    if abs(true_s) > 30 + there_s + back_s:
        assert finding.level == "failed"


def test_a_clock_that_is_off_says_to_which_side():
    early, late = assess_clocks({"a": Offset(-2.0, 0.01), "b": Offset(45.0, 0.01)}, "the nodes'")
    assert (early.level, late.level) == ("warning", "failed")
    assert "a: 2.0 s behind" in early.what
    assert "b: 45.0 s ahead of" in late.what


def test_bandwidth_takes_the_slowest_rank_and_warns_below_a_gigabit():
    fast = assess_bandwidth("gloo", 10**8, {"a": {"seconds": 0.1}, "b": {"seconds": 0.2}})
    assert (fast.level, "bus 0.5 GB/s (4 Gbit/s)" in fast.what) == ("ok", True)
    slow = assess_bandwidth("gloo", 10**8, {"a": {"seconds": 1.0}, "b": {"seconds": 1.0}})
    assert slow.level == "warning"
    dead = assess_bandwidth("nccl", 10**8, {"a": {"seconds": 1.0}, "b": {"error": "no route"}})
    assert (dead.level, "b: no route" in dead.what) == ("failed", True)


def test_an_open_cluster_is_said_in_words():
    closed = assess_token({"GCS x": "refused", "dashboard": "silent"})
    assert closed.level == "ok"
    opened_up = assess_token({"GCS x": "answered", "raylet y": "refused"})
    assert opened_up.level == "warning"
    assert "GCS x answered without a token" in opened_up.what
    assert "run any code" in opened_up.what
    assert assess_token({"GCS x": "silent"}).level == "skipped"


def test_ports_are_told_by_who_may_reach_them():
    inside = [Listener("raylet", "127.0.0.1", 1), Listener("dashboard", "::1", 8265)]
    assert levels(assess_ports({"a": inside})) == ["ok"]
    beyond = [Listener("gcs_server", "::", 6379), Listener("worker", "10.0.0.1", 10002)]
    (listed_ports,) = assess_ports({"a": [*inside, *beyond]})
    assert "gcs_server 6379; worker 10002" in listed_ports.what
    shown = [Listener("dashboard", "0.0.0.0", 8265)]
    assert levels(assess_ports({"a": [*beyond, *shown]})) == ["warning", "ok"]
    assert levels(assess_ports({"a": []})) == ["skipped"]


def test_a_head_alone_that_trains_nothing_is_a_warning():
    assert assess_nodes([ray_node()], 0).level == "ok"
    head = assess_nodes([ray_node(cpus=0)], 2)
    assert (head.level, "2 dead" in head.what) == ("warning", True)


def test_the_worst_level_decides():
    findings = [Finding(level, "c", "w") for level in ("ok", "warning", "skipped")]
    assert worst(findings) == "warning"
    assert worst([*findings, Finding("failed", "c", "w")]) == "failed"
    assert listed([*"abcdef"]) == "a, b, c and 3 more"


def test_the_command_judges_this_machine_and_ends_with_4(tmp_path, monkeypatch, capsys):
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    (tmp_path / "file").write_text("")
    assert run_doctor("--storage", tmp_path / "file") == 4
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[1] for line in lines[:3]] == ["versions", "packages", "torch"]
    assert [line for line in lines if line.startswith("failed ")] == [
        f"failed   storage    {tmp_path / 'file'}: Not a directory -> check that it exists, and"
        " may be written by this user and these credentials"
    ]
    assert lines[-1] == "this machine is not fit for a search: 1 failed"


def test_a_timeout_out_of_bounds_is_refused():
    with pytest.raises(UserError, match="--timeout 0"):
        run_doctor("--timeout", "0")
