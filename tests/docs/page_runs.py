"""Carries out what a page of docs/ says, in a folder of its own."""

import argparse
import os
import shlex
import subprocess
import sys
from pathlib import Path

import yaml
from page_blocks import DOCS, Block, Command, Page, pattern_of
from ray.scripts.scripts import cli as ray_cli

from raysearch.cli.verb_table import VERBS

__all__ = ["check_options", "run_page"]

PROJECT = DOCS.parent
TIMEOUT_S = 300
COLUMNS = 100


def run_page(page: Page, folder: Path) -> None:
    """Write its files, run its commands and programs and compare what they print, in order."""
    for block in page.blocks:
        language, *rest = block.words or ("",)
        if block.file:
            _write(folder / block.file, block)
        elif language == "python":
            _run(page, Command(block.line, "python - <<'END'\n" + block.text + "END", ""), folder)
        elif language == "console":
            for command in block.commands:
                check_options(command.text) if "parse" in rest else _run(page, command, folder)


def check_options(text: str) -> None:
    """Refuse a command that does not exist, or an option or a file of the project that does not."""
    program, *arguments = shlex.split(text.replace("\\\n", " "), comments=True)
    if program == "sbatch":  # its script takes what ``run`` takes
        _check_verb("run", arguments[1:])
    elif program == "raysearch":
        _check_verb(arguments[0], arguments[1:])
    elif program == "ray":
        command = ray_cli.get_command(None, arguments[0])
        assert command is not None, text
        command.make_context(arguments[0], arguments[1:])
    for word in arguments:
        if word.startswith("cluster/"):
            assert (PROJECT / word).is_file(), word
            if word.endswith(".yaml"):
                assert list(yaml.compose_all((PROJECT / word).read_text(encoding="utf-8")))


def _check_verb(name: str, arguments: list[str]) -> None:
    assert name in VERBS, f"no verb {name}"
    parser = argparse.ArgumentParser(prog=f"raysearch {name}")
    VERBS[name].load_options().add(parser)
    parser.parse_args(arguments)


def _write(path: Path, block: Block) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(block.text, encoding="utf-8")


def _run(page: Page, command: Command, folder: Path) -> None:
    place = f"{page.path.name}:{command.line}"
    done = subprocess.run(
        ["bash", "-e", "-c", command.text],
        cwd=folder,
        env=_environment(folder),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, f"{place}: {command.text}\n{done.stdout}"
    if command.output.strip():
        printed = done.stdout.strip() + "\n"
        assert pattern_of(command.output).fullmatch(printed), (
            f"{place}: {command.text}\nprinted\n{printed}\nbut the page shows\n{command.output}"
        )


def _environment(folder: Path) -> dict[str, str]:
    """A reader's, after ``. .venv/bin/activate`` in a terminal of ``COLUMNS``."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    cache = str(folder / ".cache")
    return {**os.environ, "PATH": path, "COLUMNS": str(COLUMNS), "XDG_CACHE_HOME": cache}
