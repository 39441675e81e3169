"""Gathers the facts of a search's first session that ``run.json`` keeps."""

import platform
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path

import ray

from raysearch.config.identity import stable_hash
from raysearch.ray_cluster.resources import cluster_nodes
from raysearch.ray_cluster.session import ClusterSession
from raysearch.spec import SearchSpec
from raysearch.streaming.preparation import AuditedSplit
from raysearch.tuning.likeness import facts_of_split
from raysearch.tuning.tolerance import ValidationNoise

__all__ = ["session_facts"]


def session_facts(
    spec: SearchSpec, audited: AuditedSplit, session: ClusterSession
) -> dict[str, object]:
    """Gather versions, seed, data, audit, commit and machines for ``run.json``."""
    packages = ("raysearch", "ray", "torch", "torchaudio", "optuna", "numpy", "pyarrow")
    nodes = cluster_nodes(ray.nodes())
    return {
        "space": spec.name,
        "seed": spec.search.seed,
        "bit_reproducible": spec.search.max_workers is None,
        "data_fingerprint": stable_hash(audited.identity(spec)),
        "validation": ValidationNoise.of((audited.split, *audited.inner)).to_dict(),
        "data": facts_of_split(audited.split).model_dump(mode="json"),
        "audit": audited.audit.to_dict(),
        "versions": {"python": platform.python_version(), **{p: version(p) for p in packages}},
        "commit": _commit(),
        "hardware": {
            "machine": platform.platform(),
            "local": session.local,
            "nodes": [{"cpus": node.cpus, "gpus": node.gpus} for node in nodes],
        },
    }


def _commit() -> str | None:
    """The commit of an editable checkout, or ``None`` for an installed package."""
    head = Path(__file__).parents[2] / ".git" / "HEAD"
    with suppress(OSError):
        text = head.read_text(encoding="utf-8").strip()
        reference = head.parent / text.removeprefix("ref: ")
        return reference.read_text(encoding="utf-8").strip() if text.startswith("ref") else text
    return None
