"""A corpus folder, never trusted, becomes labelled utterances."""
