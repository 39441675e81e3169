"""The one use case, a search from its settings to its best model, and what is left of it."""
