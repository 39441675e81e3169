"""Energy by the counters of the machine: read, summed, noted and told, or not known."""

from types import SimpleNamespace

import pytest
from paged_run import recorded_run

from raysearch.page.followed_run import run_document
from raysearch.ray_cluster.energy import (
    CPU_COUNTER,
    GPU_COUNTER,
    EnergyMeter,
    Reading,
    cpu_readings,
    gpu_readings,
)
from raysearch.reporting.energy_used import energy_in_words, energy_kwh
from raysearch.reporting.summary import summarize
from raysearch.searching.results import Run


class NvmlError(Exception):
    """As the driver's library raises it."""


def driver_library(*millijoules):
    """That of a machine whose GPUs have used so much; None: too old to count."""

    def used(device):
        if millijoules[device] is None:
            raise NvmlError
        return millijoules[device]

    return SimpleNamespace(
        NVMLError=NvmlError,
        nvmlInit=lambda: None,
        nvmlShutdown=lambda: None,
        nvmlDeviceGetCount=lambda: len(millijoules),
        nvmlDeviceGetHandleByIndex=lambda index: index,
        nvmlDeviceGetTotalEnergyConsumption=used,
    )


def zone(root, name, called, microjoules, most=262143328850):
    folder = root / name
    folder.mkdir(parents=True)
    (folder / "name").write_text(f"{called}\n")
    (folder / "energy_uj").write_text(f"{microjoules}\n")
    (folder / "max_energy_range_uj").write_text(f"{most}\n")
    return folder


def test_packages_and_their_memory_count_and_nothing_twice(tmp_path):
    (tmp_path / "intel-rapl").mkdir()
    zone(tmp_path, "intel-rapl:0", "package-0", 5_000_000)
    zone(tmp_path, "intel-rapl:0:0", "core", 3_000_000)
    zone(tmp_path, "intel-rapl:0:1", "dram", 2_000_000)
    zone(tmp_path, "intel-rapl:1", "psys", 9_000_000)
    found = cpu_readings(tmp_path)
    assert sorted(found) == ["intel-rapl:0", "intel-rapl:0:1"]
    assert sum(one.joules for one in found.values()) == 7
    assert found["intel-rapl:0"].range_joules == pytest.approx(262143.32885)


def test_a_counter_that_may_not_be_read_is_not_known(tmp_path):
    folder = zone(tmp_path, "intel-rapl:0", "package-0", 1)
    (folder / "energy_uj").unlink()
    (folder / "energy_uj").mkdir()  # nobody can read it, whoever runs the tests
    assert cpu_readings(tmp_path) == cpu_readings(tmp_path / "nowhere") == {}


def test_gpus_count_together_or_not_at_all(monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    found = gpu_readings(driver_library(1000, 2500))
    assert [one.joules for one in found.values()] == [1.0, 2.5]
    assert gpu_readings(driver_library(1000, None)) == {}


def test_a_counter_that_began_anew_goes_on(tmp_path):
    told = iter([(90.0, 10.0), (5.0, 12.0)])

    def read():
        cpu, gpu = next(told)
        return {"a": Reading(CPU_COUNTER, cpu, 100.0), "b": Reading(GPU_COUNTER, gpu)}

    assert EnergyMeter(read).stop() == {CPU_COUNTER: 15.0, GPU_COUNTER: 2.0}


def test_without_counters_nothing_is_said():
    assert EnergyMeter(dict).stop() == {}
    assert energy_kwh([{"started": 1.0}]) == {}
    assert energy_in_words([{"started": 1.0}]) == ""


def test_the_page_and_the_summary_say_what_is_known(tmp_path):
    run = recorded_run(tmp_path / "run")
    run.add_session(1.0, 1, {})
    run.end_session("finished", {CPU_COUNTER: 3.6e6, GPU_COUNTER: 7.2e6})
    run.add_session(2.0, 2, {})
    run.end_session("finished", {})
    facts = dict(run_document(Run(run.root)).reproduction.facts)
    assert facts["energy"] == (
        f"1 kWh of {CPU_COUNTER}, 2 kWh of {GPU_COUNTER};"
        " of the whole machine, whatever else ran on it; 1 of 2 sittings"
    )
    summary = summarize(run, run.events(), run.trials())
    assert summary["energy_kwh"] == {CPU_COUNTER: 1.0, GPU_COUNTER: 2.0}
