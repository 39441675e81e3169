"""Every cluster file, read by what will read it, and held to what must be true of all of them."""

import re
import shlex
import subprocess
from importlib.metadata import requires
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from packaging.requirements import Requirement
from ray.autoscaler._private.util import prepare_config, validate_config

from raysearch.cli.main import parsed

ROOT = Path(__file__).parents[2]
CLUSTER = ROOT / "cluster"
LAUNCHER_FILES = ("gpu.yaml", "gcp.yaml", "onprem.yaml")
CLOUD_FILES = ("gpu.yaml", "gcp.yaml")
PINS = (ROOT / "constraints.txt").read_text()


def launcher(name: str) -> dict[str, Any]:
    """A launcher file as Ray reads it, defaults filled in; Ray refuses it where it is wrong."""
    text = (CLUSTER / name).read_text().replace("PROJECT_ID", "my-project")
    config = prepare_config(yaml.safe_load(text))
    validate_config(config)
    return config


def kuberay() -> dict[str, dict[str, Any]]:
    documents = yaml.safe_load_all((CLUSTER / "kuberay.yaml").read_text())
    return {document["kind"]: document for document in documents}


def ray_starts(config: dict[str, Any]) -> dict[str, str]:
    """The one command of each kind of node that starts Ray."""
    starts = {}
    for kind in ("head", "worker"):
        (starts[kind],) = [c for c in config[f"{kind}_start_ray_commands"] if "ray start" in c]
    return starts


@pytest.fixture(params=LAUNCHER_FILES)
def config(request):
    return launcher(request.param)


@pytest.fixture(params=CLOUD_FILES)
def cloud(request):
    return launcher(request.param)


def test_the_world_is_let_in_nowhere():
    for file in CLUSTER.iterdir():
        text = file.read_text()
        assert "0.0.0.0/0" not in text, file.name
        assert "::/0" not in text, file.name
        assert "LoadBalancer" not in text, file.name
        assert "NodePort" not in text, file.name


def test_both_start_commands_require_the_token(config):
    for kind, command in ray_starts(config).items():
        before = command.partition("ray start")[0]
        assert re.search(r"export .*RAY_AUTH_MODE=token", before), kind
    assert config["file_mounts"]["~/.ray/auth_token"] == "~/.ray/auth_token"


def test_the_dashboard_listens_on_loopback_only(config):
    starts = ray_starts(config)
    assert "--dashboard-host=127.0.0.1" in starts["head"]
    assert "--autoscaling-config=~/ray_bootstrap_config.yaml" in starts["head"]
    assert "--address=$RAY_HEAD_IP:6379" in starts["worker"]
    assert "dashboard" not in starts["worker"]


def test_commands_are_valid_shell(config):
    for key in ("setup_commands", "head_setup_commands", "worker_setup_commands"):
        for command in config[key]:
            subprocess.run(["bash", "-n", "-c", command], check=True)
    for command in config["head_start_ray_commands"] + config["worker_start_ray_commands"]:
        subprocess.run(["bash", "-n", "-c", command], check=True)


def test_every_node_installs_the_pinned_environment_from_the_mounted_project(config):
    for kind in ("head", "worker"):
        commands = config[f"{kind}_setup_commands"]
        assert any("~/raysearch/cluster/setup_node.sh" in command for command in commands)
    script = (CLUSTER / "setup_node.sh").read_text()
    assert "-c constraints.txt -e ." in script
    for remote, local in config["file_mounts"].items():
        if local != "~/.ray/auth_token":
            assert remote == f"~/raysearch/{local}"
            assert (ROOT / local).exists()
    build = (ROOT / "pyproject.toml").read_text()
    for needed in ("README.md", "LICENSE", "search_spaces"):
        assert needed in build
        assert needed in config["file_mounts"].values()


def test_what_an_aws_head_adds_fits_the_pins():
    """Else pip refuses to install boto3 beside the pinned environment."""
    assert "setup_node.sh boto3" in " ".join(launcher("gpu.yaml")["head_setup_commands"])
    pins = dict(line.split("==") for line in PINS.splitlines() if "==" in line)
    for package in ("boto3", "botocore", "s3transfer"):
        for text in requires(package) or []:
            requirement = Requirement(text)
            if requirement.name in pins and not requirement.marker:
                assert requirement.specifier.contains(pins[requirement.name]), text


