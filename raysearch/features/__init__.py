"""Audio to arrays: safe decoding, and extractors that each own their config class."""
