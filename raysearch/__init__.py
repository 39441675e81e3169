"""raysearch: finds the best speech-emotion-recognition model for a corpus, honestly measured."""

__version__ = "0.1.0"
