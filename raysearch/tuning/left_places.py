"""Placement groups that a controller of Ray Train left behind when it was killed.

Ray frees what an actor reserved once its whole job has ended, and not when the actor has.
"""

from typing import Any

import ray
from ray._private.state import state as ray_state
from ray.core.generated import gcs_pb2
from ray.util.placement_group import PlacementGroup, remove_placement_group

__all__ = ["free_left_places"]


def free_left_places() -> int:
    """Free what dead actors of this job still reserve, and end the workers there.

    Returns:
        How many placement groups that were.
    """
    job = ray.get_runtime_context().get_job_id()
    left = [place for place in _places() if _is_left(place, job)]
    for place in left:
        remove_placement_group(PlacementGroup(ray.PlacementGroupID(place.placement_group_id)))
    return len(left)


def _places() -> list[Any]:
    """As GCS has them: ``ray.util.placement_group_table`` does not say who made them."""
    table = ray_state._connect_and_get_accessor().get_placement_group_table()
    return [gcs_pb2.PlacementGroupTableData.FromString(entry) for entry in table]


def _is_left(place: Any, job: str) -> bool:
    ended = place.state == gcs_pb2.PlacementGroupTableData.REMOVED
    return place.creator_actor_dead and place.creator_job_id.hex() == job and not ended
