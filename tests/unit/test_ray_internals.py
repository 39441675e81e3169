"""Every private name of Ray stands in one file, and is still where that file looks for it."""

import re
from pathlib import Path

import pytest

from raysearch.ray_cluster import ray_internals

PACKAGE = Path(ray_internals.__file__).parents[1]
PRIVATE = re.compile(
    r"\bray(?:\.\w+)*\._\w+"  # ray._private, ray.train.v2._internal, ray._raylet
    r"|\bray\.core\.generated\b"
    r"|\b__internal_\w+__"
    r"|/ray\.rpc\."
)


def test_no_other_module_names_what_is_private_to_ray():
    own = Path(ray_internals.__file__)
    found = [
        f"{file.relative_to(PACKAGE)}: {match[0]}"
        for file in sorted(PACKAGE.rglob("*.py"))
        if file != own
        for match in PRIVATE.finditer(file.read_text(encoding="utf-8"))
    ]
    assert not found
    assert PRIVATE.search(own.read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", ray_internals.__all__)
def test_this_version_of_ray_has_it(name):
    assert getattr(ray_internals, name) is not None


def test_what_it_does_not_have_is_an_error():
    with pytest.raises(AttributeError, match="no attribute 'Missing'"):
        ray_internals.Missing  # noqa: B018