def test_ray_stop_is_run_by_the_launcher_alone(config):
    """`ray stop` ends every Ray of its user: right on nodes of one's own, and nowhere else."""
    for kind in ("head", "worker"):
        stops = [c for c in config[f"{kind}_start_ray_commands"] if re.search(r"ray stop", c)]
        assert stops == ["~/raysearch/.venv/bin/ray stop"]
    for file in (*CLUSTER.glob("*.sh"), CLUSTER / "slurm.sbatch", CLUSTER / "kuberay.yaml"):
        code = "\n".join(line.partition("#")[0] for line in file.read_text().splitlines())
        assert "ray stop" not in code, file.name
        assert "pkill" not in code, file.name
        assert "killall" not in code, file.name


def test_onprem_runs_under_a_user_of_its_own():
    assert launcher("onprem.yaml")["auth"]["ssh_user"] == "raysearch"


def test_onprem_is_served_by_the_autoscaler_that_knows_listed_hosts():
    assert "RAY_enable_autoscaler_v2=0" in launcher("onprem.yaml")["head_start_ray_commands"][-1]


def test_onprem_keeps_every_host_in_the_cluster():
    config = launcher("onprem.yaml")
    (node_type,) = config["available_node_types"].values()
    num_hosts = len(config["provider"]["worker_ips"])
    assert num_hosts == node_type["min_workers"] == node_type["max_workers"]


def test_clouds_talk_over_internal_addresses_and_terminate_what_they_end(cloud):
    assert cloud["provider"]["use_internal_ips"] is True
    assert cloud["provider"]["cache_stopped_nodes"] is False
    assert cloud["auth"]["ssh_proxy_use_node_id"] is True
    assert "%h" in cloud["auth"]["ssh_proxy_command"]


def test_the_proxy_names_the_provider_s_own_region_or_zone():
    provider, auth = (launcher("gpu.yaml")[key] for key in ("provider", "auth"))
    assert f"--region {provider['region']} " in auth["ssh_proxy_command"]
    provider, auth = (launcher("gcp.yaml")[key] for key in ("provider", "auth"))
    assert f"--zone {provider['availability_zone']} " in auth["ssh_proxy_command"]
    assert f"--project {provider['project_id']} " in auth["ssh_proxy_command"]


def test_heads_train_nothing_and_workers_scale_from_none(cloud):
    types = dict(cloud["available_node_types"])
    head = types.pop(cloud["head_node_type"])
    assert head["resources"] == {"CPU": 0}
    assert head["max_workers"] == 0
    assert types
    for worker in types.values():
        assert worker["min_workers"] == 0
        assert 0 < worker["max_workers"] <= cloud["max_workers"]
        assert worker["resources"]["GPU"] >= 1
    assert cloud["idle_timeout_minutes"] > 0


def test_workers_are_spot_the_head_is_not_and_notices_are_watched_for():
    for name, spot, watched in (
        ("gpu.yaml", {"InstanceMarketOptions": {"MarketType": "spot"}}, "aws"),
        ("gcp.yaml", {"scheduling": {"provisioningModel": "SPOT"}}, "gcp"),
    ):
        config = launcher(name)
        (key,) = spot
        for kind, node_type in config["available_node_types"].items():
            found = node_type["node_config"].get(key, {})
            expected = {} if kind == config["head_node_type"] else spot[key]
            assert {k: v for k, v in found.items() if k in spot[key]} == expected
        watcher = f"spot_drain.sh {watched} $RAY_HEAD_IP:6379"
        assert watcher in ray_starts(config)["worker"]
        assert "spot_drain" not in ray_starts(config)["head"]


def test_gcp_nodes_have_no_external_address():
    for node_type in launcher("gcp.yaml")["available_node_types"].values():
        for interface in node_type["node_config"]["networkInterfaces"]:
            assert "accessConfigs" not in interface
        assert node_type["node_config"]["tags"] == {"items": ["raysearch"]}


def test_gcp_asks_for_one_value_only():
    text = (CLUSTER / "gcp.yaml").read_text()
    assert set(re.findall(r"\b[A-Z]+_ID\b", text)) == {"PROJECT_ID"}


