"""Placement groups that an actor which is no more had made.

Ray frees them once the whole job has ended, and not when the actor has. A driver's own ones count
as a dead actor's in Ray's table, so it takes the maker's id to tell whose they are.
"""

import ray
from ray.util.placement_group import PlacementGroup, remove_placement_group

from raysearch.ray_cluster.ray_internals import placement_groups

__all__ = ["remove_placement_groups_of"]


def remove_placement_groups_of(actor_id: bytes) -> int:
    """Remove the placement groups that the actor made, and end the workers in them.

    Returns:
        How many placement groups that were.
    """
    left = [place for place in placement_groups() if place.creator_actor_id == actor_id]
    for place in left:
        remove_placement_group(PlacementGroup(ray.PlacementGroupID(place.placement_group_id)))
    return len(left)
