"""A search in experiment trackers: MLflow, Weights & Biases, trackio; no Ray, no search."""
