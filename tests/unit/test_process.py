"""The command as a process: terminals that are ASCII, full or gone, and interrupted imports."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import soundfile

COMMAND = [sys.executable, "-m", "raysearch"]


@pytest.fixture
def table(tmp_path):
    """A table of names and labels that ASCII lacks."""
    rng = np.random.default_rng(0)
    rows = ["path,emotion,speaker"]
    for i in range(24):
        soundfile.write(tmp_path / f"Müller {i}.wav", rng.uniform(-0.1, 0.1, 800), 16_000)
        rows.append(f"Müller {i}.wav,{('Ärger', 'Freude')[i % 2]},s{i // 6}")
    (tmp_path / "t.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return ["corpus", "--corpus=manifest", f"--data={tmp_path / 't.csv'}"]


def test_an_ascii_terminal_shows_what_it_can(table):
    locale = {"LC_ALL": "C", "LANG": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    done = subprocess.run([*COMMAND, *table], env={**os.environ, **locale}, capture_output=True)
    assert done.returncode == 0, done.stderr
    assert b"emotions: Freude 12, ?rger 12" in done.stdout
    assert done.stderr == b""


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_full_output_is_one_line_and_no_success(table, unbuffered):
    environment = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [*COMMAND, *table], stdout=full, stderr=subprocess.PIPE, text=True, env=environment
        )
    assert done.returncode == 4
    assert done.stderr == (
        "raysearch: standard output cannot be written: no space left on device\n"
    )


def test_nobody_listening_is_no_failure_to_talk_about(table):
    process = subprocess.Popen([*COMMAND, *table], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait() == 1


def test_an_interruption_while_modules_are_imported_is_one_line(tmp_path):
    # The first module that the command imports waits to be interrupted.
    (tmp_path / "rich").mkdir()
    slow = "import os, time\nopen(os.environ['READY'], 'w').close()\ntime.sleep(60)\n"
    (tmp_path / "rich" / "__init__.py").write_text(slow)
    ready = tmp_path / "ready"
    path = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])
    process = subprocess.Popen(
        [*COMMAND, "systems"],
        env={**os.environ, "PYTHONPATH": path, "READY": str(ready)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    while not ready.exists():
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    assert process.communicate()[0] == b"raysearch: interrupted\n"
    assert process.returncode == 130


def test_the_working_folder_hides_none_of_pythons_modules_and_offers_its_own(tmp_path):
    (tmp_path / "random.py").write_text("raise SystemExit('not the random that was meant')\n")
    (tmp_path / "my_corpus.py").write_text("class Mine:\n    pass\n")
    done = subprocess.run(
        [*COMMAND, "corpus", "--corpus=my_corpus:Other"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.environ.get("PYTHONPATH") or os.getcwd()},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert "module 'my_corpus' has no attribute 'Other'" in done.stderr
