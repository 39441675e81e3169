"""Searches as jobs on a cluster, and whether a machine or cluster is fit for one."""
