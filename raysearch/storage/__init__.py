"""Runs and features kept as objects: S3, Google Cloud Storage, or any folder by URL."""
