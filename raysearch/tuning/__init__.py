"""Which trial next, where it runs, and what is known of it."""
