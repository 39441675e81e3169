"""Scores under a protocol, and what may be claimed from them."""
