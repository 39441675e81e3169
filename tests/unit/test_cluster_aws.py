"""The AWS files against moto: what the stack makes, what Ray makes of it, and what is left."""

import json
from pathlib import Path
from typing import Any

import boto3
import botocore.session
import pytest
import yaml
from aws_account import (
    REGION,
    ROOT,
    TEMPLATE,
    add_workers,
    create_stack,
    down,
    group_named,
    instances,
    open_to_the_world,
    up,
)
from cfnlint import ManualArgs
from cfnlint.api import lint_file
from moto import mock_aws
from moto.core import DEFAULT_ACCOUNT_ID
from moto.ec2.models.instance_types import InstanceTypeBackend
from ray.autoscaler._private import command_runner, commands
from ray.autoscaler._private.aws import config as aws_config
from ray.autoscaler._private.aws import node_provider
from ray.autoscaler._private.aws import utils as aws_utils
from ray.autoscaler._private.aws.node_provider import AWSNodeProvider

# Ray leaves the cluster file open.
pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
USED = {"m7i.2xlarge", "g6.2xlarge", "g5.2xlarge"}


@pytest.fixture
def account(tmp_path, monkeypatch):
    """An empty account, and a user with a token who stands in the project's folder."""
    for key in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.setenv(key, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    monkeypatch.setenv("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.chdir(ROOT)
    (tmp_path / ".ray").mkdir()
    (tmp_path / ".ray" / "auth_token").write_text("0" * 64)
    # Ray asks for the whole catalogue of instance types, which takes moto many seconds.
    catalogue = [kind for kind in InstanceTypeBackend.instance_types if kind.name in USED]
    monkeypatch.setattr(InstanceTypeBackend, "instance_types", catalogue)
    caches = (aws_utils.resource_cache, aws_utils.client_cache, aws_config._get_subnets_or_die)
    with mock_aws():
        for cache in caches:
            cache.cache_clear()
        yield boto3.client("ec2", REGION)
    for cache in caches:
        cache.cache_clear()


@pytest.fixture
def stack(account):
    """The stack of aws.cfn.yaml; returns the image that its parameter names."""
    image = account.register_image(Name="ubuntu", RootDeviceName="/dev/sda1")["ImageId"]
    boto3.client("ssm", REGION).put_parameter(Name="/test/ami", Value=image, Type="String")
    create_stack()
    return image


@pytest.fixture
def ssh(monkeypatch):
    """What Ray would run on the nodes, and copy there; nothing else of Ray is replaced."""
    ran: list[tuple[str, str]] = []
    copied: dict[str, str] = {}

    def run(self, cmd=None, *_args, **_kwargs):
        ran.append((self.node_id, cmd))
        return ""

    def rsync(self, source, target, options=None):
        copied[target] = source

    monkeypatch.setattr(command_runner.SSHCommandRunner, "run", run)
    monkeypatch.setattr(command_runner.SSHCommandRunner, "run_rsync_up", rsync)
    monkeypatch.setattr(commands, "POLL_INTERVAL", 0.01)
    monkeypatch.setattr(node_provider, "TAG_BATCH_DELAY", 0)
    return ran, copied


def test_the_stack_closes_its_group_and_its_bucket(account, stack):
    group = group_named(account, "raysearch")
    (rule,) = group["IpPermissions"]
    assert [pair["GroupId"] for pair in rule["UserIdGroupPairs"]] == [group["GroupId"]]
    assert rule["IpRanges"] == []
    assert open_to_the_world(account) == []
    s3, bucket = boto3.client("s3", REGION), f"raysearch-{DEFAULT_ACCOUNT_ID}"
    assert s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"]


def test_what_moto_leaves_out_of_a_stack_stands_in_the_template():
    class Loader(yaml.SafeLoader):
        """Reads CloudFormation's short forms as their plain values."""

    Loader.add_multi_constructor("!", lambda loader, _tag, node: node.value)
    resources = yaml.load(TEMPLATE.read_text(), Loader)["Resources"]
    bucket = resources["Bucket"]
    assert bucket["DeletionPolicy"] == bucket["UpdateReplacePolicy"] == "Retain"
    block = bucket["Properties"]["PublicAccessBlockConfiguration"]
    assert len(block) == 4
    assert all(block.values())
    (managed,) = resources["HeadRole"]["Properties"]["ManagedPolicyArns"]
    assert managed.endswith(":iam::aws:policy/AmazonSSMManagedInstanceCore")
    assert "ManagedPolicyArns" not in resources["WorkerRole"]["Properties"]


def test_the_template_passes_cfn_lint():
    matches = lint_file(TEMPLATE, ManualArgs(regions=[REGION]))
    assert [match.message for match in matches] == []


def test_launch_templates_are_hardened(account, stack):
    for name in ("raysearch-head", "raysearch-worker"):
        (version,) = account.describe_launch_template_versions(LaunchTemplateName=name)[
            "LaunchTemplateVersions"
        ]
        data = version["LaunchTemplateData"]
        assert data["ImageId"] == stack
        assert data["MetadataOptions"]["HttpTokens"] == "required"
        assert data["BlockDeviceMappings"][0]["Ebs"]["Encrypted"] is True
        assert data["SecurityGroupIds"] == [group_named(account, "raysearch")["GroupId"]]


def test_roles_are_least_privilege(stack):
    iam = boto3.client("iam", REGION)

    def policies(role: str) -> dict[str, list[dict[str, Any]]]:
        names = iam.list_role_policies(RoleName=role)["PolicyNames"]
        found = {name: iam.get_role_policy(RoleName=role, PolicyName=name) for name in names}
        return {name: policy["PolicyDocument"]["Statement"] for name, policy in found.items()}

    head, worker = f"raysearch-head-{REGION}", f"raysearch-worker-{REGION}"
    assert set(policies(worker)) == {"storage"}
    assert set(policies(head)) == {"storage", "autoscaler"}
    for statement in [part for parts in policies(head).values() for part in parts]:
        actions = statement["Action"]
        actions = [actions] if isinstance(actions, str) else actions
        assert not any("*" in action for action in actions)
        assert statement["Resource"] != "*" or actions == ["ec2:DescribeInstances"]


def test_up_makes_one_closed_on_demand_head_and_up_again_no_second(account, stack, ssh):
    groups = {g["GroupId"] for g in account.describe_security_groups()["SecurityGroups"]}
    up()
    (head,) = instances(account)
    assert head["InstanceType"] == "m7i.2xlarge"
    assert "InstanceLifecycle" not in head
    assert head["ImageId"] == stack
    assert [g["GroupName"] for g in head["SecurityGroups"]] == ["raysearch"]
    assert head["IamInstanceProfile"]["Arn"].endswith(f"raysearch-head-{REGION}")
    assert open_to_the_world(account) == []
    assert groups == {g["GroupId"] for g in account.describe_security_groups()["SecurityGroups"]}
    assert Path("~/.ssh/raysearch.pem").expanduser().stat().st_mode & 0o777 == 0o600
    up()
    assert [again["InstanceId"] for again in instances(account)] == [head["InstanceId"]]


def test_the_head_is_given_the_token_and_a_config_that_needs_no_proxy(account, stack, ssh):
    ran, copied = ssh
    up()
    assert copied["~/.ray/auth_token"].endswith(".ray/auth_token")
    started = [cmd for _, cmd in ran if cmd and "ray start --head" in cmd]
    assert len(started) == 1
    assert "RAY_AUTH_MODE=token" in started[0]

    config = commands._bootstrap_config(
        yaml.safe_load(Path("cluster/gpu.yaml").read_text()), no_config_cache=True
    )
    provider = AWSNodeProvider(config["provider"], config["cluster_name"])
    _, remote = commands._set_up_config_for_head_node(config, provider, no_restart=False)
    on_head = json.loads(Path(remote.name).read_text())
    assert set(on_head["auth"]) == {"ssh_user", "ssh_private_key"}
    assert on_head["file_mounts"]["~/.ray/auth_token"] == "~/.ray/auth_token"


@pytest.mark.parametrize(
    ("node_type", "instance_type"), [("l4_spot", "g6.2xlarge"), ("a10g_spot", "g5.2xlarge")]
)
def test_workers_are_spot_and_as_closed_as_the_head(account, stack, ssh, node_type, instance_type):
    add_workers(up(), node_type, 2)
    workers = [i for i in instances(account) if i["InstanceType"] == instance_type]
    assert len(workers) == 2
    for worker in workers:
        assert worker["InstanceLifecycle"] == "spot"
        assert [g["GroupName"] for g in worker["SecurityGroups"]] == ["raysearch"]
        assert worker["IamInstanceProfile"]["Arn"].endswith(f"raysearch-worker-{REGION}")
    assert open_to_the_world(account) == []


def test_down_leaves_no_instance_and_deleting_the_stack_only_the_bucket(account, stack, ssh):
    add_workers(up(), "l4_spot", 2)
    assert len(instances(account)) == 3
    down()
    assert instances(account) == []
    stopped = account.describe_instances(
        Filters=[{"Name": "instance-state-name", "Values": ["stopping", "stopped"]}]
    )
    assert stopped["Reservations"] == []

    boto3.client("cloudformation", REGION).delete_stack(StackName="raysearch")
    names = {g["GroupName"] for g in account.describe_security_groups()["SecurityGroups"]}
    assert names == {"default"}
    assert account.describe_launch_templates()["LaunchTemplates"] == []
    iam = boto3.client("iam", REGION)
    assert iam.list_roles()["Roles"] == []
    assert iam.list_instance_profiles()["InstanceProfiles"] == []
    buckets = boto3.client("s3", REGION).list_buckets()["Buckets"]
    assert [bucket["Name"] for bucket in buckets] == [f"raysearch-{DEFAULT_ACCOUNT_ID}"]
    create_stack(CreateBucket="false")  # beside the bucket that stayed
    assert group_named(account, "raysearch")


def test_the_stack_can_live_in_a_network_of_ones_own(account, stack):
    boto3.client("cloudformation", REGION).delete_stack(StackName="raysearch")
    vpc = account.create_vpc(CidrBlock="10.7.0.0/16")["Vpc"]["VpcId"]
    create_stack(CreateBucket="false", VpcId=vpc)
    assert group_named(account, "raysearch")["VpcId"] == vpc


def test_nothing_that_ec2_only_answers_is_sent_back_to_it():
    """Ray launches with what EC2 answers about a template; read-only fields make that fail."""
    model = botocore.session.get_session().get_service_model("ec2")
    answered = model.shape_for("ResponseLaunchTemplateData").members
    accepted = model.operation_model("RunInstances").input_shape.members
    template = TEMPLATE.read_text()
    config = yaml.safe_load((ROOT / "cluster" / "gpu.yaml").read_text())
    used = [key for key in answered if f"\n        {key}:" in template]
    assert "SecurityGroupIds" in used
    for node_type in config["available_node_types"].values():
        for key in set(used) - set(node_type["node_config"]):
            assert members(answered[key]) <= members(accepted[key]), key


def members(shape) -> set[str]:
    """Every field of a shape, nested ones by their path."""
    if shape.type_name == "list":
        return {f"[].{name}" for name in members(shape.member)}
    if shape.type_name != "structure":
        return set()
    nested = {f"{key}.{name}" for key, part in shape.members.items() for name in members(part)}
    return set(shape.members) | nested
