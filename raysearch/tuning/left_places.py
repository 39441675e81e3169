"""Placement groups that an actor which is no more had made.

Ray frees them once the whole job has ended, and not when the actor has. A driver's own ones count
as a dead actor's in Ray's table, so it takes the maker's id to tell whose they are.
"""

from typing import Any

import ray
from ray._private.state import state as ray_state
from ray.core.generated import gcs_pb2
from ray.util.placement_group import PlacementGroup, remove_placement_group

__all__ = ["free_places_of"]


def free_places_of(actor_id: bytes) -> int:
    """Free what the actor of ``actor_id`` reserved, and end the workers there.

    Returns:
        How many placement groups that were.
    """
    left = [place for place in _places() if place.creator_actor_id == actor_id]
    for place in left:
        remove_placement_group(PlacementGroup(ray.PlacementGroupID(place.placement_group_id)))
    return len(left)


def _places() -> list[Any]:
    """As GCS has them: ``ray.util.placement_group_table`` does not say who made them."""
    table = ray_state._connect_and_get_accessor().get_placement_group_table()
    found = [gcs_pb2.PlacementGroupTableData.FromString(entry) for entry in table]
    return [place for place in found if place.state != gcs_pb2.PlacementGroupTableData.REMOVED]
