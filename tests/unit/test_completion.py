"""Completion as the shells do it: bash and, where they are installed, zsh and fish."""

import os
import pty
import select
import shutil
import subprocess
import time

import pytest

from raysearch.__main__ import main
from raysearch.cli.completable import completable_verbs
from raysearch.cli.completion import script
from raysearch.cli.verb_table import VERBS
from raysearch.config.shipped_spaces import shipped_spaces


@pytest.fixture(scope="module")
def scripts(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scripts")
    for shell in ("bash", "zsh", "fish"):
        (folder / shell).write_text(script(shell))
    return folder


def bash(scripts, folder, *words):
    """What bash's function offers for the last word."""
    code = (
        'source "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _raysearch; '
        'printf "%s\\n" "${COMPREPLY[@]}"'
    )
    command = ["bash", "--norc", "-uc", code, str(scripts / "bash"), "raysearch", *words]
    ended = subprocess.run(command, capture_output=True, text=True, cwd=folder, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")
    return ended.stdout.split("\n")[:-1] if ended.stdout.strip() else []


def test_every_verb_and_every_option_of_each(scripts, tmp_path):
    assert bash(scripts, tmp_path, "") == ["-h", "--help", "--version", *VERBS]
    for verb in completable_verbs():
        names = [name for option in verb.options for name in option.names]
        assert bash(scripts, tmp_path, verb.name, "-") == names
        assert "--help" in names


def test_what_was_begun_is_completed(scripts, tmp_path):
    assert bash(scripts, tmp_path, "sub") == ["submit"]
    assert bash(scripts, tmp_path, "--version", "dry") == []
    assert bash(scripts, tmp_path, "run", "--spa") == ["--space"]
    assert bash(scripts, tmp_path, "run", "--trials", "4", "--dr") == ["--dry-run"]
    assert bash(scripts, tmp_path, "completion", "") == ["bash", "zsh", "fish"]


def test_values_that_are_known(scripts, tmp_path):
    assert bash(scripts, tmp_path, "run", "--space", "") == ["auto", *sorted(shipped_spaces())]
    assert bash(scripts, tmp_path, "run", "--corpus", "em") == ["emobox", "emodb", "emovo"]
    assert bash(scripts, tmp_path, "run", "--final", "re") == ["refit"]
    assert bash(scripts, tmp_path, "run", "--trials", "") == []
    assert bash(scripts, tmp_path, "run", "--resume", "a") == ["auto"]
    assert "--quiet" in bash(scripts, tmp_path, "run", "--resume", "-")


def test_files_where_files_are_asked_for(scripts, tmp_path):
    (tmp_path / "my results").mkdir()
    (tmp_path / "mine.yaml").touch()
    assert sorted(bash(scripts, tmp_path, "evaluate", "m")) == ["mine.yaml", "my results"]
    assert bash(scripts, tmp_path, "run", "--space", "mine") == ["mine.yaml"]
    assert bash(scripts, tmp_path, "run", "--data", "my") == ["my results"]
    assert bash(scripts, tmp_path, "run", "--name", "m") == []


class Terminal:
    """A shell in a terminal of its own, in which is typed."""

    def __init__(self, command, folder, **environment):
        self._end, shell = pty.openpty()
        environment = {**os.environ, "TERM": "dumb", **environment}
        streams = dict.fromkeys(("stdin", "stdout", "stderr"), shell)
        self._shell = subprocess.Popen(
            command, cwd=folder, env=environment, start_new_session=True, **streams
        )
        os.close(shell)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._shell.kill()
        self._shell.wait()
        os.close(self._end)

    def type(self, text):
        os.write(self._end, text.encode())

    def told(self, until):
        """What the shell has written since, up to ``until``, or for half a minute."""
        told, begun = "", time.monotonic()
        while until not in told and time.monotonic() - begun < 30:
            if select.select([self._end], [], [], 0.2)[0]:
                told += os.read(self._end, 4096).decode(errors="replace")
        return told


def test_bash_completes_as_one_types(scripts, tmp_path):
    """The script is sourced, and the tabulator does the rest."""
    (tmp_path / "my results").mkdir()
    command = ["bash", "--norc", "--noprofile", "-i"]
    with Terminal(command, tmp_path, INPUTRC="/dev/null") as terminal:
        terminal.type(f"source '{scripts}/bash'\nraysearch() {{ echo \"<$*>\"; }}\n")
        terminal.type("raysearch eval\tm\t\n")
        assert "<evaluate my results/>" in terminal.told(until="results/>")
        terminal.type("raysearch run --corp\tcrem\t\n")
        assert "<run --corpus crema_d>" in terminal.told(until="crema_d>")


@pytest.mark.skipif(shutil.which("fish") is None, reason="fish is not installed")
def test_fish_completes(scripts, tmp_path):
    def offered(line):
        code = f"source {scripts}/fish; complete --do-complete '{line}'"
        command = ["fish", "--no-config", "-c", code]
        found = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=True)
        assert found.stderr == ""
        return [one.split("\t")[0] for one in found.stdout.splitlines()]

    (tmp_path / "mine").mkdir()
    assert set(offered("raysearch ")) >= set(VERBS)
    assert offered("raysearch run --corp") == ["--corpus"]
    assert offered("raysearch run --corpus crem") == ["crema_d"]
    assert offered("raysearch evaluate mi") == ["mine/"]
    assert offered("raysearch completion z") == ["zsh"]


@pytest.mark.skipif(shutil.which("zsh") is None, reason="zsh is not installed")
def test_zsh_completes(scripts, tmp_path):
    with Terminal(["zsh", "-f", "-i"], tmp_path, ZDOTDIR=str(tmp_path)) as terminal:
        terminal.type(f"autoload -U compinit; compinit -u -D; source '{scripts}/zsh'\n")
        terminal.type('raysearch() { echo "<$*>"; }\n')
        terminal.type("raysearch eval\t--nes\t\n")
        assert "<evaluate --nested>" in terminal.told(until="nested>")
        terminal.type("raysearch run --corp\tcrem\t--fin\tref\t\n")
        assert "<run --corpus crema_d --final refit>" in terminal.told(until="refit>")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_verb_prints_the_script(shell, capsys, scripts):
    assert main(["completion", shell]) == 0
    assert capsys.readouterr().out == (scripts / shell).read_text()
