"""The Ray dashboard of the cluster test, asked through the tunnel as a browser would."""

import json
import urllib.error
import urllib.request
from typing import Any

__all__ = ["Dashboard"]

# Ray's own name of the processes that train; each holds a slot's CPU.
TRAINER = "RayTrainWorker"


class Dashboard:
    """What the cluster behind ``address`` says of itself.

    Args:
        address: with its scheme.
        token: the cluster's.
    """

    def __init__(self, address: str, token: str) -> None:
        self._address, self._token = address, token

    def status(self, path: str, *, token: str | None = None) -> int:
        """The HTTP status of ``path`` with ``token``, or without any."""
        try:
            self._get(path, token)
        except urllib.error.HTTPError as error:
            return error.code
        return 200

    def living(self) -> set[str]:
        """Addresses of the nodes that are alive."""
        return {node["node_ip"] for node in self._state("nodes") if node["state"] == "ALIVE"}

    def training(self) -> set[str]:
        """Addresses of the nodes on which a trial is trained."""
        ips = {node["node_id"]: node["node_ip"] for node in self._state("nodes")}
        actors = [a for a in self._state("actors") if a["state"] == "ALIVE"]
        return {ips[a["node_id"]] for a in actors if a["class_name"] == TRAINER}

    def trials(self) -> set[str]:
        """The trials that its task list names."""
        return {t["name"] for t in self._state("tasks") if str(t["name"]).startswith("trial ")}

    def jobs(self) -> dict[str, dict[str, Any]]:
        """What it knows of every submitted job, by its id."""
        jobs = json.loads(self._get("/api/jobs/", self._token))
        return {job["submission_id"]: job for job in jobs if job["submission_id"]}

    def _state(self, what: str) -> list[dict[str, Any]]:
        answer = json.loads(self._get(f"/api/v0/{what}?limit=1000&detail=1", self._token))
        assert answer["result"], answer["msg"]
        found: list[dict[str, Any]] = answer["data"]["result"]["result"]
        return found

    def _get(self, path: str, token: str | None) -> str:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        request = urllib.request.Request(self._address + path, headers=headers)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return str(answer.read().decode())
