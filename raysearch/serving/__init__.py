"""The final model behind HTTP: Ray Serve's replicas, what they answer, and the page at ``/``."""
