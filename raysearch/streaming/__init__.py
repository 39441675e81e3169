"""Feature shards in and out: written by Ray Data, cached on nodes, cut into batches."""