def test_kuberay_job_and_cluster_describe_the_same_cluster():
    documents = kuberay()
    job = documents["RayJob"]["spec"]
    assert job["rayClusterSpec"] == documents["RayCluster"]["spec"]
    assert job["shutdownAfterJobFinishes"] is True
    assert job["ttlSecondsAfterFinished"] > 0
    command = shlex.split(job["entrypoint"])
    assert command[:4] == ["exec", "python", "-m", "raysearch.run"]
    _, options = parsed(["run", *command[4:]])
    assert (options.resume, options.name) == ("auto", "search")
    assert str(options.storage).startswith("/storage/")


def test_kuberay_requires_the_token_and_scales_its_gpu_group_from_none():
    spec = kuberay()["RayCluster"]["spec"]
    assert spec["authOptions"] == {"mode": "token"}
    assert f"ray=={spec['rayVersion']}\n" in PINS
    assert spec["enableInTreeAutoscaling"] is True
    assert spec["headGroupSpec"]["serviceType"] == "ClusterIP"
    assert spec["headGroupSpec"]["rayStartParams"]["num-cpus"] == "0"
    (group,) = spec["workerGroupSpecs"]
    assert group["minReplicas"] == group["replicas"] == 0 < group["maxReplicas"]
    (worker,) = group["template"]["spec"]["containers"]
    assert worker["resources"]["limits"]["nvidia.com/gpu"] == "1"
    assert worker["resources"]["requests"] == worker["resources"]["limits"]


def test_kuberay_start_params_are_strings():
    """The custom resource takes strings alone: a bare 0 would be refused."""
    spec = kuberay()["RayCluster"]["spec"]
    for group in (spec["headGroupSpec"], *spec["workerGroupSpecs"]):
        assert all(isinstance(value, str) for value in group["rayStartParams"].values())


def test_kuberay_pods_share_storage_and_are_reached_by_each_other_only():
    documents = kuberay()
    spec, policy = documents["RayCluster"]["spec"], documents["NetworkPolicy"]["spec"]
    claim = documents["PersistentVolumeClaim"]
    assert claim["spec"]["accessModes"] == ["ReadWriteMany"]
    chosen = policy["podSelector"]["matchLabels"]
    for group in (spec["headGroupSpec"], *spec["workerGroupSpecs"]):
        template = group["template"]
        assert chosen.items() <= template["metadata"]["labels"].items()
        assert template["spec"]["restartPolicy"] == "Never"
        (volume,) = template["spec"]["volumes"]
        assert volume["persistentVolumeClaim"]["claimName"] == claim["metadata"]["name"]
        (mount,) = template["spec"]["containers"][0]["volumeMounts"]
        assert (mount["name"], mount["mountPath"]) == (volume["name"], "/storage")
    (rule,) = policy["ingress"]
    assert all("ipBlock" not in peer for peer in rule["from"])
    submitter = documents["RayJob"]["spec"]["submitterPodTemplate"]["metadata"]["labels"]
    (expression,) = rule["from"][0]["podSelector"]["matchExpressions"]
    assert submitter[expression["key"]] in expression["values"]


def test_kuberay_parts_can_be_applied_apart():
    uses = {kind: d["metadata"]["labels"]["raysearch/use"] for kind, d in kuberay().items()}
    assert uses.pop("RayCluster") == "cluster"
    assert uses.pop("RayJob") == "job"
    assert set(uses.values()) == {"both"}


def test_the_image_holds_the_pinned_environment():
    text = (CLUSTER / "Dockerfile").read_text()
    assert "-c constraints.txt ." in text
    copied = re.findall(r"^COPY (?:--\S+ )?(.+) \S+$", text, re.MULTILINE)
    assert copied
    for source in " ".join(copied).split():
        assert (ROOT / source).exists(), source


def test_ray_refuses_a_file_with_a_missing_or_unknown_field():
    for spoil in (
        lambda raw: raw["available_node_types"]["head"].pop("node_config"),
        lambda raw: raw["provider"].pop("type"),
        lambda raw: raw.update(idle_timeout=10),
    ):
        raw = prepare_config(yaml.safe_load((CLUSTER / "gpu.yaml").read_text()))
        spoil(raw)
        with pytest.raises(jsonschema.ValidationError, match=r"node_config|type|idle_timeout"):
            validate_config(raw)
