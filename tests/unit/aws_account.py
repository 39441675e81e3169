"""The AWS files' account: what a user, Ray and its autoscaler do in it, and what is then there."""

import re
from pathlib import Path
from typing import Any

import boto3
from ray.autoscaler._private import commands
from ray.autoscaler._private.aws.node_provider import AWSNodeProvider

ROOT = Path(__file__).parents[2]
TEMPLATE = ROOT / "cluster" / "aws.cfn.yaml"
REGION = "us-west-2"
RUNNING = [{"Name": "instance-state-name", "Values": ["pending", "running"]}]
WORLD = {"0.0.0.0/0", "::/0"}


def create_stack(**parameters: str) -> None:
    boto3.client("cloudformation", REGION).create_stack(
        StackName="raysearch",
        # moto looks the default image up even where a parameter names another.
        TemplateBody=re.sub(r"/aws/service/\S+", "/test/ami", TEMPLATE.read_text()),
        Parameters=[
            {"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()
        ],
        Capabilities=["CAPABILITY_NAMED_IAM"],
    )


def up() -> dict[str, Any]:
    """``ray up cluster/gpu.yaml --yes``."""
    return commands.create_or_update_cluster(
        "cluster/gpu.yaml",
        override_min_workers=None,
        override_max_workers=None,
        no_restart=False,
        restart_only=False,
        yes=True,
        no_config_cache=True,
        use_login_shells=False,
    )


def down() -> None:
    """``ray down cluster/gpu.yaml --yes``."""
    commands.teardown_cluster(
        "cluster/gpu.yaml",
        yes=True,
        workers_only=False,
        override_cluster_name=None,
        keep_min_workers=False,
    )


def add_workers(config: dict[str, Any], node_type: str, count: int) -> None:
    """What the autoscaler on the head does."""
    tags = {"ray-node-type": "worker", "ray-node-name": "w", "ray-node-status": "uninitialized"}
    provider = AWSNodeProvider(config["provider"], config["cluster_name"])
    for _ in range(count):  # moto makes one instance a request
        provider.create_node(
            config["available_node_types"][node_type]["node_config"],
            {**tags, "ray-user-node-type": node_type, "ray-launch-config": "x"},
            1,
        )


def instances(ec2) -> list[dict[str, Any]]:
    found = ec2.describe_instances(Filters=RUNNING)["Reservations"]
    return [instance for reservation in found for instance in reservation["Instances"]]


def open_to_the_world(ec2) -> list[str]:
    """Groups with a rule that lets anything in from everywhere."""
    return [
        group["GroupName"]
        for group in ec2.describe_security_groups()["SecurityGroups"]
        for rule in group["IpPermissions"]
        if WORLD & {r["CidrIp"] for r in rule.get("IpRanges", [])}
        or WORLD & {r["CidrIpv6"] for r in rule.get("Ipv6Ranges", [])}
    ]


def group_named(ec2, name: str) -> dict[str, Any]:
    filters = [{"Name": "group-name", "Values": [name]}]
    return ec2.describe_security_groups(Filters=filters)["SecurityGroups"][0]
