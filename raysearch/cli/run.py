"""``raysearch run``: a search, from nothing to the best model."""
