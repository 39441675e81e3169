"""Verbs: parse, delegate, print."""
