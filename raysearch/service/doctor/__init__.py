"""Whether a machine or a cluster is fit for a search."""
