"""Searches replayed on recorded learning curves: which way to search is best, in seconds."""
