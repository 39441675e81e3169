"""Utterances to train, validation and test, and the proof that nothing leaks."""
