"""The built-in systems as a table: at once, and whole at any width."""

import json
import subprocess
import sys
import time

import pytest
from rich.console import Console

from raysearch.__main__ import main
from raysearch.cli.system_facts import read_facts
from raysearch.cli.systems import papers_table, printed_table, systems_table
from raysearch.cli.tables import print_table

HUB_FILE = "hub/checkpoints/resnet34-b627a593.pth"


def test_it_imports_no_torch():
    code = (
        "import sys, raysearch.__main__ as m; m.main(['systems']);"
        "sys.exit(', '.join({'torch', 'ray', 'scipy'} & sys.modules.keys()) or 0)"
    )
    begun = time.monotonic()
    command = [sys.executable, "-c", code]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    took = time.monotonic() - begun
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "cnn1d_attention" in ended.stdout
    assert took < 5, "1 s on an idle machine"


def test_weights_are_looked_for_on_this_machine(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    assert main(["systems", "--json"]) == 0
    before = {row["name"]: row["weights"] for row in json.loads(capsys.readouterr().out)}
    assert f"{tmp_path}/{HUB_FILE} is not there" in before["resnet34"]
    assert before["cnn"] == "not needed"
    (tmp_path / HUB_FILE).parent.mkdir(parents=True)
    (tmp_path / HUB_FILE).touch()
    assert main(["systems", "--json"]) == 0
    after = {row["name"]: row["weights"] for row in json.loads(capsys.readouterr().out)}
    assert after == {**before, "resnet34": "found"}


def test_settings_have_the_systems_built(capsys):
    assert main(["systems", "--json", "--set", "model.width=8"]) == 0
    found = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    facts = read_facts()
    assert found["cnn"]["num_params"] < facts["cnn"].num_params
    assert found["lstm"]["num_params"] == facts["lstm"].num_params


def test_what_is_lacking_is_said_once(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    assert main(["systems"]) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert told.count("features.ssl.weights is null") == 1
    assert "weights of mfhca, ssl: features.ssl.weights is null" in told


@pytest.mark.parametrize("width", [60, 80, 160, 200])
def test_no_line_is_wider_than_the_terminal(width):
    systems = [facts.here() for facts in read_facts().values()]
    console = Console(width=width, force_terminal=True, color_system=None)
    with console.capture() as shown:
        print_table(console, systems_table(systems, papers=width >= 80))
        print_table(console, papers_table(systems))
        print_table(console, printed_table(systems))
    lines = shown.get().splitlines()
    assert max(map(len, lines)) <= width
    assert "…" not in shown.get()
    for system in systems:
        assert any(line.startswith(system.name) for line in lines)
