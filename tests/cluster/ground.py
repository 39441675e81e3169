"""The ground that the cluster stands on: hosts that share a folder and a network, nothing else."""

import os
import subprocess
import time
from pathlib import Path

import yaml
from hosts import HOME, UID, USER, Host
from laptop import Laptop
from steps import Steps
from world import SHARED, make_network

__all__ = ["lay_ground", "set_up_by_hand", "three_hosts"]

SETUP_S = 60


def three_hosts(laptop: Laptop) -> list[Host]:
    """Hosts on a network with the laptop; the shared folder is their user's."""
    make_network()
    SHARED.mkdir()
    os.chown(SHARED, UID, UID)
    return [Host(number, laptop.public_key) for number in (1, 2, 3)]


def lay_ground(steps: Steps, laptop: Laptop, hosts: list[Host]) -> None:
    """They answer by SSH, and are apart."""
    for host in hosts:
        said = laptop.ssh(host, "id -un; hostname; pwd").split()
        assert said == [USER, host.name, str(HOME)], said
    steps.say("three hosts answer by SSH: " + ", ".join(host.ip for host in hosts))
    _apart(steps, laptop, hosts)
    _cable(steps, laptop, hosts)
    _stop_reaches_its_own_host(steps, laptop, hosts)


def _apart(steps: Steps, laptop: Laptop, hosts: list[Host]) -> None:
    """A file or process of one is nowhere else, but the shared folder is everywhere."""
    first, second, third = hosts
    for folder in ("/tmp", "/dev/shm", "~"):
        laptop.ssh(first, f"touch {folder}/of-the-first")
        for host in (second, third):
            assert "of-the-first" not in laptop.ssh(host, f"ls -A {folder}"), folder
    for folder in ("/tmp", "/dev/shm"):
        assert not (Path(folder) / "of-the-first").exists()
        laptop.ssh(first, f"rm {folder}/of-the-first")
    laptop.ssh(second, f"echo shared > {SHARED}/probe")
    assert laptop.ssh(third, f"cat {SHARED}/probe && rm {SHARED}/probe") == "shared\n"
    for host in hosts:
        seen = host.run("ps", "-e", "-o", "args=").splitlines()
        assert [line for line in seen if "sshd" not in line] == ["ps -e -o args="], seen
        assert host.run("ps", "-p", "1", "-o", "args=").startswith(("sshd", "/usr/sbin/sshd"))
        assert host.run("ls", "-A", "/mnt").split() == ["host", SHARED.name]
        assert not host.processes()
    steps.say("each sees its own processes, /tmp, /dev/shm and home; all see the shared folder")


def _cable(steps: Steps, laptop: Laptop, hosts: list[Host]) -> None:
    """A host whose cable is pulled is reached by nobody, until it is back."""
    peer = f"timeout 3 bash -c '</dev/tcp/{hosts[2].ip}/22' 2>/dev/null && echo reached || echo no"
    assert laptop.ssh(hosts[0], peer) == "reached\n"
    hosts[2].set_link("down")
    assert laptop.ssh(hosts[0], peer) == "no\n"
    assert not laptop.reaches(hosts[2], 22)
    assert laptop.reaches(hosts[1], 22)
    hosts[2].set_link("up")
    steps.wait("a link goes down and up again", lambda: laptop.reaches(hosts[2], 22), 30)


def _stop_reaches_its_own_host(steps: Steps, laptop: Laptop, hosts: list[Host]) -> None:
    """The launcher runs ``ray stop``, which ends by name whatever Ray it sees: here, a sleeper."""
    sleeper = "cp /bin/sleep /tmp/raylet; nohup /tmp/raylet 900 >/dev/null 2>&1 </dev/null &"
    for host in hosts[:2]:
        laptop.ssh(host, sleeper)
    subprocess.run(["cp", "/bin/sleep", "/tmp/raylet"], check=True)
    outside = subprocess.Popen(["/tmp/raylet", "900"])
    laptop.ssh(hosts[0], "~/raysearch/.venv/bin/ray stop")
    assert hosts[0].processes() == []
    assert hosts[1].processes() == ["/tmp/raylet 900"], "`ray stop` reached another host"
    assert outside.poll() is None, "`ray stop` reached out of its host"
    outside.kill()
    outside.wait()
    laptop.ssh(hosts[1], "~/raysearch/.venv/bin/ray stop")
    assert hosts[1].processes() == []
    steps.say("`ray stop` on a host ends what runs there and nothing else")


def set_up_by_hand(steps: Steps, laptop: Laptop, hosts: list[Host]) -> None:
    """What ``ray up`` does before it starts Ray: file mounts and setup commands."""
    laptop.make_token()
    laptop.fill_in(hosts[0], hosts[1:])
    config = yaml.safe_load(laptop.file.read_text())
    for host in hosts:
        for remote, local in config["file_mounts"].items():
            source, target = laptop.path(local), remote.removeprefix("~/")
            laptop.ssh(host, f"mkdir -p {Path(target).parent}")
            laptop.send(host, source, f"{target}/" if source.is_dir() else target)
        began = time.monotonic()
        for command in config["setup_commands"]:
            laptop.ssh(host, command)
        took = time.monotonic() - began
        assert took < SETUP_S, f"{host.name}: the setup command took {took:.0f} s"
        # As the launcher runs every command.
        launched = "bash --login -c -i 'source ~/.bashrc; which ray; ray --version' 2>/dev/null"
        said = laptop.ssh(host, launched)
        assert f"{HOME}/raysearch/.venv/bin/ray" in said, said
        assert "ray, version" in said, said
        origin = laptop.ssh(
            host, "cd /; ~/raysearch/.venv/bin/python -c 'import raysearch; print(raysearch)'"
        )
        assert f"{HOME}/raysearch/raysearch/__init__.py" in origin, origin
        steps.say(f"{host.name}: rsync, token, setup command ({took:.1f} s); its own raysearch")
